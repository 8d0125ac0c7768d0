/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose an algorithm or a key is: of libcrypto's others it is not known what they do and for how
 * long. */
#ifndef KT_TLS_PROVIDER_H
#define KT_TLS_PROVIDER_H

#include <stdbool.h>
#include <string.h>

#include <openssl/provider.h>

/* libcrypto's own, by its name (OSSL_PROVIDER-default(7)). NULL, as a legacy key has it, is not. */
static inline bool kt_provider_is_default(const OSSL_PROVIDER *provider)
{
	return provider && !strcmp(OSSL_PROVIDER_get0_name(provider), "default");
}

#endif
