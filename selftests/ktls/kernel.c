/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of a connection in the kernel, for the whole cipher table. */
#include <ktrust/ktls.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define BULK_BYTES 300000

#ifndef EKEYEXPIRED
#define EKEYEXPIRED 127
#endif

/* ---- Keys installed ---------------------------------------------------------------------- */

FIXTURE(ktls)
{
	int fds[2];
	struct kt_traffic_key keys[2]; /* [i]: what fds[i] sends under */
};
FIXTURE_VARIANT(ktls)
{
	uint16_t version;
	enum kt_cipher cipher;
};
FIXTURE_VARIANT_ADD(ktls, tls12_aes_128_gcm){KT_TLS_1_2, KT_AES_128_GCM};
FIXTURE_VARIANT_ADD(ktls, tls13_aes_128_gcm){KT_TLS_1_3, KT_AES_128_GCM};
FIXTURE_VARIANT_ADD(ktls, tls12_aes_256_gcm){KT_TLS_1_2, KT_AES_256_GCM};
FIXTURE_VARIANT_ADD(ktls, tls13_aes_256_gcm){KT_TLS_1_3, KT_AES_256_GCM};
FIXTURE_VARIANT_ADD(ktls, tls12_chacha20_poly1305){KT_TLS_1_2, KT_CHACHA20_POLY1305};
FIXTURE_VARIANT_ADD(ktls, tls13_chacha20_poly1305){KT_TLS_1_3, KT_CHACHA20_POLY1305};

FIXTURE_SETUP(ktls)
{
	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	test_pair(TEST_INET, self->fds);
	for (int i = 0; i < 2; i++) {
		/* The last byte runs over while the bulk goes, and sequences are not 0. */
		self->keys[i] = test_key(0x01020304050607fd + (uint64_t)i);
		ASSERT_EQ(0, kt_ktls_attach(self->fds[i]));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, kt_ktls_install(self->fds[i], KT_TX, variant->version, variant->cipher,
					     &self->keys[i]));
		ASSERT_EQ(0, kt_ktls_install(self->fds[!i], KT_RX, variant->version,
					     variant->cipher, &self->keys[i]));
	}
}

FIXTURE_TEARDOWN(ktls)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

struct flow {
	int from, to;
	uint8_t *sent, *received;
	size_t sent_len, received_len;
};

static struct flow flow_open(int from, int to)
{
	struct flow flow = {
		.from = from,
		.to = to,
		.sent = malloc(BULK_BYTES),
		.received = calloc(1, BULK_BYTES),
	};

	ASSERT_TRUE(flow.sent && flow.received);
	for (size_t at = 0; at < BULK_BYTES; at += 250)
		ASSERT_EQ(250, getrandom(flow.sent + at, 250, 0));
	return flow;
}

static void flow_send(struct flow *flow)
{
	ssize_t len = send(flow->from, flow->sent + flow->sent_len, BULK_BYTES - flow->sent_len,
			   MSG_NOSIGNAL | MSG_DONTWAIT);

	ASSERT_TRUE(len > 0 || (len < 0 && errno == EAGAIN));
	flow->sent_len += len > 0 ? (size_t)len : 0;
}

static void flow_receive(struct flow *flow)
{
	ssize_t len = recv(flow->to, flow->received + flow->received_len,
			   BULK_BYTES - flow->received_len, MSG_DONTWAIT);

	ASSERT_TRUE(len > 0 || (len < 0 && errno == EAGAIN));
	flow->received_len += len > 0 ? (size_t)len : 0;
}

static void flow_pump(struct flow *flow, short from_events, short to_events)
{
	if (from_events & POLLOUT && flow->sent_len < BULK_BYTES)
		flow_send(flow);
	if (to_events & POLLIN && flow->received_len < BULK_BYTES)
		flow_receive(flow);
}

static short wanted(const struct flow *out, const struct flow *in)
{
	return (short)((out->sent_len < BULK_BYTES ? POLLOUT : 0) |
		       (in->received_len < BULK_BYTES ? POLLIN : 0));
}

TEST_F(ktls, bulk_goes_both_ways_at_once)
{
	struct flow there = flow_open(self->fds[0], self->fds[1]);
	struct flow back = flow_open(self->fds[1], self->fds[0]);

	while (there.received_len < BULK_BYTES || back.received_len < BULK_BYTES) {
		struct pollfd pollfds[2] = {
			{.fd = self->fds[0], .events = wanted(&there, &back)},
			{.fd = self->fds[1], .events = wanted(&back, &there)},
		};

		ASSERT_LT(0, poll(pollfds, 2, TEST_LIMIT_MS));
		flow_pump(&there, pollfds[0].revents, pollfds[1].revents);
		flow_pump(&back, pollfds[1].revents, pollfds[0].revents);
	}
	EXPECT_EQ(0, memcmp(there.sent, there.received, BULK_BYTES));
	EXPECT_EQ(0, memcmp(back.sent, back.received, BULK_BYTES));
	free(there.sent);
	free(there.received);
	free(back.sent);
	free(back.received);
}

TEST_F(ktls, alert_is_a_record_between_data)
{
	uint8_t buf[64];
	int type = 0;

	ASSERT_EQ(6, send(self->fds[0], "before", 6, MSG_NOSIGNAL));
	ASSERT_EQ(0, kt_ktls_send_alert(self->fds[0], 2, 80));
	ASSERT_EQ(5, send(self->fds[0], "after", 5, MSG_NOSIGNAL));

	ASSERT_EQ(6, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_DATA, type);
	/* Without room for the type the record is refused, and kept. */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(-1, recv(self->fds[1], buf, sizeof buf, 0));
		EXPECT_EQ(EIO, errno);
	}
	ASSERT_EQ(KT_ALERT_LEN, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_ALERT, type);
	EXPECT_EQ(2, buf[0]);
	EXPECT_EQ(80, buf[1]);
	ASSERT_EQ(5, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_DATA, type);
	EXPECT_EQ(0, memcmp("after", buf, 5));
}

TEST_F(ktls, close_notify_goes_both_ways)
{
	for (int i = 0; i < 2; i++) {
		uint8_t buf[8];
		int type = 0;

		ASSERT_EQ(0, kt_ktls_send_alert(self->fds[i], 1, KT_ALERT_CLOSE_NOTIFY));
		ASSERT_EQ(0, shutdown(self->fds[i], SHUT_WR));
		ASSERT_EQ(KT_ALERT_LEN, test_recv(self->fds[!i], buf, sizeof buf, &type));
		EXPECT_EQ(KT_RECORD_ALERT, type);
		EXPECT_EQ(1, buf[0]);
		EXPECT_EQ(KT_ALERT_CLOSE_NOTIFY, buf[1]);
		EXPECT_EQ(0, test_recv(self->fds[!i], buf, sizeof buf, &type));
	}
}

TEST_F(ktls, other_record_types_come_through)
{
	uint8_t buf[64];
	int type = 0;

	ASSERT_EQ(9, test_send(self->fds[0], "handshake", 9, KT_RECORD_HANDSHAKE));
	ASSERT_EQ(9, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_HANDSHAKE, type);
	EXPECT_EQ(0, memcmp("handshake", buf, 9));
}

TEST_F(ktls, fin_without_close_notify_reads_as_end)
{
	char byte;

	ASSERT_EQ(0, shutdown(self->fds[0], SHUT_WR));
	EXPECT_EQ(0, recv(self->fds[1], &byte, 1, 0));
}

TEST_F(ktls, state_shows_both_directions)
{
	unsigned int bits = 99;

	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(KT_KTLS_TX | KT_KTLS_RX, bits);
}

TEST_F(ktls, alert_on_a_full_socket_is_eagain_and_can_be_repeated)
{
	static uint8_t buf[65536];
	int type = 0;
	ssize_t len;
	int err;

	test_fill(self->fds[0], self->fds[1]);
	ASSERT_EQ(-EAGAIN, kt_ktls_send_alert(self->fds[0], 1, KT_ALERT_CLOSE_NOTIFY));
	test_hear(self->fds[1]);
	while ((err = kt_ktls_send_alert(self->fds[0], 1, KT_ALERT_CLOSE_NOTIFY)) == -EAGAIN) {
		ASSERT_LT(0, test_recv(self->fds[1], buf, sizeof buf, &type));
		ASSERT_EQ(KT_RECORD_DATA, type);
	}
	ASSERT_EQ(0, err);
	do {
		len = test_recv(self->fds[1], buf, sizeof buf, &type);
		ASSERT_LT(0, len);
	} while (type == KT_RECORD_DATA);
	EXPECT_EQ(KT_RECORD_ALERT, type);
	EXPECT_EQ(KT_ALERT_LEN, len);
}

/* Rekey (Linux 6.14) exists for TLS 1.3 only; before it a second key is refused. */
TEST_F(ktls, second_key_is_ebusy_or_a_rekey)
{
	static const uint8_t key_update[] = {24, 0, 0, 1, 0}; /* RFC 8446 §4.6.3, not requested */
	struct kt_traffic_key next = test_key(0);
	uint8_t buf[16];
	int type = 0;

	if (variant->version == KT_TLS_1_2 || !test_kernel_is(6, 14)) {
		for (int direction = KT_TX; direction <= KT_RX; direction++)
			EXPECT_EQ(-EBUSY,
				  kt_ktls_install(self->fds[0], (enum kt_direction)direction,
						  variant->version, variant->cipher, &next));
		return;
	}
	ASSERT_EQ(5, test_send(self->fds[0], key_update, sizeof key_update, KT_RECORD_HANDSHAKE));
	ASSERT_EQ(0, kt_ktls_install(self->fds[0], KT_TX, KT_TLS_1_3, variant->cipher, &next));
	ASSERT_EQ(3, send(self->fds[0], "new", 3, MSG_NOSIGNAL));

	ASSERT_EQ(5, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_HANDSHAKE, type);
	EXPECT_EQ(-EKEYEXPIRED, test_recv(self->fds[1], buf, sizeof buf, &type));
	ASSERT_EQ(0, kt_ktls_install(self->fds[1], KT_RX, KT_TLS_1_3, variant->cipher, &next));
	ASSERT_EQ(3, test_recv(self->fds[1], buf, sizeof buf, &type));
	EXPECT_EQ(0, memcmp("new", buf, 3));
}

/* ---- One end in the kernel, the other plain ---------------------------------------------- */

FIXTURE(ktls_raw)
{
	int fds[2];
	struct kt_traffic_key key;
};
FIXTURE_VARIANT(ktls_raw)
{
	uint16_t version;
	enum kt_cipher cipher;
};
FIXTURE_VARIANT_ADD(ktls_raw, tls12_aes_128_gcm){KT_TLS_1_2, KT_AES_128_GCM};
FIXTURE_VARIANT_ADD(ktls_raw, tls13_aes_256_gcm){KT_TLS_1_3, KT_AES_256_GCM};
FIXTURE_VARIANT_ADD(ktls_raw, tls13_chacha20_poly1305){KT_TLS_1_3, KT_CHACHA20_POLY1305};

FIXTURE_SETUP(ktls_raw)
{
	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	test_pair(TEST_INET, self->fds);
	self->key = test_key(7);
}

FIXTURE_TEARDOWN(ktls_raw)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

static int offload(int fd, enum kt_direction direction, uint16_t version, enum kt_cipher cipher,
		   const struct kt_traffic_key *key)
{
	int err = kt_ktls_attach(fd);

	return err ? err : kt_ktls_install(fd, direction, version, cipher, key);
}

/* The same error again, and no byte delivered. */
static void expect_ebadmsg_for_good(int fd)
{
	char buf[64];

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(-1, recv(fd, buf, sizeof buf, 0));
		EXPECT_EQ(EBADMSG, errno);
	}
}

TEST_F(ktls_raw, forged_record_is_ebadmsg)
{
	static const uint8_t record[5 + 64] = {23, 3, 3, 0, 64, 1, 2, 3};

	ASSERT_EQ(0, offload(self->fds[1], KT_RX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ((ssize_t)sizeof record, send(self->fds[0], record, sizeof record, MSG_NOSIGNAL));
	expect_ebadmsg_for_good(self->fds[1]);
}

TEST_F(ktls_raw, wrong_sequence_number_is_ebadmsg)
{
	struct kt_traffic_key later = self->key;

	later.seq++;
	ASSERT_EQ(0, offload(self->fds[0], KT_TX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ(0, offload(self->fds[1], KT_RX, variant->version, variant->cipher, &later));
	ASSERT_EQ(1, send(self->fds[0], "x", 1, MSG_NOSIGNAL));
	expect_ebadmsg_for_good(self->fds[1]);
}

/* Said once: the next recv waits for ever, so whoever sees it must close. */
TEST_F(ktls_raw, plain_text_is_einval)
{
	static const char text[] = "GET / HTTP/1.0\r\n\r\n";
	char buf[64];

	ASSERT_EQ(0, offload(self->fds[1], KT_RX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ((ssize_t)sizeof text - 1,
		  send(self->fds[0], text, sizeof text - 1, MSG_NOSIGNAL));
	ASSERT_EQ(-1, recv(self->fds[1], buf, sizeof buf, 0));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, recv(self->fds[1], buf, sizeof buf, MSG_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(ktls_raw, records_that_came_before_the_key_are_read)
{
	struct pollfd pollfd = {.fd = self->fds[1], .events = POLLIN};
	char buf[64];

	ASSERT_EQ(0, offload(self->fds[0], KT_TX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ(6, send(self->fds[0], "queued", 6, MSG_NOSIGNAL));
	ASSERT_EQ(1, poll(&pollfd, 1, TEST_LIMIT_MS));
	ASSERT_EQ(0, offload(self->fds[1], KT_RX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ(6, recv(self->fds[1], buf, sizeof buf, 0));
	EXPECT_EQ(0, memcmp("queued", buf, 6));
}

TEST_F(ktls_raw, state_follows_each_step)
{
	unsigned int bits = 99;

	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(0, bits);
	ASSERT_EQ(0, kt_ktls_attach(self->fds[0]));
	bits = 99;
	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(0, bits);
	ASSERT_EQ(0, kt_ktls_install(self->fds[0], KT_RX, variant->version, variant->cipher,
				     &self->key));
	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(KT_KTLS_RX, bits);
	ASSERT_EQ(0, kt_ktls_install(self->fds[0], KT_TX, variant->version, variant->cipher,
				     &self->key));
	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(KT_KTLS_TX | KT_KTLS_RX, bits);
}

/* Before Linux 6.15 only CAP_NET_ADMIN is told what a ULP does. */
TEST_F(ktls_raw, state_without_privilege)
{
	unsigned int bits = 99;

	ASSERT_EQ(0, offload(self->fds[0], KT_TX, variant->version, variant->cipher, &self->key));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	if (test_kernel_is(6, 15)) {
		ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
		EXPECT_EQ(KT_KTLS_TX, bits);
	} else {
		EXPECT_EQ(-EPERM, kt_ktls_state(self->fds[0], &bits));
		EXPECT_EQ(99, bits);
	}
}

/* ---- Attaching --------------------------------------------------------------------------- */

FIXTURE(ktls_attach)
{
	int fds[2];
};
FIXTURE_VARIANT(ktls_attach)
{
	enum test_family family;
};
FIXTURE_VARIANT_ADD(ktls_attach, inet){TEST_INET};
FIXTURE_VARIANT_ADD(ktls_attach, inet6){TEST_INET6};
FIXTURE_VARIANT_ADD(ktls_attach, inet_as_inet6){TEST_MAPPED};

FIXTURE_SETUP(ktls_attach)
{
	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	test_pair(variant->family, self->fds);
}

FIXTURE_TEARDOWN(ktls_attach)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

TEST_F(ktls_attach, twice_is_eexist)
{
	ASSERT_EQ(0, kt_ktls_attach(self->fds[0]));
	EXPECT_EQ(-EEXIST, kt_ktls_attach(self->fds[0]));
}

TEST_F(ktls_attach, alone_leaves_the_socket_plain)
{
	char byte = 0;

	ASSERT_EQ(0, kt_ktls_attach(self->fds[0]));
	ASSERT_EQ(0, kt_ktls_attach(self->fds[1]));
	ASSERT_EQ(1, send(self->fds[0], "x", 1, MSG_NOSIGNAL));
	ASSERT_EQ(1, recv(self->fds[1], &byte, 1, 0));
	EXPECT_EQ('x', byte);
}

TEST_F(ktls_attach, missing_makes_install_enoprotoopt)
{
	struct kt_traffic_key key = test_key(0);

	EXPECT_EQ(-ENOPROTOOPT,
		  kt_ktls_install(self->fds[0], KT_TX, KT_TLS_1_3, KT_AES_128_GCM, &key));
	EXPECT_EQ(-ENOPROTOOPT,
		  kt_ktls_install(self->fds[0], KT_RX, KT_TLS_1_3, KT_AES_128_GCM, &key));
}

TEST_F(ktls_attach, unconnected_is_enotconn)
{
	int fd = socket(variant->family == TEST_INET ? AF_INET : AF_INET6, SOCK_STREAM, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, kt_ktls_attach(fd));
	close(fd);
}

/* A peer that sends its last request and half-closes cannot be offloaded any more. */
TEST_F(ktls_attach, after_the_peers_fin_is_enotconn)
{
	char byte;

	ASSERT_EQ(0, shutdown(self->fds[1], SHUT_WR));
	ASSERT_EQ(0, recv(self->fds[0], &byte, 1, 0));
	EXPECT_EQ(-ENOTCONN, kt_ktls_attach(self->fds[0]));
}

TEST_F(ktls_attach, shows_in_state)
{
	struct kt_traffic_key key = test_key(0);
	unsigned int bits = 99;

	ASSERT_EQ(0, offload(self->fds[0], KT_TX, KT_TLS_1_3, KT_AES_128_GCM, &key));
	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(KT_KTLS_TX, bits);
}

TEST_HARNESS_MAIN
