/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing PROXY headers. Beside not reading astray: what is taken begins like a header and is as
 * long as it says; the same header without its last byte is refused, whatever its TLVs are;
 * addresses come in pairs of one family.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/engine/proxy_v2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

/* Every way to have seen only the beginning so far. */
static void require_beginnings(const uint8_t *data)
{
	for (size_t len = 0; len <= KT_PROXY_PREFIX_LEN; len++)
		require(kt_proxy_may_begin(data, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_proxy_ends ends, none;
	sa_family_t family;

	if (kt_proxy_parse(data, size, &ends))
		return 0;
	require(size >= KT_PROXY_PREFIX_LEN);
	require_beginnings(data);
	require(kt_proxy_rest_len(data) == size - KT_PROXY_PREFIX_LEN);
	family = ends.source.sa.sa_family;
	require(family == AF_UNSPEC || family == AF_INET || family == AF_INET6);
	require(ends.destination.sa.sa_family == family);
	require(kt_proxy_parse(data, size - 1, &none) != 0);
	return 0;
}
