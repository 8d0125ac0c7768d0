/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the parser of certdata.txt.
 *
 * Beside not reading astray: a refused text hands out no root and names a line that it has; what is
 * handed out is what was counted: whole certificates, in the order of their lines, with printable
 * labels.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/nss.h>

#include "../../src/pool/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct kt_nss_counts counts;
	unsigned int line;
};

static void require(bool what)
{
	if (!what)
		abort();
}

static unsigned int count_lines(const char *text, size_t len)
{
	unsigned int lines = len > 0 && text[len - 1] != '\n';

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

static void check_label(const char *label)
{
	for (const unsigned char *c = (const unsigned char *)label; *c; c++)
		require(*c >= 0x20 && *c != 0x7f && *c != 0xc0 && *c != 0xc1 && *c < 0xf5);
}

static int see(const struct kt_nss_root *root, void *arg)
{
	const struct kt_constraints *limits = &root->constraints;
	bool limited = limits->distrust_after != KT_DISTRUST_NEVER || limits->permitted_dns;
	bool trusted = root->trust == KT_NSS_TRUSTED;
	struct seen *seen = arg;
	struct kt_scan scan;

	require(kt_scan_certificate(root->der, root->der_len, &scan) == NULL);
	require(kt_der_equal(scan.subject, (struct kt_der_view){root->subject, root->subject_len}));
	require(root->line > seen->line);
	require(limits->purposes == (trusted ? KT_PURPOSE_SERVER : 0));
	require((root->trust == KT_NSS_UNKNOWN_CONSTRAINT) <= (root->reason[0] != '\0'));
	check_label(root->label);
	seen->line = root->line;
	seen->counts.certificates++;
	seen->counts.trusted += trusted;
	seen->counts.constrained += trusted && limited;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct kt_error error = {0};
	struct kt_nss_counts counts;
	struct seen seen = {0};

	if (kt_nss_parse(text, size, "fuzz", see, &seen, &counts, &error)) {
		require(seen.counts.certificates == 0);
		require(error.line <= count_lines(text, size));
		require(error.err == EBADMSG ? error.line > 0 : error.err == ENODATA);
		return 0;
	}
	require(counts.certificates > 0 && counts.certificates == seen.counts.certificates);
	require(counts.trusted == seen.counts.trusted);
	require(counts.constrained == seen.counts.constrained);
	return 0;
}
