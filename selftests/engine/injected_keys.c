/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of an offloaded connection that are replaced, or cannot be, before a stand-in for the kernel
 * (offloaded.h) that knows which were installed and what was wiped.
 */
#include "offloaded.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- KeyUpdate ------------------------------------------------------------------------------- */

static const uint8_t update[] = {24, 0, 0, 1, 0};
static const uint8_t update_and_ask[] = {24, 0, 0, 1, 1};

/* The next generation, as the client has it. */
static struct kt_traffic next_keys(struct setting *setting, bool clients, bool servers)
{
	struct kt_traffic traffic;

	if (clients)
		client_next_secret(&setting->peer.client, false);
	if (servers)
		client_next_secret(&setting->peer.client, true);
	keys_of_client(&setting->peer.client, &traffic);
	return traffic;
}

static void expect_install(unsigned int number, enum kt_direction direction,
			   const struct kt_traffic_key *key)
{
	const struct installed *installed = &kernel.installed[number];

	ASSERT_LT(number, +kernel.installs);
	EXPECT_EQ(direction, installed->direction);
	EXPECT_EQ(0, memcmp(key->key, installed->key.key, sizeof key->key));
	EXPECT_EQ(0, memcmp(key->iv, installed->key.iv, sizeof key->iv));
	EXPECT_EQ(0, installed->key.seq);
}

FIXTURE(rekey)
{
	struct setting setting;
};

FIXTURE_SETUP(rekey)
{
	kernel.rekey = true;
	open_setting(&self->setting,
		     &(struct rig_options){.ktls = KT_KTLS_REQUIRE, .key_records_max = 16},
		     KT_TLS_1_3);
	ASSERT_EQ(2, +kernel.installs);
}

FIXTURE_TEARDOWN(rekey)
{
	close_setting(&self->setting);
}

TEST_F(rekey, is_all_that_is_kept_for)
{
	uint8_t got[sizeof update];

	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	recv_exactly(self->setting.peer.fd, got, sizeof got);
	exchange(&self->setting);
	EXPECT_EQ(0, +kernel.kept);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "truncated", 1);
	WAIT_UNTIL(kernel.wiped);
	EXPECT_EQ(1, +kernel.wiped);
}

TEST_F(rekey, of_the_client_is_followed)
{
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update, sizeof update);
	exchange(&self->setting);
	ASSERT_EQ(3, +kernel.installs);
	struct kt_traffic keys = next_keys(&self->setting, true, false);

	expect_install(2, KT_RX, &keys.rx);
}

TEST_F(rekey, that_asks_is_answered_before_any_data)
{
	uint8_t got[sizeof update];

	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	send_all(self->setting.backend, "x", 1);
	recv_exactly(self->setting.peer.fd, got, sizeof got);
	EXPECT_EQ(0, memcmp(update, got, sizeof update));
	recv_exactly(self->setting.peer.fd, got, 1);
	EXPECT_EQ('x', got[0]);
	exchange(&self->setting);
	ASSERT_EQ(4, +kernel.installs);
	struct kt_traffic keys = next_keys(&self->setting, true, true);

	expect_install(2, KT_RX, &keys.rx);
	expect_install(3, KT_TX, &keys.tx);
}

/* What the backend says while a KeyUpdate waits for room comes after it, and once. */
TEST_F(rekey, waits_for_room_and_holds_the_backend)
{
	static uint8_t data[1 << 16], expected[sizeof data];
	struct setting *setting = &self->setting;
	size_t sent = 0, received = 0;
	unsigned int updates = 0;
	ssize_t n;

	while ((n = send(setting->backend, data, 4096, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 ||
	       poll(&(struct pollfd){.fd = setting->backend, .events = POLLOUT}, 1, 100) == 1)
		sent += n > 0 ? (size_t)n : 0;
	client_says(setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	shutdown(setting->backend, SHUT_WR);
	/* zeros, the KeyUpdates among them, close_notify */
	while ((n = recv(setting->peer.fd, expected, sizeof expected, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			updates += expected[i] == update[0];
		received += (size_t)n;
	}
	EXPECT_LT(0, updates);
	EXPECT_EQ(sent + updates * sizeof update + 2, received);
	EXPECT_EQ(2 + 1 + updates, +kernel.installs);
}

/* The client asks, and our answer is out, which the engine does not know yet. */
static void be_asked(struct setting *setting)
{
	uint8_t got[sizeof update];

	kernel.delay = true;
	client_says(setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	recv_exactly(setting->peer.fd, got, sizeof got);
	EXPECT_EQ(0, memcmp(update, got, sizeof update));
	WAIT_UNTIL(kernel.delayed);
	EXPECT_EQ(3, +kernel.installs);
}

TEST_F(rekey, holds_what_the_backend_says_meanwhile)
{
	char byte = 0;

	be_asked(&self->setting);
	send_all(self->setting.backend, "x", 1);
	recv_exactly(self->setting.peer.fd, &byte, 1);
	EXPECT_EQ('x', byte);
	exchange(&self->setting);
	EXPECT_EQ(4, +kernel.installs);
}

TEST_F(rekey, holds_the_backends_end_meanwhile)
{
	uint8_t got[8];

	be_asked(&self->setting);
	shutdown(self->setting.backend, SHUT_WR);
	ASSERT_EQ(2, rest(&self->setting, got, sizeof got));
	EXPECT_EQ(1, got[0]);
	EXPECT_EQ(KT_ALERT_CLOSE_NOTIFY, got[1]);
	EXPECT_EQ(4, +kernel.installs);
}

/* The alert comes behind our KeyUpdate: the client takes it under the next key only. */
TEST_F(rekey, that_is_under_way_is_done_before_an_alert)
{
	be_asked(&self->setting);
	kernel.op = KT_OP_CLIENT_RECV;
	kernel.res = -EBADMSG;
	send_all(self->setting.peer.fd, "x", 1);
	expect_alert(&self->setting, 20);
	EXPECT_EQ(4, +kernel.installs);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "bad_record", 1);
}

TEST_F(rekey, that_the_kernel_refuses_for_receiving_is_told)
{
	kernel.install_fails = 3;
	kernel.install_err = -EBUSY;
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	expect_alert(&self->setting, 80);
	expect_end(&self->setting, "rekey_failed");
}

/* Nothing that we could say then would be read. */
TEST_F(rekey, that_the_kernel_refuses_for_sending_ends_in_silence)
{
	uint8_t got[16];

	kernel.install_fails = 4;
	kernel.install_err = -ENOMEM;
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	ASSERT_EQ(sizeof update, rest(&self->setting, got, sizeof got));
	expect_end(&self->setting, "rekey_failed");
}

TEST_F(rekey, whose_answer_is_cut_is_no_rekey)
{
	uint8_t got[16];

	kernel.op = KT_OP_CLIENT_SEND;
	kernel.res = 3;
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	ASSERT_EQ(sizeof update, rest(&self->setting, got, sizeof got));
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "rekey_failed", 1);
	EXPECT_EQ(3, +kernel.installs);
}

TEST_F(rekey, whose_answer_cannot_be_sent_is_named)
{
	kernel.op = KT_OP_CLIENT_SEND;
	kernel.res = -EIO;
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.backend));
	rig_await_ends(&self->setting.rig, "io_error", 1);
	EXPECT_EQ(3, +kernel.installs);
}

TEST_F(rekey, without_end_is_refused)
{
	struct setting *setting = &self->setting;

	for (unsigned int i = 0; i < KT_KEY_UPDATES_MAX + 60 && !rig_stats(&setting->rig).ended;
	     i++) {
		kernel.type = KT_RECORD_HANDSHAKE;
		if (send(setting->peer.fd, update, sizeof update, MSG_NOSIGNAL) < 0)
			break;
		/* each of them a record */
		for (unsigned int turns = 0; kernel.installs < 3 + i && turns < 1000 &&
					     !rig_ends(&setting->rig, "key_update_flood");)
			wait_a_moment(&turns);
		if (kernel.installs < 3 + i)
			break;
	}
	expect_alert(setting, KT_ALERT_UNEXPECTED_MESSAGE);
	close(setting->peer.fd);
	setting->peer.fd = -1;
	rig_await_ends(&setting->rig, "key_update_flood", 1);
	EXPECT_LE(2 + KT_KEY_UPDATES_MAX, +kernel.installs);
	EXPECT_GT(2 + KT_KEY_UPDATES_MAX + 60, +kernel.installs);
}

/* ---- Keys that are used up ------------------------------------------------------------------- */

#define FULL 16384

/* So much, or until it is reset, which a part of it may lead to. */
static void backend_says(struct setting *setting, size_t len)
{
	static uint8_t data[FULL];

	while (len && send(setting->backend, data, FULL, MSG_NOSIGNAL) == FULL)
		len -= FULL;
}

/* Bytes up to the first KeyUpdate among zeros, which is taken, too. */
static size_t until_update(struct setting *setting, uint8_t request)
{
	uint8_t got[sizeof update];
	size_t len = 0;

	for (;;) {
		recv_exactly(setting->peer.fd, got, 1);
		if (got[0] == update[0])
			break;
		len++;
	}
	recv_exactly(setting->peer.fd, got + 1, sizeof got - 1);
	EXPECT_EQ(0, memcmp(update, got, sizeof update - 1));
	EXPECT_EQ(request, got[sizeof got - 1]);
	return len;
}

TEST_F(rekey, of_ours_comes_before_our_key_is_spent)
{
	struct kt_traffic keys;

	backend_says(&self->setting, 16 * FULL);
	/* three quarters of 16 records, but for what records cost besides */
	EXPECT_GE(13 * FULL, until_update(&self->setting, 0));
	keys = next_keys(&self->setting, false, true);
	WAIT_UNTIL(kernel.installs > 2);
	expect_install(2, KT_TX, &keys.tx);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

/* Takes what the backend gets, so that nothing is held up. */
static void client_sends(struct setting *setting, size_t records)
{
	static uint8_t data[FULL], sink[FULL];

	for (; records; records--) {
		send_all(setting->peer.fd, data, FULL);
		recv_exactly(setting->backend, sink, FULL);
	}
}

TEST_F(rekey, of_the_client_is_asked_for)
{
	client_sends(&self->setting, 13);
	EXPECT_EQ(0, until_update(&self->setting, 1));
	/* it does so, and has a fresh key */
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update, sizeof update);
	client_sends(&self->setting, 10);
	exchange(&self->setting);
	EXPECT_EQ(4, +kernel.installs);
}

TEST_F(rekey, that_the_client_owes_is_waited_for_until_its_key_is_spent)
{
	static uint8_t data[FULL];

	client_sends(&self->setting, 13);
	EXPECT_EQ(0, until_update(&self->setting, 1));
	for (int i = 0; i < 8; i++)
		if (send(self->setting.peer.fd, data, FULL, MSG_NOSIGNAL) < 0)
			break;
	expect_alert(&self->setting, 80);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "key_limit", 1);
}

/* Its key is spent, and more comes under it: the backend gets a part, and is reset. */
static void client_overdraws(struct setting *setting)
{
	static uint8_t data[FULL];
	ssize_t n;

	for (int i = 0; i < 8; i++)
		if (send(setting->peer.fd, data, FULL, MSG_NOSIGNAL) < 0)
			break;
	while ((n = TEMP_FAILURE_RETRY(recv(setting->backend, data, sizeof data, 0))) > 0)
		;
	EXPECT_EQ(-1, n);
	EXPECT_EQ(ECONNRESET, errno);
	close(setting->peer.fd);
	setting->peer.fd = -1;
	rig_await_ends(&setting->rig, "key_limit", 1);
}

/* Behind our close_notify there is no asking. */
TEST_F(rekey, that_cannot_be_asked_for_any_more_ends_it_when_the_key_is_spent)
{
	uint8_t got[KT_ALERT_LEN];

	shutdown(self->setting.backend, SHUT_WR);
	recv_exactly(self->setting.peer.fd, got, sizeof got);
	EXPECT_EQ(KT_ALERT_CLOSE_NOTIFY, got[1]);
	client_sends(&self->setting, 14);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
	client_overdraws(&self->setting);
}

/* Nor is there while it does not read what it was sent before. */
TEST_F(rekey, that_a_client_does_not_hear_of_ends_it_when_the_key_is_spent)
{
	static uint8_t data[FULL];
	struct setting *setting = &self->setting;

	while (send(setting->backend, data, FULL, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
	       poll(&(struct pollfd){.fd = setting->backend, .events = POLLOUT}, 1, 100) == 1)
		;
	client_sends(setting, 14);
	EXPECT_EQ(0, rig_stats(&setting->rig).ended);
	client_overdraws(setting);
}

/* ---- Where keys cannot be replaced ----------------------------------------------------------- */

FIXTURE(fixed)
{
	struct setting setting;
};

FIXTURE_VARIANT(fixed)
{
	uint16_t version;
	bool rekey;
};

FIXTURE_VARIANT_ADD(fixed, by_the_kernel){KT_TLS_1_3, false};
FIXTURE_VARIANT_ADD(fixed, by_tls12){KT_TLS_1_2, true};

FIXTURE_SETUP(fixed)
{
	kernel.rekey = variant->rekey;
	open_setting(&self->setting,
		     &(struct rig_options){.ktls = KT_KTLS_REQUIRE, .key_records_max = 16},
		     variant->version);
}

FIXTURE_TEARDOWN(fixed)
{
	close_setting(&self->setting);
}

TEST_F(fixed, keys_keep_no_secrets)
{
	EXPECT_EQ(0, +kernel.wiped);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "truncated", 1);
	EXPECT_EQ(0, +kernel.wiped);
}

TEST_F(fixed, key_that_is_spent_by_sending_ends_the_connection)
{
	static uint8_t got[32 * FULL];
	ssize_t len;

	backend_says(&self->setting, 20 * FULL);
	len = rest(&self->setting, got, sizeof got);
	EXPECT_LE(15 * FULL, len);
	EXPECT_GT(17 * FULL, len);
	EXPECT_EQ(80, got[len - 1]);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "key_limit", 1);
}

TEST_F(fixed, key_that_is_spent_by_receiving_ends_the_connection)
{
	static uint8_t data[FULL];

	client_sends(&self->setting, 14);
	for (int i = 0; i < 8; i++)
		if (send(self->setting.peer.fd, data, FULL, MSG_NOSIGNAL) < 0)
			break;
	expect_alert(&self->setting, 80);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "key_limit", 1);
}

TEST_F(fixed, key_update_is_named)
{
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update, sizeof update);
	if (variant->version == KT_TLS_1_3)
		expect_alert(&self->setting, 80);
	else
		expect_alert(&self->setting, KT_ALERT_UNEXPECTED_MESSAGE);
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig,
		       variant->version == KT_TLS_1_3 ? "key_update" : "protocol_error", 1);
}

/* ---- Origins --------------------------------------------------------------------------------- */

/* Tickets are dropped first, and what is left is a KeyUpdate like any other. */
TEST(key_update_behind_a_ticket_is_followed)
{
	static const uint8_t both[] = {4, 0, 0, 1, 0, 24, 0, 0, 1, 1};
	struct outgoing outgoing;
	struct kt_traffic traffic;
	uint8_t got[sizeof update];

	open_outgoing(&outgoing, NULL);
	peer_serve(&outgoing.server, rig_accept(&outgoing.rig), outgoing.context);
	ASSERT_EQ(1, peer_handshake(&outgoing.server));
	WAIT_UNTIL(kernel.installs == 2);
	kernel.type = KT_RECORD_HANDSHAKE;
	send_all(outgoing.server.fd, both, sizeof both);
	recv_exactly(outgoing.server.fd, got, sizeof got);
	EXPECT_EQ(0, memcmp(update, got, sizeof got));
	WAIT_UNTIL(kernel.installs == 4);
	client_next_secret(&outgoing.server.client, false);
	client_next_secret(&outgoing.server.client, true);
	keys_of_client(&outgoing.server.client, &traffic);
	expect_install(2, KT_RX, &traffic.tx);
	expect_install(3, KT_TX, &traffic.rx);
	send_all(outgoing.server.fd, "d", 1);
	recv_exactly(outgoing.client, got, 1);
	EXPECT_EQ('d', got[0]);
	peer_fini(&outgoing.server);
	close_outgoing(&outgoing);
}

TEST_HARNESS_MAIN
