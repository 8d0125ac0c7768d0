/* SPDX-License-Identifier: BSD-2-Clause */
#include "signing.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "credentials.h"
#include "provider.h"

struct kt_signing {
	EVP_MD_CTX *context;
	char digest[]; /* by the name that it was asked for */
};

static _Thread_local const struct kt_credentials_group *const *here
	__attribute__((tls_model("initial-exec")));

void kt_signing_begin(const struct kt_credentials_group *const *group)
{
	here = group;
}

void kt_signing_end(void)
{
	here = NULL;
}

/* NULL: not a key of this handshake's credentials. */
static struct kt_signing **place_of(const EVP_PKEY *key)
{
	const struct kt_credentials_group *group = here ? *here : NULL;

	for (int kind = 0; group && kind < KT_KEY_KINDS; kind++)
		if (group->of[kind] && group->of[kind]->key == key)
			return &group->of[kind]->signing;
	return NULL;
}

/* What fails is made by libcrypto, which is to find its queue of errors as it was. */
static bool copy(EVP_MD_CTX *to, const EVP_MD_CTX *from)
{
	bool done;

	ERR_set_mark();
	done = EVP_MD_CTX_copy_ex(to, from) == 1;
	ERR_pop_to_mark();
	if (!done)
		EVP_MD_CTX_reset(to);
	return done;
}

bool kt_signing_copy(EVP_MD_CTX *context, const EVP_PKEY *key, const char *digest)
{
	struct kt_signing **place = place_of(key);
	const struct kt_signing *signing = place ? __atomic_load_n(place, __ATOMIC_ACQUIRE) : NULL;

	return signing && !strcmp(signing->digest, digest) && copy(context, signing->context);
}

/* Others' may not be made for being copied, by many threads at once. */
static bool is_libcryptos(const EVP_MD_CTX *context)
{
	EVP_PKEY_CTX *of_key = EVP_MD_CTX_get_pkey_ctx(context);

	return kt_provider_is_default(EVP_PKEY_CTX_get0_provider(of_key));
}

static struct kt_signing *make(const EVP_MD_CTX *context, const char *digest)
{
	struct kt_signing *signing = malloc(sizeof *signing + strlen(digest) + 1);

	if (!signing)
		return NULL;
	strcpy(signing->digest, digest);
	signing->context = EVP_MD_CTX_new();
	if (signing->context && copy(signing->context, context))
		return signing;
	kt_signing_free(signing);
	return NULL;
}

void kt_signing_keep(const EVP_MD_CTX *context, const EVP_PKEY *key, const char *digest)
{
	struct kt_signing **place = place_of(key), *none = NULL, *signing;

	if (!place || __atomic_load_n(place, __ATOMIC_RELAXED) || !is_libcryptos(context))
		return;
	signing = make(context, digest);
	if (signing && !__atomic_compare_exchange_n(place, &none, signing, false, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED))
		kt_signing_free(signing);
}

void kt_signing_free(struct kt_signing *signing)
{
	if (!signing)
		return;
	EVP_MD_CTX_free(signing->context);
	free(signing);
}
