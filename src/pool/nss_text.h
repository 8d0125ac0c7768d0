/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The attributes of a certdata.txt, one at a time: its lines, its octal, its labels. What the
 * attributes mean is nss_object.h's affair.
 *
 * What is allowed: empty lines and comments (a '#' at the start of a line or behind a value), CR
 * LF, and before the line BEGINDATA also CVS_ID lines. An attribute is "CKA_NAME TYPE VALUE", with
 * a value of one word or in double quotes, or "CKA_NAME MULTILINE_OCTAL", lines of \ooo and END.
 *
 * What is refused, with its line: everything else, NUL, lines of more than KT_NSS_LINE_MAX bytes,
 * and a last line without its end: it may be half of one.
 *
 * The reader borrows the text and owns what it decodes, which is never longer than the text; one
 * thread at a time.
 */
#ifndef KT_POOL_NSS_TEXT_H
#define KT_POOL_NSS_TEXT_H

#include <stdbool.h>

#include <ktrust/error.h>

#include "der.h"

#define KT_NSS_LINE_MAX 4096 /* bytes, without the LF */

struct kt_nss_span {
	const char *text;
	size_t len;
};

enum kt_nss_value {
	KT_NSS_WORD,   /* word */
	KT_NSS_QUOTED, /* data: UTF-8 without control characters, and a NUL behind it */
	KT_NSS_OCTAL,  /* data */
};

struct kt_nss_attribute {
	struct kt_nss_span name;
	struct kt_nss_span type;
	enum kt_nss_value value;
	struct kt_nss_span word;
	struct kt_der_view data; /* until the next call, unless kt_nss_text_keep was called */
	unsigned int line;	 /* of its name, from 1 */
};

struct kt_nss_text {
	const char *rest;
	const char *end;
	const char *where;
	unsigned int line; /* read last */
	bool begun;	   /* BEGINDATA was there */
	uint8_t *bytes;	   /* decoded values, as long as the text */
	size_t kept;	   /* bytes of it that stay */
	size_t used;	   /* and with the value read last */
};

/* text and where are borrowed until kt_nss_text_fini, which accepts an object of zeros. -ENOMEM. */
KT_WARN_UNUSED int kt_nss_text_init(struct kt_nss_text *text, const char *bytes, size_t len,
				    const char *where);
void kt_nss_text_fini(struct kt_nss_text *text);

/* 1: there is one; 0: the text is at its end. -EBADMSG; after an error the reader is spent. */
KT_WARN_UNUSED int kt_nss_text_next(struct kt_nss_text *text,
				    struct kt_nss_attribute *ret_attribute, struct kt_error *error);

/* The data of the attribute read last lives until kt_nss_text_fini. */
void kt_nss_text_keep(struct kt_nss_text *text);

bool kt_nss_span_is(struct kt_nss_span span, const char *text);

#endif
