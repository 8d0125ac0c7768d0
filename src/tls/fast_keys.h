/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of peers that come often, with tables (fast_key.h) to check their signatures by.
 *
 * A peer proves that it has its certificate's key by a signature in each handshake
 * (CertificateVerify), and libssl has libcrypto check it: EVP_DigestVerifyInit_ex, then
 * EVP_DigestVerify. A program that defines both itself is asked in its place
 * (evp_digest.c, which ktrustd links; nothing else does). It looks here.
 *
 * Who comes often is counted by the decoded key's address, so only for certificates that stay
 * decoded (decoded.h). Tables are made in a thread of their own that runs when nothing else wants
 * to (SCHED_IDLE), and that holds nothing anybody waits for; whoever looks next puts them in their
 * place. They are bounded by number; when all are taken, one that was not used since the last time
 * somebody was waiting gives way.
 *
 * Threads: start and stop from one, while nobody else is in here; the rest from any, together.
 */
#ifndef KT_TLS_FAST_KEYS_H
#define KT_TLS_FAST_KEYS_H

#include <stdint.h>

#include "fast_key.h"

#define KT_FAST_KEYS_AFTER 128 /* signatures of a key until tables are made for it */

struct kt_fast_keys_stats {
	uint64_t keys;	 /* with tables, now */
	uint64_t made;	 /* ever */
	uint64_t checks; /* signatures that were found right by them */
};

/* most: keys with tables at a time; 0: none, which is how a program starts. -errno. */
int kt_fast_keys_start(unsigned int most);
void kt_fast_keys_stop(void);

void kt_fast_keys_get_stats(struct kt_fast_keys_stats *ret_stats);

/* A signature by this key is about to be checked: are there tables? They stay until _put. */
struct kt_fast_key *kt_fast_keys_get(EVP_PKEY *pkey);
/* right: it was found right by them. */
void kt_fast_keys_put(struct kt_fast_key *key, bool right);

#endif
