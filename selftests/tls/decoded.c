/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates that stay decoded: what libssl is handed, whose are kept, and how many. */
#include "lab.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../../src/tls/decoded.h"

static struct kt_tls_certificates_stats stats_of(const struct kt_tls_certificates *certificates)
{
	struct kt_tls_certificates_stats stats;

	kt_tls_certificates_get_stats(certificates, &stats);
	return stats;
}

/* ---- In handshakes --------------------------------------------------------------------------- */

FIXTURE(handshakes)
{
	struct lab lab;
	struct kt_tls_certificates *certificates;
	struct kt_tls_context *context;
	SSL_CTX *client, *stranger, *expired;
};

FIXTURE_VARIANT(handshakes)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(handshakes, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(handshakes, tls12){.version = KT_TLS_1_2};

static struct kt_tls_context *make_context(const struct lab *lab,
					   struct kt_tls_certificates *certificates)
{
	const struct kt_tls_context_options options = {
		.credentials = lab->credentials,
		.client_auth = KT_CLIENT_AUTH_REQUIRE,
		.pool = lab->pool,
		.certificates = certificates,
	};
	struct kt_tls_context *context;
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_tls_context_new(&options, &context, &error))
	{
		TH_LOG("%s", error.text);
	}
	return context;
}

static SSL_CTX *client_with(const FIXTURE_VARIANT(handshakes) * variant,
			    const struct pki_cert *cert)
{
	return client_context(&(struct client_options){.version = variant->version, .cert = cert});
}

FIXTURE_SETUP(handshakes)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	ASSERT_EQ(0, kt_tls_certificates_new(0, &self->certificates));
	self->context = make_context(&self->lab, self->certificates);
	self->client = client_with(variant, self->lab.client);
	self->stranger = client_with(variant, self->lab.stranger);
	self->expired = client_with(variant, self->lab.expired);
}

FIXTURE_TEARDOWN(handshakes)
{
	SSL_CTX_free(self->client);
	SSL_CTX_free(self->stranger);
	SSL_CTX_free(self->expired);
	kt_tls_context_free(self->context);
	kt_tls_certificates_free(self->certificates);
	lab_fini(&self->lab);
}

static int shake_hands(struct kt_tls_context *context, SSL_CTX *client_context,
		       struct kt_tls_info *ret_info)
{
	struct client client;
	struct link link;
	int status;

	client_init(&client, client_context);
	link_init(&link, &client, context);
	status = link_handshake(&link);
	kt_tls_describe(link.tls, ret_info);
	link_fini(&link);
	client_fini(&client);
	return status;
}

TEST_F(handshakes, accepted_peer_is_decoded_once)
{
	struct kt_tls_info first, second;

	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &first));
	EXPECT_EQ(0, stats_of(self->certificates).hits);
	EXPECT_EQ(1, stats_of(self->certificates).misses);
	EXPECT_EQ(1, stats_of(self->certificates).certificates);
	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &second));
	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &second));
	EXPECT_EQ(2, stats_of(self->certificates).hits);
	EXPECT_EQ(1, stats_of(self->certificates).misses);
	EXPECT_EQ(1, stats_of(self->certificates).inserts);
	EXPECT_STREQ(first.peer, second.peer);
	EXPECT_STREQ(first.verdict.anchor_name, second.verdict.anchor_name);
	EXPECT_TRUE(second.verified);
}

/* What is kept decides nothing: its anchor may have left. */
TEST_F(handshakes, peer_whose_anchor_is_gone_is_refused)
{
	struct kt_tls_info info;

	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &info));
	lab_commit(&self->lab, self->lab.other_ca);
	EXPECT_EQ(KT_TLS_FAILED, shake_hands(self->context, self->client, &info));
	EXPECT_EQ(KT_UNKNOWN_ISSUER, info.verdict.code);
	EXPECT_EQ(1, stats_of(self->certificates).hits);
}

TEST_F(handshakes, refused_peers_are_not_kept)
{
	struct kt_tls_info info;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(KT_TLS_FAILED, shake_hands(self->context, self->stranger, &info));
		EXPECT_EQ(KT_TLS_FAILED, shake_hands(self->context, self->expired, &info));
	}
	EXPECT_EQ(4, stats_of(self->certificates).misses);
	EXPECT_EQ(0, stats_of(self->certificates).hits + stats_of(self->certificates).inserts);
}

TEST_F(handshakes, context_without_them_looks_nowhere)
{
	struct kt_tls_context *context = make_context(&self->lab, NULL);
	struct kt_tls_info info;

	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &info));
	EXPECT_EQ(KT_TLS_DONE, shake_hands(context, self->client, &info));
	EXPECT_EQ(0, stats_of(self->certificates).hits);
	kt_tls_context_free(context);
}

/* Outside of a handshake of ours d2i_X509 is libcrypto's. */
TEST_F(handshakes, others_decode_for_themselves)
{
	struct kt_tls_info info;
	const uint8_t *at;
	uint8_t *der = NULL;
	int len;
	X509 *x509;

	EXPECT_EQ(KT_TLS_DONE, shake_hands(self->context, self->client, &info));
	len = i2d_X509(self->lab.client->x509, &der);
	ASSERT_LT(0, len);
	at = der;
	x509 = d2i_X509(NULL, &at, len);
	EXPECT_EQ(der + len, at);
	EXPECT_EQ(0, X509_cmp(x509, self->lab.client->x509));
	EXPECT_EQ(0, stats_of(self->certificates).hits);
	X509_free(x509);
	OPENSSL_free(der);
}

/* ---- The store ------------------------------------------------------------------------------- */

#define KEPT_MAX 8

FIXTURE(store)
{
	struct pki *pki;
	const struct pki_cert *ca;
	struct kt_tls_certificates *certificates;
};

FIXTURE_SETUP(store)
{
	self->pki = pki_new();
	self->ca = pki_make_ca(self->pki, NULL, "CA");
	ASSERT_EQ(0, kt_tls_certificates_new(KEPT_MAX, &self->certificates));
}

FIXTURE_TEARDOWN(store)
{
	kt_tls_certificates_free(self->certificates);
	pki_free(self->pki);
}

static X509 *find(struct kt_tls_certificates *certificates, const uint8_t *der, size_t len)
{
	struct kt_decoded_look look = {0};
	X509 *x509;

	kt_decoded_begin(certificates, &look);
	x509 = kt_decoded_find(der, len);
	kt_decoded_end();
	return x509;
}

static bool has(struct kt_tls_certificates *certificates, const struct pki_cert *cert)
{
	X509 *x509 = find(certificates, cert->der, cert->der_len);
	bool same = x509 && X509_cmp(x509, cert->x509) == 0;

	X509_free(x509);
	return same;
}

static const struct pki_cert *make(const FIXTURE_DATA(store) * self, int number)
{
	char name[32];

	snprintf(name, sizeof name, "%d.test", number);
	return pki_make(self->pki, self->ca,
			&(struct pki_options){.cn = name, .dns = {name}, .key_of = self->ca});
}

TEST_F(store, finds_the_very_bytes)
{
	uint8_t der[KT_DECODED_BYTES_MAX];
	X509 *x509;

	EXPECT_FALSE(has(self->certificates, self->ca));
	kt_decoded_keep(self->certificates, self->ca->x509);
	kt_decoded_keep(self->certificates, self->ca->x509);
	EXPECT_EQ(1, stats_of(self->certificates).inserts);
	EXPECT_EQ(self->ca->der_len, stats_of(self->certificates).der_bytes);
	EXPECT_TRUE(has(self->certificates, self->ca));
	ASSERT_GE(sizeof der, self->ca->der_len);
	memcpy(der, self->ca->der, self->ca->der_len);
	for (size_t i = 0; i < self->ca->der_len; i++) {
		der[i] ^= 1;
		x509 = find(self->certificates, der, self->ca->der_len);
		EXPECT_EQ(NULL, x509);
		der[i] ^= 1;
	}
	EXPECT_EQ(NULL, find(self->certificates, der, self->ca->der_len - 1));
	EXPECT_EQ(NULL, find(self->certificates, der, 0));
}

TEST_F(store, tells_what_was_missed)
{
	struct kt_decoded_look look = {0};

	kt_decoded_begin(self->certificates, &look);
	EXPECT_EQ(NULL, kt_decoded_find(self->ca->der, self->ca->der_len));
	kt_decoded_end();
	EXPECT_TRUE(look.missed);
	EXPECT_FALSE(kt_decoded_has_key(NULL));
	/* Nobody looks any more. */
	kt_decoded_keep(self->certificates, self->ca->x509);
	EXPECT_EQ(NULL, kt_decoded_find(self->ca->der, self->ca->der_len));
}

TEST_F(store, keeps_so_many)
{
	const struct pki_cert *certs[8 * KEPT_MAX];
	size_t bytes = 0, found = 0;

	for (int i = 0; i < 8 * KEPT_MAX; i++) {
		certs[i] = make(self, i);
		kt_decoded_keep(self->certificates, certs[i]->x509);
	}
	for (int i = 0; i < 8 * KEPT_MAX; i++)
		if (has(self->certificates, certs[i])) {
			found++;
			bytes += certs[i]->der_len;
		}
	EXPECT_EQ(KEPT_MAX, found);
	EXPECT_EQ(KEPT_MAX, stats_of(self->certificates).certificates);
	EXPECT_EQ(bytes, stats_of(self->certificates).der_bytes);
}

TEST_F(store, what_is_used_outlives_what_is_not)
{
	kt_decoded_keep(self->certificates, self->ca->x509);
	for (int i = 0; i < 8 * KEPT_MAX; i++) {
		EXPECT_TRUE(has(self->certificates, self->ca));
		kt_decoded_keep(self->certificates, make(self, i)->x509);
	}
}

/* … and what was used once makes room for what is. */
TEST_F(store, what_is_not_used_any_more_gives_way)
{
	kt_decoded_keep(self->certificates, self->ca->x509);
	for (int i = 0; i < 20; i++)
		EXPECT_TRUE(has(self->certificates, self->ca));
	for (int i = 0; has(self->certificates, self->ca) && i < 2; i++)
		for (int number = 0; number < 16 * KEPT_MAX; number++) {
			const struct pki_cert *cert = make(self, number);

			kt_decoded_keep(self->certificates, cert->x509);
			has(self->certificates, cert);
		}
	EXPECT_FALSE(has(self->certificates, self->ca));
}

TEST_F(store, large_ones_are_not_kept)
{
	static char text[KT_DECODED_BYTES_MAX];
	const struct pki_cert *large;

	snprintf(text, sizeof text, "1.2.3.4=0c82%04x", KT_DECODED_BYTES_MAX / 4);
	memset(text + strlen(text), '6', (size_t)KT_DECODED_BYTES_MAX / 2);
	large = pki_make(self->pki, self->ca,
			 &(struct pki_options){.cn = "large", .raw = {text, text, text, text}});
	ASSERT_LT(KT_DECODED_BYTES_MAX, large->der_len);
	kt_decoded_keep(self->certificates, large->x509);
	EXPECT_EQ(0, stats_of(self->certificates).inserts);
	EXPECT_FALSE(has(self->certificates, large));
}

TEST_F(store, reference_outlives_its_place)
{
	X509 *x509;

	kt_decoded_keep(self->certificates, self->ca->x509);
	x509 = find(self->certificates, self->ca->der, self->ca->der_len);
	ASSERT_NE(NULL, x509);
	kt_tls_certificates_free(self->certificates);
	self->certificates = NULL;
	EXPECT_EQ(0, X509_cmp(x509, self->ca->x509));
	X509_free(x509);
}

TEST_F(store, number_has_its_limits)
{
	struct kt_tls_certificates *certificates = NULL;

	EXPECT_EQ(-EINVAL, kt_tls_certificates_new((1u << 20) + 1, &certificates));
	EXPECT_EQ(NULL, certificates);
	kt_tls_certificates_free(NULL);
}

/* ---- Threads --------------------------------------------------------------------------------- */

#define THREADS 4
#define CERTS	(4 * KEPT_MAX)
#define ROUNDS	200

struct crowd {
	struct kt_tls_certificates *certificates;
	const struct pki_cert *certs[CERTS];
	unsigned int wrong;
};

/* As libssl decodes it: each handshake for itself. */
static void keep_own(struct kt_tls_certificates *certificates, const struct pki_cert *cert)
{
	const uint8_t *der = cert->der;
	X509 *x509 = d2i_X509(NULL, &der, (long)cert->der_len);

	kt_decoded_keep(certificates, x509);
	X509_free(x509);
}

static void *find_and_keep(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < ROUNDS * CERTS; i++) {
		const struct pki_cert *cert = crowd->certs[i * 7 % CERTS];
		X509 *x509 = find(crowd->certificates, cert->der, cert->der_len);

		if (!x509)
			keep_own(crowd->certificates, cert);
		else if (X509_cmp(x509, cert->x509))
			__atomic_add_fetch(&crowd->wrong, 1, __ATOMIC_RELAXED);
		X509_free(x509);
	}
	return NULL;
}

TEST_F_TIMEOUT(store, is_shared_by_threads, 60)
{
	struct crowd crowd = {.certificates = self->certificates};
	struct kt_tls_certificates_stats stats;
	pthread_t threads[THREADS];

	for (int i = 0; i < CERTS; i++)
		crowd.certs[i] = make(self, i);
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, find_and_keep, &crowd));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stats = stats_of(self->certificates);
	EXPECT_EQ(0, crowd.wrong);
	EXPECT_EQ(THREADS * ROUNDS * CERTS, stats.hits + stats.misses);
	EXPECT_LT(0, stats.hits);
	EXPECT_GE(KEPT_MAX, stats.certificates);
}

TEST_HARNESS_MAIN
