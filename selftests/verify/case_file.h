/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases of verification as data: selftests/verify/cases/THEME.cases. Besides the certificates
 * (case_pki.h) such a file has
 *
 *   case NAME CERT... < ANCHOR... [OPTION...] => VERDICT [MORE...]
 *
 *   CERT...    what the peer sends, its own first; "-": nothing
 *   ANCHOR...  the pool, certificates or anchors; "-": there is none
 *   OPTION     client, client=TYPE:NAME, server, server=TYPE:NAME: the role and the name asked for;
 *              without any: client. TYPE: dns (may be left out), ip, email, uri
 *              at=TIME (case_pki.h), profile=web|rfc5280, path_max=NUMBER
 *              known=CERT: an intermediate that is known; crl=CRL: in the pool; both add up
 *              stale=warn: of CRLs past their nextUpdate
 *   VERDICT    accepted DEPTH, or a rule's name (src/verify/rules.def) and the depth
 *   MORE       by=ANCHOR: the one that accepts; without it the first
 *              both=CODE@DEPTH: where OpenSSL, asked about the path that ours accepts, refuses it
 *              openssl=KIND: OpenSSL out of the box says the opposite
 *
 * Each KIND of difference is explained, once, in cases/openssl.list:
 *
 *   accepts|refuses|depends KIND EXPLANATION...
 *
 * which is what OpenSSL does; where it depends (on its version, on how its store sorts), its answer
 * is not looked at.
 *
 * What cannot be read ends the program. Everything lives to the end of the program. One thread.
 */
#ifndef KTRUST_SELFTESTS_CASE_FILE_H
#define KTRUST_SELFTESTS_CASE_FILE_H

#include "case_pki.h"

#define CASE_SENT_MAX	 (KT_CHAIN_MAX + 2)
#define CASE_ANCHORS_MAX 8
#define CASE_KNOWN_MAX	 8
#define CASE_CRLS_MAX	 4

enum case_openssl { OPENSSL_SAME, OPENSSL_ACCEPTS, OPENSSL_REFUSES, OPENSSL_DEPENDS };

struct case_difference {
	enum case_openssl openssl;
	const char *kind;
	size_t cases; /* that have it */
	struct case_difference *next;
};

struct verify_case {
	const char *title; /* THEME.NAME */
	struct case_thing *sent[CASE_SENT_MAX];
	size_t sent_count;
	struct case_thing *anchors[CASE_ANCHORS_MAX];
	size_t anchor_count;
	bool no_pool;
	struct case_thing *known[CASE_KNOWN_MAX];
	size_t known_count;
	struct case_thing *crls[CASE_CRLS_MAX];
	size_t crl_count;
	enum kt_crl_policy crl_policy;
	struct kt_query query;	    /* without intermediates */
	const struct kt_rule *rule; /* NULL: accepted */
	int depth;
	const struct case_thing *by; /* accepted: by this anchor */
	bool both_refuses;	     /* both differs from own: under this code, at this depth */
	enum kt_verdict_code both_code;
	int both_depth;
	const struct case_difference *difference; /* NULL: OpenSSL says the same */
	struct verify_case *next;
};

/* Reads all files. The cases, in order; what they name is not made yet (case_pki.h). */
const struct verify_case *case_read_all(void);

/* All that it names. */
void case_make_all(const struct verify_case *asked);

/* The kinds of difference, after case_read_all. */
const struct case_difference *case_differences(void);

#endif
