/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many connections while the pool is swapped: every byte arrives, and each connection carries the
 * version it was verified under.
 *
 * KT_SOAK_CONNECTIONS says how many (200). The pool's odd versions hold CA "A", the even ones "A"
 * and "B": who comes with a certificate of B must have been verified under an even version, and
 * nobody under a version that was gone before he came or published after he was in.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <openssl/evp.h>

#define CONNECTIONS 200
#define CLIENTS	    4 /* threads */
#define DATA_MAX    40000

FIXTURE(soak)
{
	struct rig rig;
	SSL_CTX *contexts[4]; /* TLS 1.3 and 1.2, with certificates of A and B */
	pthread_t backend, swapper;
	atomic_bool stop;
	_Atomic uint64_t version; /* published last */
	_Atomic unsigned int next;
	unsigned int connections;
	_Atomic uint64_t accepted, refused, bytes;
};

FIXTURE_VARIANT(soak)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(soak, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(soak, ktls){.ktls = KT_KTLS_AUTO};

/* ---- Backend: answers with the digest of what it got ----------------------------------------- */

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	uint8_t buf[16384], digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned int len = 0;
	ssize_t n;

	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
		EVP_DigestUpdate(md, buf, (size_t)n);
	EVP_DigestFinal_ex(md, digest, &len);
	EVP_MD_CTX_free(md);
	if (!n)
		send(fd, digest, len, MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	int listening = *(int *)arg, fd;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		ASSERT_EQ(0, pthread_create(&thread, &attr, serve_one, (void *)(intptr_t)fd));
	pthread_attr_destroy(&attr);
	return NULL;
}

/* ---- Swapper --------------------------------------------------------------------------------- */

static uint64_t publish(FIXTURE_DATA(soak) * self, bool with_b)
{
	const struct pki_cert *a = self->rig.lab.ca, *b = self->rig.lab.other_ca;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_pool_change change;

	ASSERT_EQ(0, kt_anchor_set_add_der(set, a->der, a->der_len, "", 0, NULL));
	if (with_b)
		ASSERT_EQ(0, kt_anchor_set_add_der(set, b->der, b->der_len, "", 0, NULL));
	ASSERT_EQ(0, kt_pool_commit(self->rig.lab.pool, set, "soak", &change, NULL));
	kt_anchor_set_free(set);
	return change.new_version;
}

static void *swap(void *arg)
{
	FIXTURE_DATA(soak) *self = arg;

	while (!atomic_load(&self->stop)) {
		uint64_t version = atomic_load(&self->version) + 1;

		ASSERT_EQ(version, publish(self, version % 2 == 0));
		atomic_store(&self->version, version);
		/* not faster than connections come */
		for (unsigned int at = atomic_load(&self->next), turns = 0;
		     atomic_load(&self->next) < at + 3 && !atomic_load(&self->stop);)
			if (!wait_a_moment(&turns))
				break;
	}
	return NULL;
}

/* ---- Clients --------------------------------------------------------------------------------- */

struct lookup {
	uint16_t port; /* network byte order */
	unsigned int found;
	struct kt_conn_info info;
};

static void look(const struct kt_conn_info *info, void *arg)
{
	struct lookup *lookup = arg;

	if (((const struct sockaddr_in *)&info->peer.addr)->sin_port != lookup->port)
		return;
	lookup->found++;
	lookup->info = *info;
}

static struct lookup look_up(FIXTURE_DATA(soak) * self, int fd)
{
	struct lookup lookup = {0};
	struct sockaddr_in mine;
	socklen_t len = sizeof mine;

	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&mine, &len));
	lookup.port = mine.sin_port;
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, look, &lookup));
	return lookup;
}

static void expect_version(FIXTURE_DATA(soak) * self, const struct peer *peer, bool of_b,
			   uint64_t before)
{
	struct lookup lookup = look_up(self, peer->fd);
	/* what is being published now is not counted yet */
	uint64_t after = atomic_load(&self->version) + 1, version;

	ASSERT_EQ(1, lookup.found);
	version = lookup.info.verdict.pool_version;
	EXPECT_TRUE(lookup.info.verified);
	EXPECT_LE(before, version);
	EXPECT_GE(after, version);
	if (of_b)
		EXPECT_EQ(0, version % 2);
	EXPECT_STREQ(of_b ? "Other CA" : "Client CA", lookup.info.verdict.anchor_name);
}

/* In TLS 1.3 the client does not know yet: it waits until it is listed, or its socket readable. */
static bool is_in(FIXTURE_DATA(soak) * self, const struct peer *peer)
{
	struct pollfd refusal = {.fd = peer->fd, .events = POLLIN};

	while (!look_up(self, peer->fd).found)
		if (poll(&refusal, 1, 1) > 0)
			return false;
	return true;
}

/* True: the client was in, and heard the digest of what it said. */
static bool converse(FIXTURE_DATA(soak) * self, struct peer *peer, unsigned int number, bool of_b,
		     uint64_t before)
{
	uint8_t data[DATA_MAX], mine[EVP_MAX_MD_SIZE], theirs[EVP_MAX_MD_SIZE];
	size_t size = 1 + number * 7919u % DATA_MAX;
	unsigned int len = 0;
	ssize_t n;

	if (peer_handshake(peer) != 1)
		return false;
	pattern(data, size, 0, (uint8_t)number);
	ASSERT_EQ((int)size, SSL_write(peer->client.ssl, data, (int)size));
	/* refused clients of TLS 1.3 learn it now, perhaps by a reset while they send */
	while ((n = BIO_read(peer->client.out, data, sizeof data)) > 0)
		if (send(peer->fd, data, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
	if (!is_in(self, peer))
		return false;
	expect_version(self, peer, of_b, before);
	SSL_shutdown(peer->client.ssl);
	while ((n = BIO_read(peer->client.out, data, sizeof data)) > 0)
		if (send(peer->fd, data, (size_t)n, MSG_NOSIGNAL) != n)
			return false;
	n = peer_read(peer, theirs, sizeof theirs);
	if (n < 0)
		return false;
	pattern(data, size, 0, (uint8_t)number);
	ASSERT_EQ(1, EVP_Digest(data, size, mine, &len, EVP_sha256(), NULL));
	ASSERT_EQ(len, n);
	ASSERT_EQ(0, memcmp(mine, theirs, len));
	EXPECT_EQ(PEER_CLOSED, peer_read(peer, theirs, 1));
	atomic_fetch_add(&self->bytes, size);
	return true;
}

static void visit(FIXTURE_DATA(soak) * self, unsigned int number)
{
	bool of_b = number % 3 == 0;
	uint64_t before = atomic_load(&self->version);
	struct peer peer;

	peer_connect(&peer, &self->rig, self->contexts[number % 2 + (of_b ? 2 : 0)]);
	if (converse(self, &peer, number, of_b, before)) {
		atomic_fetch_add(&self->accepted, 1);
	} else {
		EXPECT_TRUE(of_b);
		atomic_fetch_add(&self->refused, 1);
	}
	peer_fini(&peer);
}

static void *visit_all(void *arg)
{
	FIXTURE_DATA(soak) *self = arg;
	unsigned int number;

	while ((number = atomic_fetch_add(&self->next, 1)) < self->connections)
		visit(self, number);
	return NULL;
}

/* ---- The test -------------------------------------------------------------------------------- */

FIXTURE_SETUP(soak)
{
	const char *wanted = getenv("KT_SOAK_CONNECTIONS");

	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .workers = 2});
	self->connections = wanted ? (unsigned int)strtoul(wanted, NULL, 10) : CONNECTIONS;
	for (int i = 0; i < 4; i++)
		self->contexts[i] = client_context(&(struct client_options){
			.version = i % 2 ? KT_TLS_1_2 : KT_TLS_1_3,
			.cert = i / 2 ? self->rig.lab.stranger : self->rig.lab.client});
	atomic_store(&self->version, 1);
}

FIXTURE_TEARDOWN(soak)
{
	for (int i = 0; i < 4; i++)
		SSL_CTX_free(self->contexts[i]);
	rig_fini(&self->rig);
}

/* 0 where there is no such counter. */
static uint64_t tls_stat(const char *name)
{
	FILE *file = fopen("/proc/net/tls_stat", "r");
	unsigned long long value = 0, found = 0;
	char key[64];

	if (!file)
		return 0;
	while (fscanf(file, "%63s %llu", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

static void add_version(const char *pool, uint64_t version, uint64_t count, void *arg)
{
	(void)pool;
	(void)version;
	*(uint64_t *)arg += count;
}

TEST_F_TIMEOUT(soak, every_connection_carries_its_version_and_all_bytes_arrive, 3000)
{
	uint64_t tx = tls_stat("TlsTxSw"), rx = tls_stat("TlsRxSw"), by_version = 0;
	uint64_t errors = tls_stat("TlsDecryptError");
	struct kt_engine_stats stats;
	pthread_t clients[CLIENTS];

	ASSERT_EQ(0, pthread_create(&self->backend, NULL, serve, &self->rig.backend));
	ASSERT_EQ(0, pthread_create(&self->swapper, NULL, swap, self));
	for (int i = 0; i < CLIENTS; i++)
		ASSERT_EQ(0, pthread_create(&clients[i], NULL, visit_all, self));
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	atomic_store(&self->stop, true);
	pthread_join(self->swapper, NULL);
	WAIT_UNTIL(!rig_stats(&self->rig).live && !rig_stats(&self->rig).handshaking);
	stats = rig_stats(&self->rig);
	shutdown(self->rig.backend, SHUT_RDWR);
	pthread_join(self->backend, NULL);

	TH_LOG("%llu accepted, %llu refused, %llu versions",
	       (unsigned long long)stats.handshakes_ok, (unsigned long long)stats.handshakes_failed,
	       (unsigned long long)atomic_load(&self->version));
	EXPECT_EQ(self->connections, stats.accepted);
	EXPECT_EQ(atomic_load(&self->accepted), stats.handshakes_ok);
	EXPECT_EQ(atomic_load(&self->refused), stats.handshakes_failed);
	EXPECT_EQ(atomic_load(&self->refused), rig_outcomes(&self->rig, "unknown_issuer"));
	EXPECT_EQ(atomic_load(&self->accepted), rig_ends(&self->rig, "closed"));
	EXPECT_EQ(atomic_load(&self->bytes), stats.bytes_in);
	EXPECT_EQ(atomic_load(&self->accepted) * 32, stats.bytes_out);
	kt_engine_each_version(self->rig.engine, add_version, &by_version);
	EXPECT_EQ(stats.handshakes_ok, by_version);
	if (variant->ktls == KT_KTLS_AUTO) {
		EXPECT_EQ(stats.handshakes_ok, stats.ktls_tx);
		EXPECT_EQ(stats.handshakes_ok, stats.ktls_rx);
		EXPECT_EQ(stats.ktls_tx, tls_stat("TlsTxSw") - tx);
		EXPECT_EQ(stats.ktls_rx, tls_stat("TlsRxSw") - rx);
		EXPECT_EQ(errors, tls_stat("TlsDecryptError"));
	}
}

TEST_HARNESS_MAIN
