/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every tampered byte of a valid chain is refused, with every cache warm; and no tampered CRL takes
 * back what a good one says.
 */
#include <stdlib.h>

#include <ktrust/verify.h>
#include <openssl/x509.h>

#include "../harness.h"
#include "../lib/pki.h"

#define TIMES_TO_WARM 3 /* a chain is kept the second time it is seen */

enum { OWN, BOTH, MODES };

FIXTURE(tamper)
{
	struct pki *pki;
	const struct pki_cert *root, *intermediate, *leaf;
	struct kt_snapshot *snapshot;
	struct kt_verify_cache *caches[MODES];
	struct kt_verifier *verifiers[MODES];
	struct kt_der sent[2];
	struct kt_chain chain;
	struct kt_query query;
};

FIXTURE_VARIANT(tamper)
{
	enum pki_key key;
};

FIXTURE_VARIANT_ADD(tamper, p256){.key = PKI_P256};
FIXTURE_VARIANT_ADD(tamper, rsa2048){.key = PKI_RSA2048};
FIXTURE_VARIANT_ADD(tamper, ed25519){.key = PKI_ED25519};

static struct kt_snapshot *snapshot_with(const struct pki_cert *root, const struct pki_der *crls,
					 size_t count)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;
	bool taken = true;

	ASSERT_NE(NULL, set);
	ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, "made", 0, NULL));
	for (size_t i = 0; i < count && taken; i++)
		taken = !kt_anchor_set_add_crl(set, crls[i].data, crls[i].len, "made", 0, NULL);
	if (taken)
		ASSERT_EQ(0, kt_snapshot_build(set, "test", "made", 1, &snapshot, NULL));
	kt_anchor_set_free(set);
	return taken ? snapshot : NULL;
}

static enum kt_verdict_code ask(FIXTURE_DATA(tamper) * self, int mode,
				const struct kt_snapshot *snapshot)
{
	struct kt_verdict verdict;

	return kt_verify(self->verifiers[mode], snapshot, &self->chain, &self->query, &verdict);
}

static void warm(FIXTURE_DATA(tamper) * self, const struct kt_snapshot *snapshot,
		 enum kt_verdict_code wanted)
{
	for (int mode = 0; mode < MODES; mode++)
		for (int i = 0; i < TIMES_TO_WARM; i++)
			ASSERT_EQ(wanted, ask(self, mode, snapshot));
}

static void make_verifiers(FIXTURE_DATA(tamper) * self)
{
	static const enum kt_verifier_mode modes[] = {KT_VERIFIER_OWN, KT_VERIFIER_BOTH};

	for (int mode = 0; mode < MODES; mode++) {
		struct kt_verifier_options options = {.mode = modes[mode]};

		ASSERT_EQ(0, kt_verify_cache_new(NULL, &self->caches[mode]));
		options.cache = self->caches[mode];
		self->verifiers[mode] = kt_verifier_new(&options);
		ASSERT_NE(NULL, self->verifiers[mode]);
	}
}

FIXTURE_SETUP(tamper)
{
	self->pki = pki_new();
	self->root = pki_make(self->pki, NULL,
			      &(struct pki_options){.cn = "Root", .ca = true, .key = variant->key});
	self->intermediate = pki_make(
		self->pki, self->root,
		&(struct pki_options){.cn = "Intermediate", .ca = true, .key = variant->key});
	self->leaf = pki_make(self->pki, self->intermediate,
			      &(struct pki_options){.cn = "good.test",
						    .dns = {"good.test"},
						    .eku = "serverAuth",
						    .key = variant->key});
	self->snapshot = snapshot_with(self->root, NULL, 0);
	make_verifiers(self);
	self->sent[0] = (struct kt_der){self->leaf->der, self->leaf->der_len};
	self->sent[1] = (struct kt_der){self->intermediate->der, self->intermediate->der_len};
	self->chain = (struct kt_chain){self->sent, 2};
	/* The profile that asks for less */
	self->query = (struct kt_query){.role = KT_ROLE_SERVER,
					.time = pki_now(),
					.name_type = KT_NAME_DNS,
					.name = "good.test",
					.policy = {.profile = KT_PROFILE_RFC5280}};
	warm(self, self->snapshot, KT_ACCEPTED);
}

FIXTURE_TEARDOWN(tamper)
{
	for (int mode = 0; mode < MODES; mode++) {
		kt_verifier_free(self->verifiers[mode]);
		kt_verify_cache_free(self->caches[mode]);
	}
	kt_snapshot_free(self->snapshot);
	pki_free(self->pki);
}

/* ---- What a byte becomes ----------------------------------------------------------------------
 */

#define WAYS 4

static uint8_t tampered(uint8_t byte, int way)
{
	const uint8_t ways[WAYS] = {byte ^ 0x01, byte ^ 0x40, 0x00, 0xff};

	return ways[way];
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	ASSERT_NE(NULL, copy);
	memcpy(copy, data, len);
	return copy;
}

/* ---- Certificates -----------------------------------------------------------------------------
 */

static void expect_refused(FIXTURE_DATA(tamper) * self, size_t cert, size_t at)
{
	for (int mode = 0; mode < MODES; mode++)
		EXPECT_NE(KT_ACCEPTED, ask(self, mode, self->snapshot))
		{
			TH_LOG("certificate %zu, byte %zu, mode %d", cert, at, mode);
		}
}

static void tamper_with(FIXTURE_DATA(tamper) * self, size_t cert)
{
	struct kt_der good = self->sent[cert];
	uint8_t *bytes = copy_of(good.data, good.len);

	self->sent[cert].data = bytes;
	for (size_t at = 0; at < good.len; at++) {
		for (int way = 0; way < WAYS; way++) {
			bytes[at] = tampered(good.data[at], way);
			if (bytes[at] != good.data[at])
				expect_refused(self, cert, at);
		}
		bytes[at] = good.data[at];
	}
	/* The same bytes at another place are the same chain. */
	warm(self, self->snapshot, KT_ACCEPTED);
	self->sent[cert] = good;
	free(bytes);
}

TEST_F_TIMEOUT(tamper, every_byte_of_the_leaf_counts, 60)
{
	struct kt_verify_cache_stats stats;

	tamper_with(self, 0);
	kt_verify_cache_get_stats(self->caches[OWN], &stats);
	EXPECT_LE(TIMES_TO_WARM, stats.chain_hits);
	/* The intermediate's signature was known each time. */
	EXPECT_LE(100, stats.signature_hits);
}

TEST_F_TIMEOUT(tamper, every_byte_of_the_intermediate_counts, 60)
{
	tamper_with(self, 1);
}

TEST_F_TIMEOUT(tamper, cut_or_lengthened_certificate_is_refused, 60)
{
	for (size_t cert = 0; cert < 2; cert++) {
		struct kt_der good = self->sent[cert];
		uint8_t *bytes = malloc(good.len + 1);

		ASSERT_NE(NULL, bytes);
		memcpy(bytes, good.data, good.len);
		bytes[good.len] = 0;
		for (size_t len = 0; len <= good.len + 1; len++) {
			self->sent[cert] = (struct kt_der){bytes, len};
			if (len != good.len)
				expect_refused(self, cert, len);
		}
		self->sent[cert] = good;
		free(bytes);
	}
}

/* ---- CRLs -------------------------------------------------------------------------------------
 */

/* What asks about a snapshot with the good CRL's answer and its signature in the caches. */
struct revocation {
	struct pki_der good; /* lists the leaf */
	struct kt_snapshot *snapshot;
};

static void revocation_init(struct revocation *revocation, FIXTURE_DATA(tamper) * self)
{
	revocation->good =
		pki_make_crl(self->intermediate, &(struct pki_crl){.revoked = {self->leaf}});
	revocation->snapshot = snapshot_with(self->root, &revocation->good, 1);
	ASSERT_NE(NULL, revocation->snapshot);
	warm(self, revocation->snapshot, KT_REVOKED);
}

static void revocation_fini(struct revocation *revocation)
{
	kt_snapshot_free(revocation->snapshot);
	free(revocation->good.data);
}

/* Under another name it says nothing of the leaf. */
static bool has_crl_of(const struct kt_snapshot *snapshot, const struct pki_cert *issuer)
{
	const uint8_t *name;
	struct kt_crl crl;
	size_t len, cursor = 0;

	ASSERT_EQ(1, X509_NAME_get0_der(X509_get_subject_name(issuer->x509), &name, &len));
	return !kt_snapshot_find_crl(snapshot, name, len, &cursor, &crl);
}

static void expect_no_pardon(FIXTURE_DATA(tamper) * self, struct pki_der crl, struct pki_der good)
{
	const struct pki_der crls[] = {crl, good};
	struct kt_snapshot *alone = snapshot_with(self->root, crls, 1);
	struct kt_snapshot *beside = alone ? snapshot_with(self->root, crls, 2) : NULL;

	for (int mode = 0; mode < MODES && alone; mode++) {
		if (has_crl_of(alone, self->intermediate))
			EXPECT_NE(KT_ACCEPTED, ask(self, mode, alone));
		EXPECT_EQ(KT_REVOKED, ask(self, mode, beside));
	}
	kt_snapshot_free(alone);
	kt_snapshot_free(beside);
}

TEST_F_TIMEOUT(tamper, no_byte_of_a_crl_pardons, 60)
{
	struct revocation revocation;
	struct pki_der crl;

	revocation_init(&revocation, self);
	crl = (struct pki_der){copy_of(revocation.good.data, revocation.good.len),
			       revocation.good.len};
	for (size_t at = 0; at < crl.len; at++) {
		for (int way = 0; way < WAYS; way++) {
			crl.data[at] = tampered(revocation.good.data[at], way);
			if (crl.data[at] != revocation.good.data[at])
				expect_no_pardon(self, crl, revocation.good);
		}
		crl.data[at] = revocation.good.data[at];
	}
	free(crl.data);
	revocation_fini(&revocation);
}

TEST_HARNESS_MAIN
