/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * X509_verify_cert on one exact path: OpenSSL checks it, and has nothing to choose.
 *
 * The second key of KT_VERIFIER_BOTH. Its store is empty for good (no default paths, no files, no
 * directories); the only certificate it can ever be given as trusted is the anchor of the path.
 * PARTIAL_CHAIN is set, since that anchor may be an intermediate; with nothing else within reach it
 * makes no other certificate trusted. Of the name asked for it is not told, nor of CRLs: those are
 * checked by one side.
 *
 * Threads: belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_LIBRARY_H
#define KTRUST_VERIFY_LIBRARY_H

#include <openssl/x509.h>

#include "rule.h"

struct kt_library {
	X509_STORE *store;
	X509_STORE_CTX *context;
	STACK_OF(X509) * others; /* the path's intermediates during a call, borrowed */
};

/* A path as OpenSSL has it. */
struct kt_library_path {
	X509 *certs[KT_PATH_MAX]; /* leaf first; borrowed */
	int count;
	X509 *anchor;		    /* borrowed */
	const uint8_t *fingerprint; /* of the anchor, as the snapshot has it */
};

/* -ENOMEM. On failure there is nothing to fini. */
KT_WARN_UNUSED int kt_library_init(struct kt_library *library);
void kt_library_fini(struct kt_library *library);

/*
 * KT_FINE, or KT_RULE_OPENSSL with the code and depth of what OpenSSL refused. KT_FINE means
 * besides that the chain it built ends in the path's anchor, and that this anchor's certificate,
 * hashed anew, is in the snapshot.
 */
struct kt_finding kt_library_check(struct kt_library *library, const struct kt_library_path *path,
				   const struct kt_snapshot *snapshot,
				   const struct kt_query *query);

#endif
