/* SPDX-License-Identifier: BSD-2-Clause */
/* What a search for paths may cost: bytes of names gone through, whatever the chain. */
#include "../../src/verify/path.h"

#include <stdlib.h>

#include "../harness.h"
#include "../lib/der_writer.h"
#include "../lib/pki.h"

#define PART(literal) ((struct der_part){literal, sizeof(literal) - 1})
#define ECDSA_SHA256  PART("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define P256_HEAD                                                                                  \
	"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01" \
	"\x07\x03\x42\x00\x04"
#define P256_LEN (sizeof P256_HEAD - 1 + 64)

#define OTHERS (KT_CHAIN_MAX - 1)
#define LONG   10500 /* bytes of a name: 340 KB in a chain of 16 */

/* A chain that nobody signed, as it comes from a peer. */
FIXTURE(path)
{
	struct pki *pki;
	struct kt_snapshot *snapshot;
	struct kt_signer *signer;
	struct der *der;
	struct kt_cert certs[KT_CHAIN_MAX];
	size_t count;
	struct kt_path_search search;
};

FIXTURE_SETUP(path)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	const struct pki_cert *root;

	self->pki = pki_new();
	root = pki_make_ca(self->pki, NULL, "Root");
	ASSERT_NE(NULL, set);
	ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, "", 0, NULL));
	ASSERT_EQ(0, kt_snapshot_build(set, "path", "made", 1, &self->snapshot, NULL));
	kt_anchor_set_free(set);
	self->signer = kt_signer_new(NULL);
	self->der = calloc(KT_CHAIN_MAX, sizeof *self->der);
	ASSERT_TRUE(self->signer && self->der);
}

FIXTURE_TEARDOWN(path)
{
	free(self->der);
	kt_signer_free(self->signer);
	kt_snapshot_free(self->snapshot);
	pki_free(self->pki);
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* CN: "aaa…", its last letters the number in the digits low and high. */
static void name_of(struct der *der, size_t len, unsigned int number, const char digits[static 2])
{
	char *text = malloc(len);
	size_t name, set, pair;

	ASSERT_NE(NULL, text);
	memset(text, 'a', len);
	for (size_t i = 0; i < 8; i++)
		text[len - 1 - i] = digits[number >> i & 1];
	der->len = 0;
	name = der_open(der, 0x30);
	set = der_open(der, 0x31);
	pair = der_open(der, 0x30);
	der_put(der, 0x06, "\x55\x04\x03", 3);
	der_put(der, 0x0c, text, len);
	der_close(der, pair);
	der_close(der, set);
	der_close(der, name);
	free(text);
}

static struct der_part part_of(const struct der *der)
{
	return (struct der_part){der->bytes, der->len};
}

static void add(FIXTURE_DATA(path) * self, const struct der *issuer, const struct der *subject)
{
	static struct der tbs;
	size_t at = self->count++;
	struct der *der = &self->der[at];
	uint8_t spki[P256_LEN];
	const struct der_certificate form = {.version = 3,
					     .serial = PART("\x01"),
					     .algorithm = ECDSA_SHA256,
					     .issuer = part_of(issuer),
					     .not_before = "700101000000Z",
					     .not_after = "20700101000000Z",
					     .subject = part_of(subject),
					     .spki = {spki, sizeof spki}};

	memset(spki, (int)at, sizeof spki);
	memcpy(spki, P256_HEAD, sizeof P256_HEAD - 1);
	tbs.len = der->len = 0;
	der_tbs(&tbs, &form);
	der_signed(der, part_of(&tbs), ECDSA_SHA256, PART("nobody's"));
	ASSERT_STREQ(NULL, kt_cert_read(der->bytes, der->len, &self->certs[at]));
}

/* Each has names of numbers of its own; as the digits say, all are equal, or none. */
static void add_all(FIXTURE_DATA(path) * self, size_t len, const char digits[static 2])
{
	static struct der issuer, subject;

	for (unsigned int i = 0; i < KT_CHAIN_MAX; i++) {
		name_of(&issuer, len, 2 * i, digits);
		name_of(&subject, len, 2 * i + 1, digits);
		add(self, &issuer, &subject);
	}
}

static bool refuse(struct kt_path_search *search, const struct kt_path *path, void *context)
{
	(void)search;
	(void)path;
	(void)context;
	return false;
}

static struct kt_finding search(FIXTURE_DATA(path) * self)
{
	const struct kt_path_input input = {.snapshot = self->snapshot,
					    .leaf = &self->certs[0],
					    .others = &self->certs[1],
					    .other_count = self->count - 1,
					    .time = pki_now(),
					    .path_max = KT_PATH_MAX,
					    .signer = self->signer,
					    .attempt = refuse};

	/* Nothing of another search counts. */
	memset(&self->search, 0xee, sizeof self->search);
	return kt_path_search(&self->search, &input);
}

/* ---- What it costs --------------------------------------------------------------------------- */

/* The leaf's issuer, and each of the others: hashed once, though each is asked for twice. */
TEST_F(path, a_name_is_hashed_once)
{
	struct kt_finding finding;

	add_all(self, LONG, "ab");
	finding = search(self);
	EXPECT_EQ(KT_RULE_NO_ISSUER, finding.rule);
	EXPECT_EQ(2 * OTHERS, self->search.links);
	/* And looked up in the snapshot, twice. */
	EXPECT_EQ((1 + OTHERS + 2) * self->certs[0].issuer.len, self->search.name_bytes);
}

/* Equal but for the case of a letter, so that hashes tell nothing apart: each issued each. */
TEST_F(path, long_names_end_the_search)
{
	struct kt_finding finding;

	add_all(self, LONG, "aA");
	finding = search(self);
	EXPECT_EQ(KT_RULE_TOO_MANY_LINKS, finding.rule);
	EXPECT_LE(self->search.name_bytes, (size_t)KT_NAME_BYTES_MAX);
	EXPECT_GT(self->search.name_bytes,
		  (size_t)KT_NAME_BYTES_MAX - 2 * self->certs[0].issuer.len);
}

/* The links are what ends a maze of certificates with ordinary names. */
TEST_F(path, honest_names_do_not_end_the_search)
{
	struct kt_finding finding;

	add_all(self, 60, "aA");
	finding = search(self);
	EXPECT_FALSE(kt_is_fine(finding));
	EXPECT_EQ(KT_LINKS_MAX, self->search.links);
	EXPECT_LT(self->search.name_bytes, (size_t)KT_NAME_BYTES_MAX);
}

TEST_HARNESS_MAIN
