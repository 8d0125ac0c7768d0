/* SPDX-License-Identifier: BSD-2-Clause */
/* The same content under another version. */
#include "inside.h"

#include <string.h>
#include <time.h>

#include "digest.h"
#include "image.h"
#include "memory.h"

static int rewrite(struct kt_snapshot *image, const struct kt_snapshot *from, uint64_t version)
{
	struct kt_digest digest;
	struct timespec now;
	int ret;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(image, from, from->image_len);
	image->version = version;
	image->created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	ret = kt_digest_init(&digest);
	if (ret)
		return ret;
	ret = kt_image_checksum(&digest, image, image->checksum);
	kt_digest_fini(&digest);
	return ret;
}

int kt_snapshot_renumber(const struct kt_snapshot *snapshot, uint64_t version,
			 struct kt_snapshot **ret_snapshot)
{
	const size_t len = snapshot->image_len;
	void *bytes;
	int ret = kt_memory_new(len, &bytes);

	if (ret)
		return ret;
	ret = kt_memory_freeze(bytes, len, rewrite(bytes, snapshot, version));
	if (ret == 0)
		*ret_snapshot = bytes;
	return ret;
}
