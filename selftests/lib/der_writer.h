/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing DER byte by byte, well-formed or not, for tests and fuzzers.
 *
 *	size_t names = der_open(&der, 0x30);
 *	der_put(&der, 0x82, "a.test", 6);
 *	der_close(&der, names);
 *
 * Lengths are minimal. What does not fit aborts. No state; nothing is allocated.
 */
#ifndef KTRUST_SELFTESTS_DER_WRITER_H
#define KTRUST_SELFTESTS_DER_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DER_MAX 65536 /* bytes */

struct der {
	size_t len; /* 0: empty */
	uint8_t bytes[DER_MAX];
};

void der_add(struct der *der, const void *bytes, size_t len);
void der_put(struct der *der, uint8_t tag, const void *content, size_t len);

/* What is written between the two is the content of an element. */
size_t der_open(struct der *der, uint8_t tag);
void der_close(struct der *der, size_t mark);

/* ---- Certificates -----------------------------------------------------------------------------
 */

/* Bytes that go in as they are. */
struct der_part {
	const void *data;
	size_t len;
};

struct der_certificate {
	unsigned int version;	   /* 1 … 3 */
	struct der_part serial;	   /* content of the INTEGER */
	struct der_part algorithm; /* DER AlgorithmIdentifier */
	struct der_part issuer;	   /* DER Name */
	const char *not_before;	   /* "YYYYMMDDHHMMSSZ" or "YYMMDDHHMMSSZ" */
	const char *not_after;
	struct der_part subject;
	struct der_part spki;
	struct der_part extensions; /* one Extension behind another; len 0: none */
};

/* oid: its content */
void der_extension(struct der *der, struct der_part oid, bool critical, struct der_part value);
void der_tbs(struct der *der, const struct der_certificate *certificate);
/* The two algorithms are one. signature: the BIT STRING's bytes */
void der_signed(struct der *der, struct der_part tbs, struct der_part algorithm,
		struct der_part signature);

#endif
