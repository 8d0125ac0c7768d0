/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small certdata.txts for tests, of certificates from pki.h.
 *
 * nss_text_add takes a little language: '@' and a letter stand for lines about a certificate, lower
 * case for the first and upper case for the second: c its certificate object, t its trust object, i
 * its issuer, s its serial number, u its subject, v its value; all else stands for itself.
 *
 * A failure of what only prepares a test ends it. One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_NSS_TEXT_H
#define KTRUST_SELFTESTS_POOL_NSS_TEXT_H

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <ktrust/nss.h>

#include "../../src/pool/scan.h"
#include "../harness.h"
#include "../lib/pki.h"

struct nss_cert {
	uint8_t der[4096];
	size_t der_len;
	const char *label;
};

struct nss_text {
	struct nss_cert certs[2];
	char *bytes;
	size_t len;
	size_t room;
};

static inline void nss_cert_init(struct nss_cert *cert, const struct pki_cert *from,
				 const char *label)
{
	ASSERT_GE(sizeof cert->der, from->der_len);
	memcpy(cert->der, from->der, from->der_len);
	cert->der_len = from->der_len;
	cert->label = label;
}

static inline void nss_text_put(struct nss_text *text, const char *bytes, size_t len)
{
	if (text->len + len + 1 > text->room) {
		text->room = (text->len + len + 1) * 2;
		text->bytes = realloc(text->bytes, text->room);
		ASSERT_NE(NULL, text->bytes);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

static inline void nss_text_say(struct nss_text *text, const char *line)
{
	nss_text_put(text, line, strlen(line));
	nss_text_put(text, "\n", 1);
}

static inline void nss_text_octal(struct nss_text *text, const char *name, const uint8_t *bytes,
				  size_t len)
{
	char number[6];

	nss_text_put(text, name, strlen(name));
	nss_text_say(text, " MULTILINE_OCTAL");
	for (size_t i = 0; i < len; i++) {
		snprintf(number, sizeof number, "\\%03o", bytes[i]);
		nss_text_put(text, number, 4);
		if (i % 16 == 15 || i + 1 == len)
			nss_text_put(text, "\n", 1);
	}
	nss_text_say(text, "END");
}

static inline void nss_text_field(struct nss_text *text, const struct nss_cert *cert, char field)
{
	struct kt_scan scan;
	char label[256];

	ASSERT_NULL(kt_scan_certificate(cert->der, cert->der_len, &scan));
	snprintf(label, sizeof label, "CKA_LABEL UTF8 \"%s\"", cert->label);
	switch (field) {
	case 'i':
		nss_text_octal(text, "CKA_ISSUER", scan.issuer.data, scan.issuer.len);
		break;
	case 's': /* with tag and length, which take two bytes */
		nss_text_octal(text, "CKA_SERIAL_NUMBER", scan.serial.data - 2,
			       scan.serial.len + 2);
		break;
	case 'u':
		nss_text_octal(text, "CKA_SUBJECT", scan.subject.data, scan.subject.len);
		break;
	case 'v':
		nss_text_octal(text, "CKA_VALUE", cert->der, cert->der_len);
		break;
	case 'c':
		nss_text_say(text, "\n# Certificate\nCKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE");
		nss_text_say(text, "CKA_TOKEN CK_BBOOL CK_TRUE");
		nss_text_say(text, label);
		nss_text_say(text, "CKA_CERTIFICATE_TYPE CK_CERTIFICATE_TYPE CKC_X_509");
		nss_text_field(text, cert, 'u');
		nss_text_say(text, "CKA_ID UTF8 \"0\"");
		nss_text_field(text, cert, 'i');
		nss_text_field(text, cert, 's');
		nss_text_field(text, cert, 'v');
		nss_text_say(text, "CKA_NSS_SERVER_DISTRUST_AFTER CK_BBOOL CK_FALSE");
		nss_text_say(text, "CKA_NSS_EMAIL_DISTRUST_AFTER CK_BBOOL CK_FALSE");
		break;
	case 't':
		nss_text_say(text, "\n# Trust\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST");
		nss_text_say(text, label);
		nss_text_field(text, cert, 'i');
		nss_text_field(text, cert, 's');
		nss_text_say(text, "CKA_TRUST_SERVER_AUTH CK_TRUST CKT_NSS_TRUSTED_DELEGATOR");
		nss_text_say(text, "CKA_TRUST_STEP_UP_APPROVED CK_BBOOL CK_FALSE");
		break;
	default:
		ASSERT_EQ('?', field);
	}
}

static inline void nss_text_add(struct nss_text *text, const char *pattern)
{
	for (const char *c = pattern; *c; c++) {
		if (*c != '@') {
			nss_text_put(text, c, 1);
			continue;
		}
		c++;
		nss_text_field(text, &text->certs[isupper((unsigned char)*c) ? 1 : 0],
			       (char)tolower((unsigned char)*c));
	}
}

/* Put what one pattern stands for at the first place of what another one stands for. */
static inline void nss_text_replace(struct nss_text *text, const char *from, const char *to)
{
	struct nss_text old = {.certs = {text->certs[0], text->certs[1]}};
	char *at, *rest;

	nss_text_add(&old, from);
	at = strstr(text->bytes, old.bytes);
	ASSERT_NE(NULL, at);
	rest = strdup(at + old.len);
	ASSERT_NE(NULL, rest);
	text->len = (size_t)(at - text->bytes);
	text->bytes[text->len] = '\0';
	nss_text_add(text, to);
	nss_text_put(text, rest, strlen(rest));
	free(rest);
	free(old.bytes);
}

/* The line in which the first or last of these begins, from 1. */
static inline unsigned int nss_text_line(const struct nss_text *text, const char *what, bool last)
{
	const char *at = strstr(text->bytes, what), *next;
	unsigned int line = 1;

	ASSERT_NE(NULL, at);
	while (last && (next = strstr(at + 1, what)))
		at = next;
	for (const char *c = text->bytes; c < at; c++)
		line += *c == '\n';
	return line;
}

#define NSS_BEGIN                                                                                  \
	"# A comment\n\nBEGINDATA\n\n"                                                             \
	"CKA_CLASS CK_OBJECT_CLASS CKO_NSS_BUILTIN_ROOT_LIST\n"                                    \
	"CKA_TOKEN CK_BBOOL CK_TRUE\n"                                                             \
	"CKA_LABEL UTF8 \"Mozilla Builtin Roots\"\n"

#endif
