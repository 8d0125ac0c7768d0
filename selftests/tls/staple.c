/* SPDX-License-Identifier: BSD-2-Clause */
/* OCSP responses: which are taken, which are refused and why, and when they are sent. */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a responder says: of the leaf, unless it is about another. */
struct answer {
	const struct pki_cert *about;
	struct pki_ocsp ocsp;
};

FIXTURE(staple)
{
	struct pki *pki;
	const struct pki_cert *ca, *issuer, *leaf, *other, *delegate, *impostor;
	struct kt_credentials *credentials;
	struct kt_error error;
	char path[64];
	uint8_t response[8192];
	size_t len;
	int64_t now;
};

FIXTURE_VARIANT(staple)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(staple, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(staple, tls12){.version = KT_TLS_1_2};

FIXTURE_SETUP(staple)
{
	const struct pki_options signer = {.cn = "responder", .eku = "OCSPSigning"};
	int fd;

	self->pki = pki_new();
	self->ca = pki_make_ca(self->pki, NULL, "CA");
	self->issuer = pki_make_ca(self->pki, self->ca, "Issuer");
	self->leaf = pki_make_leaf(self->pki, self->issuer, "leaf", "leaf.test", "serverAuth");
	self->other = pki_make_leaf(self->pki, self->issuer, "other", "leaf.test", "serverAuth");
	self->delegate = pki_make(self->pki, self->issuer, &signer);
	self->impostor = pki_make(self->pki, self->ca, &signer);
	self->credentials = credentials_of(self->leaf);
	self->now = pki_now();
	strcpy(self->path, "/tmp/ktrust-ocsp-XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(staple)
{
	unlink(self->path);
	kt_credentials_put(self->credentials);
	pki_free(self->pki);
}

static void write_response(FIXTURE_DATA(staple) * self, size_t len)
{
	FILE *file = fopen(self->path, "w");

	ASSERT_TRUE(file != NULL);
	ASSERT_EQ(len, fwrite(self->response, 1, len, file));
	fclose(file);
}

static void make_response(FIXTURE_DATA(staple) * self, const struct answer *answer)
{
	const struct pki_cert *about = answer->about ? answer->about : self->leaf;
	struct pki_der der = pki_make_ocsp(about, about->issuer, &answer->ocsp);

	ASSERT_LT(der.len, sizeof self->response);
	memcpy(self->response, der.data, der.len);
	self->len = der.len;
	free(der.data);
	write_response(self, self->len);
}

static int load(FIXTURE_DATA(staple) * self, struct answer answer)
{
	make_response(self, &answer);
	memset(&self->error, 0, sizeof self->error);
	return kt_credentials_staple(self->credentials, self->path, &self->error);
}

/* ---- Loading -------------------------------------------------------------------------------- */

static void expect_refused(FIXTURE_DATA(staple) * self, struct answer answer, const char *words)
{
	struct kt_credentials_info info;

	EXPECT_EQ(-EBADMSG, load(self, answer));
	EXPECT_STREQ(self->path, self->error.where);
	EXPECT_TRUE(strstr(self->error.text, words) != NULL)
	{
		TH_LOG("%s", self->error.text);
	}
	kt_credentials_describe(self->credentials, &info);
	EXPECT_FALSE(info.stapled);
}

TEST_F(staple, by_the_issuer_is_taken)
{
	struct kt_credentials_info before, after;

	kt_credentials_describe(self->credentials, &before);
	ASSERT_EQ(0, load(self, (struct answer){0}));
	kt_credentials_describe(self->credentials, &after);
	EXPECT_TRUE(after.stapled);
	EXPECT_EQ(pki_now() - 60, after.this_update);
	EXPECT_EQ(pki_now() + 3600, after.next_update);
	EXPECT_EQ(0, memcmp(before.fingerprint, after.fingerprint, sizeof before.fingerprint));
	EXPECT_NE(0, memcmp(before.digest, after.digest, sizeof before.digest));
}

TEST_F(staple, by_the_issuers_delegate_is_taken)
{
	EXPECT_EQ(0, load(self, (struct answer){.ocsp.signer = self->delegate}));
}

TEST_F(staple, may_name_the_certificate_by_another_digest)
{
	EXPECT_EQ(0, load(self, (struct answer){.ocsp.digest = "SHA256"}));
}

TEST_F(staple, by_others_is_refused)
{
	expect_refused(self, (struct answer){.ocsp.signer = self->impostor}, "not signed");
	expect_refused(self, (struct answer){.ocsp.signer = self->ca}, "not signed");
	/* certified by the issuer, but not for this */
	expect_refused(self, (struct answer){.ocsp.signer = self->other}, "not signed");
}

TEST_F(staple, about_another_certificate_is_refused)
{
	expect_refused(self, (struct answer){.about = self->other}, "another certificate");
	expect_refused(self, (struct answer){.about = self->issuer, .ocsp.signer = self->ca},
		       "another certificate");
}

TEST_F(staple, that_does_not_say_good_is_refused)
{
	expect_refused(self, (struct answer){.ocsp.status = PKI_OCSP_REVOKED}, "REVOKED");
	expect_refused(self, (struct answer){.ocsp.status = PKI_OCSP_UNKNOWN}, "\"good\"");
	expect_refused(self, (struct answer){.ocsp.refuses = true}, "did not answer");
}

TEST_F(staple, without_an_end_is_refused)
{
	expect_refused(self, (struct answer){.ocsp.no_next_update = true}, "nextUpdate");
	expect_refused(self, (struct answer){.ocsp.this_update = 60, .ocsp.next_update = 60},
		       "nextUpdate");
}

static void expect_bytes_refused(FIXTURE_DATA(staple) * self, size_t len, const char *words)
{
	write_response(self, len);
	EXPECT_EQ(-EBADMSG, kt_credentials_staple(self->credentials, self->path, &self->error));
	EXPECT_TRUE(strstr(self->error.text, words) != NULL)
	{
		TH_LOG("%s", self->error.text);
	}
}

TEST_F(staple, malformed_is_refused)
{
	make_response(self, &(struct answer){0});
	expect_bytes_refused(self, 0, "regular file");
	expect_bytes_refused(self, self->len - 1, "malformed");
	self->response[self->len] = 0;
	expect_bytes_refused(self, self->len + 1, "malformed");
	self->response[self->len / 2] ^= 1;
	write_response(self, self->len);
	EXPECT_EQ(-EBADMSG, kt_credentials_staple(self->credentials, self->path, NULL));
	EXPECT_EQ(-ENOENT, kt_credentials_staple(self->credentials, "/nonexistent/ocsp", NULL));
}

TEST_F(staple, needs_the_issuer_in_the_file)
{
	const struct pki_cert *alone =
		pki_make(self->pki, NULL, &(struct pki_options){.cn = "alone", .dns = {"a.test"}});
	struct kt_credentials *credentials = credentials_of(alone);

	make_response(self, &(struct answer){0});
	EXPECT_EQ(-EBADMSG, kt_credentials_staple(credentials, self->path, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "issuer is not in the chain") != NULL);
	kt_credentials_put(credentials);
}

TEST_F(staple, is_replaced_by_a_later_one_only_if_that_is_right)
{
	struct kt_credentials_info info;

	ASSERT_EQ(0, load(self, (struct answer){0}));
	ASSERT_EQ(0, load(self, (struct answer){.ocsp.next_update = 7200}));
	EXPECT_EQ(-EBADMSG, load(self, (struct answer){.about = self->other}));
	kt_credentials_describe(self->credentials, &info);
	EXPECT_TRUE(info.stapled);
	EXPECT_EQ(pki_now() + 7200, info.next_update);
}

/* ---- Sending -------------------------------------------------------------------------------- */

static int64_t tell_now(void *arg)
{
	return ((FIXTURE_DATA(staple) *)arg)->now;
}

/* How many bytes of the response a client is sent; -1: none. */
static long sent(FIXTURE_DATA(staple) * self, uint16_t version, bool asks)
{
	SSL_CTX *peer = client_context(&(struct client_options){.version = version});
	struct kt_tls_context *context;
	const uint8_t *response = NULL;
	struct client client;
	struct link link;
	long len;

	ASSERT_EQ(0, kt_tls_context_new(
			     &(struct kt_tls_context_options){.credentials = self->credentials,
							      .now = tell_now,
							      .now_arg = self},
			     &context, NULL));
	client_init(&client, peer);
	if (asks)
		SSL_set_tlsext_status_type(client.ssl, TLSEXT_STATUSTYPE_ocsp);
	link_init(&link, &client, context);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	len = SSL_get_tlsext_status_ocsp_resp(client.ssl, &response);
	if (response)
		EXPECT_EQ(0, memcmp(self->response, response, (size_t)len));
	link_fini(&link);
	client_fini(&client);
	kt_tls_context_free(context);
	SSL_CTX_free(peer);
	return len;
}

TEST_F(staple, is_sent_to_those_who_ask)
{
	EXPECT_EQ(-1, sent(self, variant->version, true));
	ASSERT_EQ(0, load(self, (struct answer){0}));
	EXPECT_EQ((long)self->len, sent(self, variant->version, true));
	EXPECT_EQ(-1, sent(self, variant->version, false));
}

TEST_F(staple, is_sent_while_it_holds)
{
	ASSERT_EQ(0, load(self, (struct answer){0}));
	self->now = pki_now() + 3599;
	EXPECT_EQ((long)self->len, sent(self, variant->version, true));
	self->now = pki_now() + 3600;
	EXPECT_EQ(-1, sent(self, variant->version, true));
	/* a clock that is a little behind the responder's */
	self->now = pki_now() - 60 - 300;
	EXPECT_EQ((long)self->len, sent(self, variant->version, true));
	self->now = pki_now() - 60 - 301;
	EXPECT_EQ(-1, sent(self, variant->version, true));
}

TEST_F(staple, is_sent_with_its_own_certificate_only)
{
	struct kt_credentials *list[] = {credentials_of(self->other), self->credentials};
	SSL_CTX *peer = client_context(&(struct client_options){.version = variant->version});
	struct kt_credentials_slot *slot;
	struct kt_tls_context *context;
	struct kt_credentials_set *set;
	const uint8_t *response;
	struct client client;
	struct link link;

	/* The name is the same for both: the first is chosen, which has none. */
	ASSERT_EQ(0, load(self, (struct answer){0}));
	ASSERT_EQ(0, kt_credentials_set_new(list, 2, &set, NULL));
	ASSERT_EQ(0, kt_credentials_slot_new(set, &slot));
	ASSERT_EQ(0, kt_tls_context_new(&(struct kt_tls_context_options){.credentials_slot = slot},
					&context, NULL));
	client_init(&client, peer);
	SSL_set_tlsext_status_type(client.ssl, TLSEXT_STATUSTYPE_ocsp);
	link_init(&link, &client, context);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	EXPECT_EQ(-1, SSL_get_tlsext_status_ocsp_resp(client.ssl, &response));
	link_fini(&link);
	client_fini(&client);
	kt_tls_context_free(context);
	kt_credentials_slot_free(slot);
	kt_credentials_set_put(set);
	kt_credentials_put(list[0]);
	SSL_CTX_free(peer);
}

TEST_HARNESS_MAIN
