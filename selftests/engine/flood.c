/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that sends records without content, as many as it can, on a socket whose records are the
 * kernel's: it is ended, and those who have the same worker are served (watchdog.h). What can be
 * shown of it without kTLS is in watchdog.c; one by one they come in threads.c.
 */
#include "rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

/* 7 MB of them, of which a kernel opens some hundred a millisecond when emulated. */
#define RECORDS	   300000
#define RECORD_LEN 40 /* bytes, at most */

FIXTURE(flood)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer bystander, flooder;
	int backend, backend_of_flooder;
	uint8_t *records;
	size_t len;
	size_t sent;
	size_t came;
	int err;	   /* that ended it; 0: all was sent */
	_Atomic bool over; /* one of both */
	pthread_t thread;
};

FIXTURE_VARIANT(flood)
{
	uint16_t version;
	const char *address;
	bool mixed; /* now and then one has a byte, and the read ends with it at times */
};

FIXTURE_VARIANT_ADD(flood, tls13){.version = KT_TLS_1_3, .address = "127.0.0.1:0"};
FIXTURE_VARIANT_ADD(flood, tls12){.version = KT_TLS_1_2, .address = "127.0.0.1:0"};
FIXTURE_VARIANT_ADD(flood, ipv6){.version = KT_TLS_1_3, .address = "[::1]:0"};
FIXTURE_VARIANT_ADD(flood, ipv4_on_ipv6){.version = KT_TLS_1_3, .address = ":0"};
FIXTURE_VARIANT_ADD(flood, mixed){.version = KT_TLS_1_3, .address = "127.0.0.1:0", .mixed = true};

/* One that is served: a byte has come through. */
static int meet(struct rig *rig, SSL_CTX *context, struct peer *peer)
{
	int backend;
	char byte;

	peer_connect(peer, rig, context);
	ASSERT_EQ(1, peer_handshake(peer));
	backend = rig_accept(rig);
	peer_write(peer, "x", 1);
	recv_exactly(backend, &byte, 1);
	return backend;
}

static void seal_all(FIXTURE_DATA(flood) * self, bool mixed)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];

	self->records = malloc((size_t)RECORDS * RECORD_LEN);
	ASSERT_NE(NULL, self->records);
	keys_of_client(&self->flooder.client, &traffic);
	/* the one that it has sent */
	record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x", 1, record);
	for (unsigned int i = 0; i < RECORDS; i++) {
		size_t len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x",
					 mixed && i % 1000 == 999, record);

		ASSERT_GE(RECORD_LEN, len);
		memcpy(self->records + self->len, record, len);
		self->len += len;
	}
}

FIXTURE_SETUP(flood)
{
	struct kt_address address;

	if (!test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_address_parse(variant->address, &address, NULL));
	rig_init(&self->rig, &(struct rig_options){.ktls = KT_KTLS_REQUIRE,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .address = &address});
	self->context = client_context(&(struct client_options){.version = variant->version,
								.cert = self->rig.lab.client});
	self->backend = meet(&self->rig, self->context, &self->bystander);
	self->backend_of_flooder = meet(&self->rig, self->context, &self->flooder);
	seal_all(self, variant->mixed);
}

FIXTURE_TEARDOWN(flood)
{
	peer_fini(&self->bystander);
	peer_fini(&self->flooder);
	close(self->backend);
	close(self->backend_of_flooder);
	free(self->records);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void *send_them(void *arg)
{
	FIXTURE_DATA(flood) *self = arg;

	while (self->sent < self->len && !self->err) {
		ssize_t n = send(self->flooder.fd, self->records + self->sent,
				 self->len - self->sent, MSG_NOSIGNAL);

		if (n < 0)
			self->err = errno;
		else
			self->sent += (size_t)n;
	}
	self->over = true;
	return NULL;
}

/* Since Linux 6.6 its socket can be made deaf in the middle of a read. */
static bool is_stoppable(void)
{
	unsigned int major, minor;
	struct utsname name;

	ASSERT_EQ(0, uname(&name));
	ASSERT_EQ(2, sscanf(name.release, "%u.%u", &major, &minor));
	return major > 6 || (major == 6 && minor >= 6);
}

/* Of a mixed one all content has come; sending it is over long before. */
static bool is_through(FIXTURE_DATA(flood) * self, bool mixed)
{
	char bytes[512];
	ssize_t n;

	if (!mixed || rig_ends(&self->rig, "empty_record_flood"))
		return self->over && rig_ends(&self->rig, "empty_record_flood");
	n = recv(self->backend_of_flooder, bytes, sizeof bytes, MSG_DONTWAIT);
	self->came += n > 0 ? (size_t)n : 0;
	return self->over && self->came >= RECORDS / 1000;
}

TEST_F(flood, does_not_keep_others_waiting)
{
	unsigned int served = 0;
	char byte;

	ASSERT_EQ(0, pthread_create(&self->thread, NULL, send_them, self));
	while (!is_through(self, variant->mixed)) {
		peer_write(&self->bystander, "y", 1);
		recv_exactly(self->backend, &byte, 1);
		ASSERT_EQ('y', byte);
		served++;
	}
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	if (variant->mixed) {
		EXPECT_TRUE(served > 10 || rig_ends(&self->rig, "empty_record_flood"));
		return;
	}
	/* it was reset, long before all was taken */
	if (is_stoppable()) {
		EXPECT_TRUE(self->err == ECONNRESET || self->err == EPIPE);
		EXPECT_LT(self->sent, self->len);
	}
	EXPECT_EQ(1, rig_ends(&self->rig, "empty_record_flood"));
	EXPECT_EQ(1, rig_stats(&self->rig).live);
}

TEST_HARNESS_MAIN
