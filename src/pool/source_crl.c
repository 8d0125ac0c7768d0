/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRLs from a file, as PEM or DER. Always strictly, whatever the options say of certificates: a CRL
 * that is left out lets in whom it revokes.
 */
#include "gather.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "pem.h"
#include "scan.h"

static const char *date(int64_t seconds, char text[static 32])
{
	time_t at = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(text, "?");
	return text;
}

/* Both ends belong to the time it speaks for. */
static int judge(const struct kt_gather *gather, const struct kt_scan_crl *crl, const char *where,
		 unsigned int line, struct kt_error *error)
{
	const struct kt_source_options *options = gather->options;
	int64_t now = options->now ? options->now : (int64_t)time(NULL);
	char text[32];

	if (crl->this_update > now)
		kt_gather_note(gather, ESTALE, where, line,
			       "this CRL is of %s, which has not come yet (is the clock right?)",
			       date(crl->this_update, text));
	if (crl->next_update >= now)
		return 0;
	if (options->crl_policy != KT_CRL_WARN)
		return kt_error_set(error, ESTALE, where, line,
				    "a newer CRL was due by %s (fetch it; or, for a while, allow "
				    "this one by the policy for CRLs)",
				    date(crl->next_update, text));
	kt_gather_note(gather, ESTALE, where, line,
		       "a newer CRL was due by %s; what this one says still holds (fetch it)",
		       date(crl->next_update, text));
	return 0;
}

static int add_crl(struct kt_gather *gather, const uint8_t *der, size_t len, const char *where,
		   unsigned int line, struct kt_error *error)
{
	struct kt_scan_crl crl = {.next_update = INT64_MAX};
	struct kt_scan certificate;
	int ret;

	if (!kt_scan_certificate(der, len, &certificate))
		return kt_error_set(error, EOPNOTSUPP, where, line,
				    "a certificate among CRLs (put it into a file of its own and "
				    "name that file:PATH)");
	ret = kt_anchor_set_add_crl(gather->set, der, len, where, line, error);
	if (ret == 0 && !kt_scan_crl(der, len, &crl)) {
		gather->found++;
		ret = judge(gather, &crl, where, line, error);
	}
	return ret;
}

static int add_blocks(struct kt_gather *gather, const struct kt_content *content, const char *where,
		      struct kt_error *error)
{
	struct kt_pem *pem =
		kt_pem_new(content->bytes.items, content->bytes.count, where, KT_PEM_CRL);
	struct kt_pem_block block;
	int ret;

	if (!pem)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	while ((ret = kt_pem_next(pem, &block, error)) > 0) {
		ret = add_crl(gather, block.der, block.der_len, where, block.line, error);
		if (ret)
			break;
	}
	kt_pem_free(pem);
	return ret;
}

int kt_source_add_crl(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	struct kt_content content;
	int ret = kt_content_read(AT_FDCWD, rest, rest, &content, error);

	if (ret)
		return ret;
	if (kt_gather_is_der(&content))
		ret = kt_gather_each_der(gather, &content, rest, add_crl, error);
	else
		ret = add_blocks(gather, &content, rest, error);
	kt_content_free(&content, ret);
	if (ret == 0 && gather->found == 0)
		return kt_error_set(
			error, ENODATA, rest, 0,
			"no CRL in it (expected: PEM, -----BEGIN X509 CRL-----, or DER)");
	return ret;
}
