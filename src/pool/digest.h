/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 through libcrypto, fetched once for the process.
 *
 * A struct kt_digest holds a context for any number of digests one after another: one thread at a
 * time. Errors of OpenSSL are translated and its error queue is left empty.
 */
#ifndef KT_POOL_DIGEST_H
#define KT_POOL_DIGEST_H

#include "der.h"

#include <ktrust/anchor.h>
#include <ktrust/error.h>

struct evp_md_ctx_st;

struct kt_digest {
	struct evp_md_ctx_st *context;
};

/* -ENOMEM, or -EOPNOTSUPP: this libcrypto offers no SHA-256. */
KT_WARN_UNUSED int kt_digest_init(struct kt_digest *digest);
void kt_digest_fini(struct kt_digest *digest); /* an object of zeros is fine */

/* SHA-256 over the parts one behind the other. -EIO: libcrypto failed. */
KT_WARN_UNUSED int kt_digest_of(struct kt_digest *digest, const struct kt_der_view *parts,
				size_t count, uint8_t ret_sum[KT_DIGEST_LEN]);

/* The same in steps: begin, any number of add, end. */
KT_WARN_UNUSED int kt_digest_begin(struct kt_digest *digest);
KT_WARN_UNUSED int kt_digest_add(struct kt_digest *digest, const void *data, size_t len);
KT_WARN_UNUSED int kt_digest_end(struct kt_digest *digest, uint8_t ret_sum[KT_DIGEST_LEN]);

#endif
