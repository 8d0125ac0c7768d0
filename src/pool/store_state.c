/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of a state file. For hostile bytes. */
#include "store.h"

#include <stddef.h>
#include <string.h>

#include "digest.h"
#include "image.h"

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		if (at[i])
			return false;
	return true;
}

static const char *check_head(const struct kt_store_state *state, const char *pool)
{
	size_t len = strlen(pool);

	if (memcmp(state->magic, KT_STORE_MAGIC, sizeof state->magic))
		return "this is no state file";
	if (state->byte_order != KT_IMAGE_BYTE_ORDER)
		return "it was written by a host of the other byte order";
	if (state->format != KT_STORE_FORMAT)
		return "its format is of another version of ktrust";
	if (memcmp(state->pool, pool, len) || !is_zero(state->pool + len, sizeof state->pool - len))
		return "it is of another pool";
	return NULL;
}

static const char *check_images(const struct kt_store_state *state)
{
	uint64_t above = state->last;

	if (state->count > KT_HISTORY_MAX + 1)
		return "it names too many images";
	for (uint32_t i = 0; i < state->count; i++) {
		const struct kt_store_image *image = &state->images[i];

		if (!image->version || image->version > above || image->epoch > state->epoch)
			return "its images are not in order";
		above = image->version - 1;
	}
	if (!is_zero(&state->images[state->count],
		     (KT_HISTORY_MAX + 1 - state->count) * sizeof state->images[0]))
		return "there is something behind its last image";
	return NULL;
}

const char *kt_store_state_check(const struct kt_store_state *state, const char *pool)
{
	const char *why = check_head(state, pool);

	if (why)
		return why;
	if (state->floor < state->last || state->floor > UINT64_MAX / 2 || state->clean > 1 ||
	    (state->clean && state->floor != state->last))
		return "its counter makes no sense";
	if (!state->epoch != is_zero(state->epoch_digest, sizeof state->epoch_digest))
		return "its epoch makes no sense";
	return check_images(state);
}

int kt_store_state_sum(const struct kt_store_state *state, uint8_t ret_sum[KT_DIGEST_LEN])
{
	const struct kt_der_view all = {(const uint8_t *)state,
					offsetof(struct kt_store_state, checksum)};
	struct kt_digest digest;
	int ret = kt_digest_init(&digest);

	if (ret)
		return ret;
	ret = kt_digest_of(&digest, &all, 1, ret_sum);
	kt_digest_fini(&digest);
	return ret;
}
