/* SPDX-License-Identifier: BSD-2-Clause */
/* An anchor as people read it. */
#include <ktrust/anchor.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "scan.h"

static void print_name(const uint8_t *name, size_t len, char *text, size_t size)
{
	X509_NAME *decoded = d2i_X509_NAME(NULL, &name, (long)len);
	BIO *out = BIO_new(BIO_s_mem());
	const char *made;
	long made_len;

	snprintf(text, size, "?");
	/* RFC 2253 order and escapes, and everything beyond ASCII escaped. */
	if (decoded && out && X509_NAME_print_ex(out, decoded, 0, XN_FLAG_RFC2253) > 0) {
		made_len = BIO_get_mem_data(out, &made);
		snprintf(text, size, "%.*s", (int)made_len, made);
	}
	BIO_free(out);
	X509_NAME_free(decoded);
	ERR_clear_error();
}

void kt_anchor_describe(const struct kt_anchor *anchor, struct kt_anchor_text *ret_text)
{
	struct kt_der_view subject = {anchor->subject, anchor->subject_len};
	const char *wrong;
	struct kt_scan scan;

	memset(ret_text, 0, sizeof *ret_text);
	wrong = kt_scan_certificate(anchor->der, anchor->der_len, &scan);
	if (!subject.data && !wrong)
		subject = scan.subject;
	print_name(subject.data, subject.len, ret_text->subject, sizeof ret_text->subject);
	if (wrong)
		return;
	/* The scan checked the form and no more: what is no date stays 0. */
	(void)kt_scan_seconds(scan.not_before, &ret_text->not_before);
	(void)kt_scan_seconds(scan.not_after, &ret_text->not_after);
}
