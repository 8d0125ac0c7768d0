/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains from a few bytes: a program for a fuzzer to write.
 *
 * The first byte says how many certificates there are, 2 … 7. As they are, number 0 is a good leaf,
 * signed by number 1, and so on to the last, which is a root and an anchor; all but that are sent,
 * and the question is one that KT_PROFILE_WEB answers with yes. What follows changes one thing at a
 * time, in two bytes: a certificate's number (upper three bits) and the field (enum field in
 * chain_program.c), and a value; a patch has two bytes more. Every certificate is then signed by
 * the key it names, so that most of what is wrong with it is not its signature.
 *
 * No keys but those made at the first call are used. One program at a time; not for threads.
 */
#ifndef KTRUST_FUZZ_CHAIN_PROGRAM_H
#define KTRUST_FUZZ_CHAIN_PROGRAM_H

#include <ktrust/verify.h>

#define CERTS_MAX 7

struct program_cert {
	const uint8_t *der;
	size_t len;
	uint8_t key, signer; /* numbers of keys */
	bool is_broken;	     /* changed behind its signature */
};

struct program {
	struct program_cert certs[CERTS_MAX];
	size_t count;
	struct kt_der sent[KT_CHAIN_MAX];
	struct kt_chain chain;
	struct kt_snapshot *anchors; /* NULL: none */
	struct kt_snapshot *intermediates;
	struct kt_query query;
	struct kt_query other; /* another question about the same */
};

/* False: it is no program. */
bool program_run(const uint8_t *data, size_t size, struct program *ret_program);
void program_end(struct program *program);

#endif
