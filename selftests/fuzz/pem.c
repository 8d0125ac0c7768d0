/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the PEM reader, down to the set.
 *
 * Beside not reading astray: a refused text leaves the set as it was and names a line that the
 * text has; an accepted one gives at least one certificate, and the same ones a second time; and
 * the image built of them passes the check.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/pool/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void build_and_check(const struct kt_anchor_set *set)
{
	struct kt_snapshot *snapshot;
	struct kt_snapshot_info info;

	require(kt_snapshot_build(set, "fuzz", "", 1, &snapshot, NULL) == 0);
	kt_snapshot_describe(snapshot, &info);
	require(info.anchors == kt_anchor_set_count(set));
	require(kt_image_check(snapshot, info.image_len, NULL) == 0);
	kt_snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_error error = {0};
	size_t count;

	require(set != NULL);
	if (kt_anchor_set_add_pem(set, text, size, "fuzz", &error)) {
		require(kt_anchor_set_count(set) == 0);
		require(error.line <= count_lines(text, size));
		require(error.err != 0 && error.text[0]);
	} else {
		count = kt_anchor_set_count(set);
		require(count > 0);
		require(kt_anchor_set_add_pem(set, text, size, "fuzz", NULL) == 0);
		require(kt_anchor_set_count(set) == count);
		build_and_check(set);
	}
	kt_anchor_set_free(set);
	return 0;
}
