/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates by kind: what all roots have in common, all intermediates, all servers. Not signed:
 * who asks for a draft gives it a serial number and signs it. Pure functions.
 */
#ifndef KT_BENCH_KIND_H
#define KT_BENCH_KIND_H

#include <openssl/types.h>

#define KT_BENCH_HOST "www.example.org"

struct kt_bench_extension {
	int nid;
	const char *value; /* OpenSSL's words; NULL: the end of a list */
};

extern const struct kt_bench_extension kt_bench_root_extensions[];
extern const struct kt_bench_extension kt_bench_intermediate_extensions[];
extern const struct kt_bench_extension kt_bench_server_extensions[]; /* names KT_BENCH_HOST */
extern const struct kt_bench_extension kt_bench_client_extensions[];

struct kt_bench_kind {
	const struct kt_bench_extension *extensions;
	const char *name;	/* common name; %u: a number, once at most */
	const char *not_before; /* YYYYMMDDHHMMSSZ */
	const char *not_after;
};

/*
 * A certificate for the key, without serial number and signature; issuer NULL: self-signed. The
 * caller's; NULL: libcrypto failed.
 */
X509 *kt_bench_kind_draft(const struct kt_bench_kind *kind, X509 *issuer, unsigned int number,
			  EVP_PKEY *key);

#endif
