/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of images: a snapshot that has something of everything, and its bytes.
 *
 * Set-up that fails ends the test. One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_IMAGE_BYTES_H
#define KTRUST_SELFTESTS_POOL_IMAGE_BYTES_H

#include "roots.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/pool/image.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

FIXTURE(image)
{
	struct roots roots;
	struct kt_snapshot *snapshot; /* of three anchors, two of one name and two with limits */
	uint8_t *copy;		      /* of its bytes, to be spoiled */
	size_t len;
};

static inline void limit(struct kt_anchor_set *set, const uint8_t *der, size_t len,
			 const char *names)
{
	const struct kt_constraints constraints = {KT_PURPOSE_SERVER, 1700000000, names};

	ASSERT_EQ(0, kt_anchor_set_add(set, der, len, &constraints, "test", 1, NULL));
}

static inline void add_crls(struct kt_anchor_set *set, struct roots *roots)
{
	const struct pki_cert *ca = pki_make_ca(roots->pki, NULL, "Revoker");

	for (int i = 0; i < 2; i++) {
		struct pki_der crl = pki_make_crl(ca, &(struct pki_crl){.next_update = 1000 + i});

		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crl.data, crl.len, "test", 1, NULL));
		free(crl.data);
	}
}

FIXTURE_SETUP(image)
{
	struct kt_anchor_set *set;

	roots_init(&self->roots);
	set = roots_set(&self->roots, 1, 1);
	limit(set, roots_numbered(&self->roots, 2), self->roots.template_len, "example.org");
	limit(set, roots_keyed(&self->roots, 2, 1), self->roots.template_len,
	      "a.example b.example");
	add_crls(set, &self->roots);
	self->snapshot = build(set, 5);
	kt_anchor_set_free(set);
	self->len = self->snapshot->image_len;
	self->copy = malloc(self->len);
	ASSERT_NE(NULL, self->copy);
	memcpy(self->copy, self->snapshot, self->len);
}

FIXTURE_TEARDOWN(image)
{
	free(self->copy);
	kt_snapshot_free(self->snapshot);
	roots_fini(&self->roots);
}

static inline int memfd_of(const void *bytes, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, write(fd, bytes, len));
	if (seals)
		ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

#endif
