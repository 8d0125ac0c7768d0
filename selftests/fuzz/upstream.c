/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing what proxies answer. The first byte chooses the kind of proxy, whether there is a login,
 * and how long reads are; the rest is the answer. Beside not reading astray: it is decided within
 * KT_UPSTREAM_READ_MAX bytes, a failure has a name and a success has none, what is read is what was
 * wanted, and reading byte by byte comes to the same after the same number of bytes.
 */
#include <string.h>

#include "../../src/engine/upstream_proxy.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns how many bytes were read. */
static size_t talk(struct kt_upstream *upstream, uint8_t how, size_t longest, const uint8_t *data,
		   size_t size)
{
	static const struct kt_upstream_login login = {"user", "password"};
	size_t read = 0;

	require(!kt_upstream_begin(upstream, how & 1 ? KT_UPSTREAM_SOCKS5 : KT_UPSTREAM_HTTP,
				   how & 2 ? "2001:db8::1" : "www.example.org", 443,
				   how & 4 ? &login : NULL));
	while (read < size && upstream->status == KT_UPSTREAM_AGAIN) {
		const uint8_t *said;
		size_t want = kt_upstream_want(upstream);

		require(want > 0);
		kt_upstream_sent(upstream, kt_upstream_output(upstream, &said));
		want = want < longest ? want : longest;
		want = want < size - read ? want : size - read;
		require(kt_upstream_input(upstream, data + read, want) == upstream->status);
		read += want;
	}
	require(read <= KT_UPSTREAM_READ_MAX + 4);
	require((upstream->status == KT_UPSTREAM_FAILED) == (upstream->failure != NULL));
	require(!memchr(kt_upstream_detail(upstream), '\n', strlen(upstream->detail)));
	return read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_upstream whole, bytes;
	size_t read;

	if (!size)
		return 0;
	read = talk(&whole, data[0], SIZE_MAX, data + 1, size - 1);
	/* What failed may have done so before the end of what was read at once. */
	if (whole.status == KT_UPSTREAM_FAILED)
		require(talk(&bytes, data[0], 1, data + 1, size - 1) <= read);
	else
		require(talk(&bytes, data[0], 1, data + 1, size - 1) == read);
	require(whole.status == bytes.status && whole.failure == bytes.failure);
	return 0;
}
