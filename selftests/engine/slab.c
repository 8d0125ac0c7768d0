/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of one size: whole, zeroed, their own, and used again. */
#include "../harness.h"

#include <stdint.h>
#include <string.h>

#include "../../src/engine/slab.h"

#define SIZE  800
#define COUNT 1000 /* of several chunks */

FIXTURE(slab)
{
	struct kt_slab slab;
	uint8_t *objects[COUNT];
};

FIXTURE_SETUP(slab)
{
	kt_slab_init(&self->slab, SIZE);
	for (int i = 0; i < COUNT; i++) {
		self->objects[i] = kt_slab_take(&self->slab);
		ASSERT_NE(NULL, self->objects[i]);
	}
}

FIXTURE_TEARDOWN(slab)
{
	for (int i = 0; i < COUNT; i++)
		kt_slab_give(&self->slab, self->objects[i]);
	kt_slab_fini(&self->slab);
}

TEST_F(slab, objects_do_not_overlap)
{
	uint8_t expected[SIZE];

	for (int i = 0; i < COUNT; i++)
		memset(self->objects[i], i, SIZE);
	for (int i = 0; i < COUNT; i++) {
		memset(expected, i, SIZE);
		ASSERT_EQ(0, memcmp(expected, self->objects[i], SIZE));
	}
}

TEST_F(slab, objects_are_aligned_and_zeroed_each_time)
{
	const uint8_t zeros[SIZE] = {0};

	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < COUNT; i++) {
			ASSERT_EQ(0, (uintptr_t)self->objects[i] % 16);
			ASSERT_EQ(0, memcmp(zeros, self->objects[i], SIZE));
			memset(self->objects[i], 0xff, SIZE);
		}
		for (int i = 0; i < COUNT; i++)
			kt_slab_give(&self->slab, self->objects[i]);
		for (int i = 0; i < COUNT; i++)
			self->objects[i] = kt_slab_take(&self->slab);
	}
}

#ifndef __SANITIZE_ADDRESS__
TEST_F(slab, what_is_given_is_taken_again)
{
	void *chunks = self->slab.chunks;

	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < COUNT; i++)
			kt_slab_give(&self->slab, self->objects[i]);
		for (int i = 0; i < COUNT; i++)
			self->objects[i] = kt_slab_take(&self->slab);
	}
	EXPECT_EQ(chunks, self->slab.chunks);
}
#endif

TEST_HARNESS_MAIN
