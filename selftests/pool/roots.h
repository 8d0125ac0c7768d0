/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Roots for the tests of the pool: few real ones from pki.h, and as many as a test wants from one
 * template, since the pool checks no signatures.
 *
 * A failure of what only prepares a test ends it. One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_ROOTS_H
#define KTRUST_SELFTESTS_POOL_ROOTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/pool.h>

#include "../harness.h"
#include "../lib/pki.h"

#define ROOT_NAME "Root 00000000"

struct roots {
	struct pki *pki;
	uint8_t *template; /* a root with the name ROOT_NAME */
	size_t template_len;
	size_t number_at; /* of the digits within it, in issuer and subject */
	size_t number_at_subject;
	size_t key_at; /* of a byte of the public key */
};

static inline size_t roots_find(const struct roots *roots, size_t from, const void *what,
				size_t len)
{
	const uint8_t *found =
		memmem(roots->template + from, roots->template_len - from, what, len);

	ASSERT_NE(NULL, found);
	return (size_t)(found - roots->template);
}

static inline void roots_init(struct roots *roots)
{
	const struct pki_cert *root;
	size_t prefix = strlen("Root ");

	roots->pki = pki_new();
	root = pki_make_ca(roots->pki, NULL, ROOT_NAME);
	roots->template = malloc(root->der_len);
	ASSERT_NE(NULL, roots->template);
	memcpy(roots->template, root->der, root->der_len);
	roots->template_len = root->der_len;
	roots->number_at = prefix + roots_find(roots, 0, ROOT_NAME, strlen(ROOT_NAME));
	roots->number_at_subject =
		prefix + roots_find(roots, roots->number_at, ROOT_NAME, strlen(ROOT_NAME));
	/* Behind the curve's name come BIT STRING, its length, 00 04, and the point. */
	roots->key_at = 14 + roots_find(roots, roots->number_at_subject,
					"\x2a\x86\x48\xce\x3d\x03\x01\x07", 8);
}

static inline void roots_fini(struct roots *roots)
{
	free(roots->template);
	pki_free(roots->pki);
}

/* The template with this number as its name; valid until the next call. */
static inline const uint8_t *roots_numbered(struct roots *roots, unsigned int number)
{
	char digits[9];

	snprintf(digits, sizeof digits, "%08u", number % 100000000u);
	memcpy(roots->template + roots->number_at, digits, 8);
	memcpy(roots->template + roots->number_at_subject, digits, 8);
	return roots->template;
}

/* The same name, but another key. */
static inline const uint8_t *roots_keyed(struct roots *roots, unsigned int number, unsigned int key)
{
	roots_numbered(roots, number);
	memcpy(roots->template + roots->key_at, &key, sizeof key);
	return roots->template;
}

static inline void add_der(struct kt_anchor_set *set, const uint8_t *der, size_t len)
{
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_anchor_set_add_der(set, der, len, "test", 1, &error))
	{
		TH_LOG("%s", error.text);
	}
}

static inline void add_cert(struct kt_anchor_set *set, const struct pki_cert *cert)
{
	add_der(set, cert->der, cert->der_len);
}

/* Roots number first to last, the latter included. */
static inline struct kt_anchor_set *roots_set(struct roots *roots, unsigned int first,
					      unsigned int last)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	ASSERT_NE(NULL, set);
	for (unsigned int i = first; i <= last; i++)
		add_der(set, roots_numbered(roots, i), roots->template_len);
	return set;
}

static inline struct kt_snapshot *build(const struct kt_anchor_set *set, uint64_t version)
{
	struct kt_snapshot *snapshot = NULL;
	struct kt_error error = {0};

	ASSERT_EQ(0,
		  kt_snapshot_build(set, "clients", "file:roots.pem", version, &snapshot, &error))
	{
		TH_LOG("%s", error.text);
	}
	return snapshot;
}

#endif
