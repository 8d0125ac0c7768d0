/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the manifest reader, and the check of a state file.
 *
 * A text that is taken has one form only: what is written from its fields is the same text, up to
 * the signature. A state that is taken is within its bounds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/pool/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void try_state(const uint8_t *data, size_t size)
{
	static struct kt_store_state state;

	memset(&state, 0, sizeof state);
	memcpy(&state, data, size < sizeof state ? size : sizeof state);
	if (kt_store_state_check(&state, "clients"))
		return;
	require(state.count <= KT_HISTORY_MAX + 1 && state.last <= state.floor);
	for (uint32_t i = 0; i < state.count; i++)
		require(state.images[i].version && state.images[i].version <= state.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[KT_MANIFEST_MAX + 1];
	struct kt_manifest made;
	struct kt_error error = {0};

	try_state(data, size);
	if (kt_manifest_parse((const char *)data, size, "fuzz", &made, &error)) {
		require(error.err == EBADMSG && error.line <= 7);
		return 0;
	}
	require(made.epoch && made.signed_len <= size);
	require(made.has_signature == (made.signed_len < size));
	require(kt_manifest_write(&made, NULL, text, NULL) == 0);
	require(strlen(text) == made.signed_len && !memcmp(text, data, made.signed_len));
	return 0;
}
