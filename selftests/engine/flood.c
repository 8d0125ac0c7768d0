/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that sends records without content, as many as it can, on a socket whose records are the
 * kernel's: it is ended, and those who have the same worker are served (watchdog.h). What can be
 * shown of it without kTLS is in watchdog.c.
 */
#include "../../src/engine/ring.h"
#include "rig.h"

#include <dirent.h>
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
	/*
	 * The first come one by one, until io_uring gives the read to a thread of the kernel, where
	 * it keeps nobody but who would send to that client: the backend does.
	 */
	bool spaced;
};

FIXTURE_VARIANT_ADD(flood, tls13){.version = KT_TLS_1_3, .address = "127.0.0.1:0"};
FIXTURE_VARIANT_ADD(flood, tls12){.version = KT_TLS_1_2, .address = "127.0.0.1:0"};
FIXTURE_VARIANT_ADD(flood, ipv6){.version = KT_TLS_1_3, .address = "[::1]:0"};
FIXTURE_VARIANT_ADD(flood, ipv4_on_ipv6){.version = KT_TLS_1_3, .address = ":0"};
FIXTURE_VARIANT_ADD(flood, spaced){.version = KT_TLS_1_3, .address = "127.0.0.1:0", .spaced = true};
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

#define SPACED 200 /* records; after 128 (APOLL_MAX_RETRY) the read is given away */

static void send_spaced(FIXTURE_DATA(flood) * self)
{
	size_t len = self->len / RECORDS;

	for (int i = 0; i < SPACED; i++) {
		send_all(self->flooder.fd, self->records + self->sent, len);
		self->sent += len;
		usleep(5000);
	}
}

TEST_F(flood, does_not_keep_others_waiting)
{
	unsigned int served = 0;
	char byte;

	if (variant->spaced)
		send_spaced(self);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, send_them, self));
	while (!is_through(self, variant->mixed)) {
		if (variant->spaced)
			(void)!send(self->backend_of_flooder, "z", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
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

/* ---- Many clients, a thread of the kernel for each ------------------------------------------- */

#define CROWD	   (KT_RING_THREADS + 8)
#define ROUNDS_MAX 1000
#define MORE	   40 /* rounds; when some reads have a thread each, the others are not far behind */

struct member {
	struct peer peer;
	int backend;
	struct kt_traffic traffic;
};

FIXTURE(crowd)
{
	struct rig rig;
	SSL_CTX *context;
	struct member members[CROWD];
};

FIXTURE_SETUP(crowd)
{
	if (!test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = KT_KTLS_REQUIRE,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	for (size_t i = 0; i < CROWD; i++) {
		struct member *member = &self->members[i];
		uint8_t record[RECORD_MAX];

		member->backend = meet(&self->rig, self->context, &member->peer);
		keys_of_client(&member->peer.client, &member->traffic);
		record_seal(&member->traffic, &member->traffic.rx, KT_RECORD_DATA, "x", 1, record);
	}
}

FIXTURE_TEARDOWN(crowd)
{
	for (size_t i = 0; i < CROWD; i++) {
		peer_fini(&self->members[i].peer);
		close(self->members[i].backend);
	}
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void send_record(struct member *member, const char *data, size_t len)
{
	uint8_t record[RECORD_MAX];

	send_all(member->peer.fd, record,
		 record_seal(&member->traffic, &member->traffic.rx, KT_RECORD_DATA, data, len,
			     record));
}

/* Of this process, in which the engine is. */
static unsigned int kernel_threads(void)
{
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	unsigned int count = 0;

	ASSERT_NE(NULL, tasks);
	while ((entry = readdir(tasks))) {
		char path[sizeof "/proc/self/task//comm" + sizeof entry->d_name], name[32] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof name, file))
			count += strncmp(name, "iou-wrk-", 8) == 0;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return count;
}

TEST_F(crowd, has_so_many_threads_and_is_heard_when_they_are_free)
{
	struct member *last = &self->members[CROWD - 1];
	unsigned int most = 0;
	char byte;

	for (int round = 0, more = 0; round < ROUNDS_MAX && more < MORE; round++) {
		unsigned int count;

		for (size_t i = 0; i < CROWD; i++)
			send_record(&self->members[i], "", 0);
		count = kernel_threads();
		most = count > most ? count : most;
		more += most >= KT_RING_THREADS;
	}
	EXPECT_EQ(KT_RING_THREADS, most);
	for (size_t i = 0; i < CROWD - 1; i++)
		ASSERT_EQ(0, shutdown(self->members[i].peer.fd, SHUT_RDWR));
	send_record(last, "z", 1);
	recv_exactly(last->backend, &byte, 1);
	EXPECT_EQ('z', byte);
}

TEST_HARNESS_MAIN
