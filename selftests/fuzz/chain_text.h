/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program (chain_program.h) says of its certificates, and one of them made from that. */
#ifndef KTRUST_FUZZ_CHAIN_TEXT_H
#define KTRUST_FUZZ_CHAIN_TEXT_H

#include "../lib/der_writer.h"
#include "chain_program.h"

#define PATCHES_MAX 8

enum field {
	SUBJECT,
	ISSUER,
	KEY,
	SIGNER,
	ALGORITHM,
	BASIC, /* enum basic; the upper four bits: pathLenConstraint */
	KEY_USAGE,
	PURPOSES,
	NAMES,	   /* bits of names below */
	PERMITTED, /* bits of subtrees below */
	EXCLUDED,
	NOT_BEFORE,
	NOT_AFTER,
	VERSION,
	KEY_IDS,	    /* enum key_ids */
	POLICIES,	    /* bits of policies below */
	POLICY_CONSTRAINTS, /* requireExplicitPolicy + 1, inhibitPolicyMapping + 1: four bits each
			     */
	INHIBIT_ANY,	    /* inhibitAnyPolicy + 1 */
	MAPPINGS,	    /* bits: 1 → 2, 2 → 1, 1 → any */
	CRITICAL,	    /* what turns about: enum critical */
	EXTRA,		    /* enum extra */
	SERIAL,
	PLACE, /* enum place */
	LIMITS,
	CERT_FIELDS,
	/* Not a byte of the certificate */
	COPY = CERT_FIELDS, /* becomes as another is */
	SWAP,		    /* is sent where another is */
	PATCH_SIGNED,	    /* of what is signed, this byte: two bytes more, place and value */
	PATCH_SENT,	    /* of the certificate, signed or not */
	QUESTION,	    /* the certificate's number says what: enum question */
	FIELD_COUNT
};

enum basic { NO_BASIC = 1, OTHER_CA = 2, BASIC_NOT_CRITICAL = 4, HAS_PATH_LEN = 8 };
enum key_ids {
	NO_SUBJECT_ID = 1,
	NO_AUTHORITY_ID = 2,
	OTHER_SUBJECT_ID = 4,
	OTHER_AUTHORITY_ID = 8,
	AUTHORITY_NAMES = 16
};
enum critical {
	CRITICAL_KEY_USAGE = 1,
	CRITICAL_PURPOSES = 2,
	CRITICAL_NAMES = 4,
	CRITICAL_CONSTRAINTS = 8,
	CRITICAL_POLICIES = 16,
	CRITICAL_SUBJECT_ID = 32,
	CRITICAL_AUTHORITY_ID = 64,
	CRITICAL_INHIBIT_ANY = 128
};
enum extra {
	UNKNOWN = 1,
	UNKNOWN_CRITICAL = 2,
	TWICE = 4,
	ISSUER_NAMES = 8,
	INFO = 16,
	POINTS = 32,
	EXTRA_CRITICAL = 64
};
enum place { TURN_SENT = 1, TURN_ANCHOR = 2, TURN_INTERMEDIATE = 4 };
enum question { ROLE, NAME, TIME, LONGEST, OTHER_NAME, OTHER_TIME };

struct patch {
	uint8_t cert, at, value;
	bool is_signed;
};

/* What the bytes say. */
struct text {
	uint8_t fields[CERTS_MAX][CERT_FIELDS];
	size_t count;
	uint8_t order[CERTS_MAX];
	uint8_t question[8];
	struct patch patches[PATCHES_MAX];
	size_t patch_count;
};

/* Writes number `number`, signed, to `to`. */
void chain_cert_make(const struct text *text, size_t number, struct der *to,
		     struct program_cert *made);

#endif
