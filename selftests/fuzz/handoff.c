/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing descriptions. Beside not reading astray: what is taken is written again as a text that
 * says the same, and nobody who was not verified has a name.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/handoff/handoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_handoff first, second;
	char text[KT_HANDOFF_TEXT_MAX + 1], again[KT_HANDOFF_TEXT_MAX + 1];
	size_t len;

	if (kt_handoff_read((const char *)data, size, &first))
		return 0;
	require(first.verified || (!first.peer[0] && !first.peer_san[0] && !first.pool_version));
	len = kt_handoff_write(&first, text);
	require(len == strlen(text) && len <= KT_HANDOFF_TEXT_MAX);
	/* An empty text is null when written, which some members must not be. */
	if (!first.listener[0] || !first.cipher[0] || (first.verified && !first.pool[0]))
		return 0;
	require(!kt_handoff_read(text, len, &second));
	kt_handoff_write(&second, again);
	require(!strcmp(text, again));
	return 0;
}
