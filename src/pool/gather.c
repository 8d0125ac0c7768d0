/* SPDX-License-Identifier: BSD-2-Clause */
#include "gather.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ktrust/roots.h>

#include "der.h"
#include "scan.h"

#define NOTED_EACH   16 /* of what is skipped; the rest is only counted */
#define NOT_CAS_EACH 2	/* likewise: nothing failed, and whoever keeps notes keeps a few */

/* ---- Telling and skipping ------------------------------------------------------------------- */

void kt_gather_note(const struct kt_gather *gather, int err, const char *where, unsigned int line,
		    const char *fmt, ...)
{
	struct kt_error what;
	char text[sizeof what.text];
	va_list args;

	if (!gather->options->note)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	kt_error_set(&what, err, where, line, "%s", text);
	gather->options->note(&what, gather->options->note_arg);
}

bool kt_gather_skips(struct kt_gather *gather, const struct kt_error *what)
{
	if (!gather->options->lenient)
		return false;
	gather->skipped++;
	if (gather->skipped <= NOTED_EACH && gather->options->note)
		gather->options->note(what, gather->options->note_arg);
	return true;
}

void kt_gather_sums(const struct kt_gather *gather)
{
	if (gather->skipped)
		kt_gather_note(gather, EBADMSG, gather->source, 0,
			       "%zu certificates or files were skipped, %zu taken", gather->skipped,
			       gather->found);
	if (gather->not_cas > NOT_CAS_EACH)
		kt_gather_note(gather, EINVAL, gather->source, 0,
			       "%zu certificates are no CAs: nobody is verified by them",
			       gather->not_cas);
}

/* ---- Private keys in DER -------------------------------------------------------------------- */

/* The next element's content, also when it was cut. */
static bool enter(struct kt_der_view *in, uint8_t tag, struct kt_der_view *ret_content)
{
	size_t len, bytes = 0;

	if (in->len < 2 || in->data[0] != tag)
		return false;
	len = in->data[1];
	if (len >= 0x80) {
		bytes = len & 0x7f;
		len = 0;
	}
	if (bytes > 4 || in->len < 2 + bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		len = len << 8 | in->data[2 + i];
	*ret_content = (struct kt_der_view){in->data + 2 + bytes, in->len - 2 - bytes};
	if (len < ret_content->len)
		ret_content->len = len;
	*in = (struct kt_der_view){ret_content->data + ret_content->len,
				   in->len - 2 - bytes - ret_content->len};
	return true;
}

/*
 * PKCS #1, PKCS #8, SEC 1 and PKCS #12 begin with a small version number, where a certificate has
 * the part that is signed; encrypted PKCS #8 is an algorithm and an OCTET STRING.
 */
static bool is_private_key(const uint8_t *der, size_t len)
{
	struct kt_der_view in = {der, len}, outer, first;

	if (!enter(&in, KT_DER_SEQUENCE, &outer))
		return false;
	if (enter(&outer, KT_DER_INTEGER, &first))
		return first.len == 1 && first.data[0] <= 3;
	return enter(&outer, KT_DER_SEQUENCE, &first) && kt_der_next_is(&first, KT_DER_OID) &&
	       kt_der_next_is(&outer, KT_DER_OCTET_STRING);
}

/* ---- Certificates --------------------------------------------------------------------------- */

/* What Mozilla limits and distributions list without the limit. */
static void lay_over(const struct kt_roots *roots, const uint8_t *der, size_t len,
		     struct kt_constraints *constraints)
{
	for (size_t i = 0; i < roots->count; i++) {
		const struct kt_root *root = &roots->roots[i];

		if (root->der_len != len || memcmp(root->der, der, len) != 0)
			continue;
		constraints->distrust_after = root->constraints.distrust_after;
		constraints->permitted_dns = root->constraints.permitted_dns;
		return;
	}
}

/* It may be trusted, and vouches for nobody (KT_NOT_A_CA): somebody counts on it in vain. */
static void note_if_no_ca(struct kt_gather *gather, const uint8_t *der, size_t len,
			  const char *where, unsigned int line)
{
	struct kt_scan scan;

	if (!gather->options->note || kt_scan_certificate(der, len, &scan) || kt_scan_is_ca(&scan))
		return;
	gather->not_cas++;
	if (gather->not_cas <= NOT_CAS_EACH)
		kt_gather_note(gather, EINVAL, where, line,
			       "no CA certificate (basicConstraints, keyUsage): nobody is verified "
			       "by it, not even itself (name the CA that issued it)");
}

/* What nobody may skip: it does not belong here, and somebody counts on it. */
static int refuse_for_good(const uint8_t *der, size_t len, const char *where, unsigned int line,
			   struct kt_error *why)
{
	struct kt_scan_crl crl;
	const char *no_crl = kt_scan_crl(der, len, &crl);

	if (is_private_key(der, len))
		return kt_error_set(why, EKEYREJECTED, where, line,
				    "a private key among trust anchors (take it out, and replace "
				    "it if others could read the file)");
	if (!no_crl || kt_scan_crl_is_unsupported(no_crl))
		return kt_error_set(why, EOPNOTSUPP, where, line,
				    "a CRL among certificates (put it into a file of its own and "
				    "name that crl:PATH)");
	return 0;
}

int kt_gather_certificate(struct kt_gather *gather, const uint8_t *der, size_t len,
			  const char *where, unsigned int line, struct kt_error *error)
{
	struct kt_constraints constraints = {gather->purposes, KT_DISTRUST_NEVER, NULL};
	size_t before = kt_anchor_set_count(gather->set);
	struct kt_error why = {0};
	int ret, for_good = 0;

	if (gather->overlay)
		lay_over(gather->overlay, der, len, &constraints);
	ret = kt_anchor_set_add(gather->set, der, len, &constraints, where, line, &why);
	if (ret == 0) {
		gather->found++;
		/* One that came again was noted. */
		if (kt_anchor_set_count(gather->set) > before)
			note_if_no_ca(gather, der, len, where, line);
		return 0;
	}
	if (ret == -EBADMSG || ret == -EFBIG)
		for_good = refuse_for_good(der, len, where, line, &why);
	/* Of limits that contradict each other none may be lost. */
	if ((ret == -EBADMSG || ret == -EFBIG) && !for_good && !constraints.permitted_dns &&
	    kt_gather_skips(gather, &why))
		return 0;
	if (error)
		*error = why;
	return for_good ? for_good : ret;
}
