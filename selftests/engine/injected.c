/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every answer of the kernel that an offloaded connection can meet, given by a stand-in (linked
 * with
 * --wrap): it takes all keys, and then the socket carries the records' contents as they are. What a
 * client sends is a record of the type that the test says; completions and installations fail as
 * the test says. So every way is gone on every kernel.
 */
#include "../../src/engine/conn.h"
#include "rig.h"

#include <errno.h>
#include <linux/tls.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOL_TLS_NUMBER 282
#define INSTALLS_MAX   256

struct installed {
	enum kt_direction direction;
	struct kt_traffic_key key;
};

static struct {
	bool rekey;
	int attach_err;
	/* The installation with this number (from 1) fails; 0: none. */
	unsigned int install_fails;
	int install_err;
	_Atomic int header_err;	   /* of the first piece of a PROXY header; 0: what it says */
	_Atomic int type;	   /* of the next record that comes; 0: data */
	_Atomic int op;		   /* whose next completion … */
	_Atomic int res;	   /* … says this; 0: what it says */
	_Atomic unsigned int used; /* how often that was so */
	/* A read of a target that is cancelled finds no block instead. */
	_Atomic bool starved;
	/* Our KeyUpdate is sent, but the engine learns of it after the next thing that it learns.
	 */
	_Atomic bool delay;
	_Atomic bool delayed;
	int delayed_res;
	_Atomic unsigned int installs;
	struct installed installed[INSTALLS_MAX];
	_Atomic unsigned int wiped; /* secrets of whole connections */
	_Atomic unsigned int kept;  /* completions that found anything left of the handshake */
} kernel; /* + makes a plain value of a counter, which clang wants for EXPECT */

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support);
int __wrap_kt_ktls_attach(int fd);
int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);
void __real_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __real_explicit_bzero(void *at, size_t len);
void __wrap_explicit_bzero(void *at, size_t len);
void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room);

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support)
{
	memset(ret_support, 0, sizeof *ret_support);
	ret_support->attach = true;
	memset(ret_support->cipher, true, sizeof ret_support->cipher);
	ret_support->rekey = kernel.rekey;
	return 0;
}

int __wrap_kt_ktls_attach(int fd)
{
	(void)fd;
	return kernel.attach_err;
}

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key)
{
	(void)fd;
	(void)version;
	(void)cipher;
	if (kernel.installs < INSTALLS_MAX)
		kernel.installed[kernel.installs] = (struct installed){direction, *key};
	return ++kernel.installs == kernel.install_fails ? kernel.install_err : 0;
}

static void label(struct kt_conn *conn, uint8_t type)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)conn->recv_control;

	conn->recv_msg.msg_control = cmsg;
	conn->recv_msg.msg_controllen = sizeof conn->recv_control;
	cmsg->cmsg_level = SOL_TLS_NUMBER;
	cmsg->cmsg_type = TLS_GET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof type);
	*CMSG_DATA(cmsg) = type;
}

void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags)
{
	if (conn->ktls && (conn->tls || conn->out))
		kernel.kept++;
	if (kernel.header_err && op == KT_OP_BACKEND_SEND && conn->state == KT_CONN_CONNECT) {
		res = kernel.header_err;
		kernel.header_err = 0;
	}
	if (conn->ktls && kernel.res && kernel.op == (int)op && conn->state == KT_CONN_RELAY) {
		res = kernel.res;
		kernel.res = 0;
		kernel.used++;
	} else if (conn->ktls && op == KT_OP_CLIENT_RECV && res > 0 && kernel.type) {
		label(conn, (uint8_t)kernel.type);
		kernel.type = 0;
	}
	if (kernel.starved && conn->state == KT_CONN_REACH && op == KT_OP_CLIENT_RECV &&
	    res == -ECANCELED) {
		kernel.starved = false;
		res = -ENOBUFS;
	}
	if (op == KT_OP_CLIENT_SEND && kernel.delay && kt_conn_keys_sending(conn)) {
		kernel.delay = false;
		kernel.delayed_res = res;
		kernel.delayed = true;
		return;
	}
	__real_kt_conn_complete(conn, op, res, flags);
	if (kernel.delayed) {
		kernel.delayed = false;
		__real_kt_conn_complete(conn, KT_OP_CLIENT_SEND, kernel.delayed_res, 0);
	}
}

/* Not all zeros before. */
static bool holds_something(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i])
			return true;
	return false;
}

void __wrap_explicit_bzero(void *at, size_t len)
{
	const struct kt_traffic_secrets *secrets = at;

	if (len == sizeof *secrets && holds_something(secrets->tx, sizeof secrets->tx) &&
	    holds_something(secrets->rx, sizeof secrets->rx))
		kernel.wiped++;
	__real_explicit_bzero(at, len);
}

void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room)
{
	EXPECT_LE(len, room);
	__wrap_explicit_bzero(at, len);
}

/* ---- A connection of that kind --------------------------------------------------------------- */

struct setting {
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
};

static void open_rig(struct setting *setting, const struct rig_options *options, uint16_t version)
{
	rig_init(&setting->rig, options);
	setting->backend = -1;
	setting->context = client_context(&(struct client_options){.version = version});
	peer_connect(&setting->peer, &setting->rig, setting->context);
}

/* A byte has gone both ways: the engine is in the middle of its work. */
static void exchange(struct setting *setting)
{
	uint64_t out = rig_stats(&setting->rig).bytes_out;
	char byte;

	send_all(setting->peer.fd, "u", 1);
	recv_exactly(setting->backend, &byte, 1);
	send_all(setting->backend, "d", 1);
	recv_exactly(setting->peer.fd, &byte, 1);
	EXPECT_EQ('d', byte);
	/* and the engine knows of it */
	WAIT_UNTIL(rig_stats(&setting->rig).bytes_out >= out + 1);
}

static void open_setting(struct setting *setting, const struct rig_options *options,
			 uint16_t version)
{
	open_rig(setting, options, version);
	ASSERT_EQ(1, peer_handshake(&setting->peer));
	setting->backend = rig_accept(&setting->rig);
	exchange(setting);
}

static void close_setting(struct setting *setting)
{
	peer_fini(&setting->peer);
	if (setting->backend >= 0)
		close(setting->backend);
	SSL_CTX_free(setting->context);
	rig_fini(&setting->rig);
}

/* The rest of what the client is sent, alerts as their two bytes. */
static ssize_t rest(struct setting *setting, uint8_t *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = recv(setting->peer.fd, buf + len, size - len, 0)) > 0)
		len += (size_t)n;
	return (ssize_t)len;
}

static void expect_alert(struct setting *setting, uint8_t alert)
{
	uint8_t buf[16];
	ssize_t len = rest(setting, buf, sizeof buf);

	if (!alert) {
		EXPECT_EQ(0, len);
		return;
	}
	ASSERT_EQ(2, len);
	EXPECT_EQ(2, buf[0]);
	EXPECT_EQ(alert, buf[1]);
}

/* ---- Completions ----------------------------------------------------------------------------- */

FIXTURE(answer)
{
	struct setting setting;
};

FIXTURE_VARIANT(answer)
{
	enum kt_op op;
	int err;
	const char *end;
	uint8_t alert; /* 0: none */
};

#define ANSWER(name, ...)                                                                          \
	FIXTURE_VARIANT_ADD(answer, name)                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
ANSWER(recv_eio, KT_OP_CLIENT_RECV, -EIO, "io_error", 80);
ANSWER(recv_ebadmsg, KT_OP_CLIENT_RECV, -EBADMSG, "bad_record", 20);
ANSWER(recv_einval, KT_OP_CLIENT_RECV, -EINVAL, "bad_record", 20);
ANSWER(recv_emsgsize, KT_OP_CLIENT_RECV, -EMSGSIZE, "bad_record", 20);
ANSWER(recv_ekeyexpired, KT_OP_CLIENT_RECV, -EKEYEXPIRED, "key_update", 80);
ANSWER(recv_enomem, KT_OP_CLIENT_RECV, -ENOMEM, "internal", 80);
ANSWER(recv_ebusy, KT_OP_CLIENT_RECV, -EBUSY, "io_error", 80);
ANSWER(recv_econnreset, KT_OP_CLIENT_RECV, -ECONNRESET, "reset", 0);
ANSWER(recv_etimedout, KT_OP_CLIENT_RECV, -ETIMEDOUT, "timed_out", 0);
ANSWER(recv_econnaborted, KT_OP_CLIENT_RECV, -ECONNABORTED, "killed", 0);
ANSWER(send_eio, KT_OP_CLIENT_SEND, -EIO, "io_error", 0);
ANSWER(send_ebadmsg, KT_OP_CLIENT_SEND, -EBADMSG, "io_error", 0);
ANSWER(send_einval, KT_OP_CLIENT_SEND, -EINVAL, "io_error", 0);
ANSWER(send_ekeyexpired, KT_OP_CLIENT_SEND, -EKEYEXPIRED, "io_error", 0);
ANSWER(send_enomem, KT_OP_CLIENT_SEND, -ENOMEM, "internal", 0);
ANSWER(send_ebusy, KT_OP_CLIENT_SEND, -EBUSY, "io_error", 0);
ANSWER(send_epipe, KT_OP_CLIENT_SEND, -EPIPE, "reset", 0);

FIXTURE_SETUP(answer)
{
	kernel.rekey = true;
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(answer)
{
	close_setting(&self->setting);
}

TEST_F(answer, ends_the_connection_by_its_name)
{
	char byte;

	kernel.op = (int)variant->op;
	kernel.res = variant->err;
	if (variant->op == KT_OP_CLIENT_RECV)
		send_all(self->setting.peer.fd, "x", 1);
	else
		send_all(self->setting.backend, "x", 1);
	if (variant->op == KT_OP_CLIENT_SEND)
		recv_exactly(self->setting.peer.fd, &byte, 1);
	expect_alert(&self->setting, variant->alert);
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.backend));
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, variant->end, 1);
	EXPECT_EQ(1, +kernel.used);
	WAIT_UNTIL(kernel.wiped);
	EXPECT_EQ(1, +kernel.wiped);
}

/* A backend that got a header, or a part of it, and no more. */
TEST(header_that_could_not_be_sent_is_no_clean_end)
{
	struct setting setting;
	uint8_t header[512];

	kernel.header_err = -EIO;
	open_rig(&setting, &(struct rig_options){.proxy_protocol = KT_PROXY_V2}, KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	setting.backend = rig_accept(&setting.rig);
	EXPECT_LT(0, recv(setting.backend, header, sizeof header, 0));
	EXPECT_EQ(-ECONNRESET, recv_end(setting.backend));
	rig_await_ends(&setting.rig, "backend_unreachable", 1);
	close_setting(&setting);
}

/* Its keys are the receiver's, and no KeyUpdate is followed there. */
TEST(of_what_is_handed_over_no_secrets_are_kept)
{
	struct setting setting;

	kernel.rekey = true;
	open_rig(&setting, &(struct rig_options){.handoff = true, .handoff_user = geteuid()},
		 KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	close(setting.peer.fd);
	setting.peer.fd = -1;
	rig_await_ends(&setting.rig, "receiver_gone", 1);
	EXPECT_EQ(2, +kernel.installs);
	close_setting(&setting);
	EXPECT_EQ(0, +kernel.wiped);
}

/* ---- Installing ------------------------------------------------------------------------------ */

FIXTURE(install)
{
	struct setting setting;
};

FIXTURE_VARIANT(install)
{
	unsigned int number;
	int err;
};

FIXTURE_VARIANT_ADD(install, tx_eio){1, -EIO};
FIXTURE_VARIANT_ADD(install, tx_einval){1, -EINVAL};
FIXTURE_VARIANT_ADD(install, tx_ebusy){1, -EBUSY};
FIXTURE_VARIANT_ADD(install, tx_enomem){1, -ENOMEM};
FIXTURE_VARIANT_ADD(install, rx_eio){2, -EIO};
FIXTURE_VARIANT_ADD(install, rx_einval){2, -EINVAL};
FIXTURE_VARIANT_ADD(install, rx_ebusy){2, -EBUSY};
FIXTURE_VARIANT_ADD(install, rx_enomem){2, -ENOMEM};

FIXTURE_SETUP(install)
{
	kernel.rekey = true;
	kernel.install_fails = variant->number;
	kernel.install_err = variant->err;
	open_rig(&self->setting, &(struct rig_options){.ktls = KT_KTLS_AUTO}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(install)
{
	close_setting(&self->setting);
}

/* Once a key may be with the kernel there is no way back to userspace records. */
TEST_F(install, that_fails_refuses_the_connection)
{
	char byte;

	ASSERT_EQ(1, peer_handshake(&self->setting.peer));
	rig_await_outcomes(&self->setting.rig, "ktls_failed", 1);
	EXPECT_GT(0, peer_read(&self->setting.peer, &byte, 1));
	EXPECT_EQ(variant->number, +kernel.installs);
	WAIT_UNTIL(kernel.wiped);
	EXPECT_EQ(1, +kernel.wiped);
}

TEST(attaching_that_fails_leaves_records_in_userspace)
{
	struct setting setting;
	char text[4];

	kernel.rekey = true;
	kernel.attach_err = -ENOENT;
	open_rig(&setting, &(struct rig_options){.ktls = KT_KTLS_AUTO}, KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	setting.backend = rig_accept(&setting.rig);
	peer_write(&setting.peer, "user", 4);
	recv_exactly(setting.backend, text, 4);
	EXPECT_EQ(0, memcmp("user", text, 4));
	EXPECT_EQ(0, +kernel.installs);
	close_setting(&setting);
}

/* ---- KeyUpdate ------------------------------------------------------------------------------- */

static const uint8_t update[] = {24, 0, 0, 1, 0};
static const uint8_t update_and_ask[] = {24, 0, 0, 1, 1};

static void client_says(struct setting *setting, uint8_t type, const void *content, size_t len)
{
	kernel.type = type;
	send_all(setting->peer.fd, content, len);
	WAIT_UNTIL(!kernel.type);
}

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
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.backend));
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "rekey_failed", 1);
}

/* Nothing that we could say then would be read. */
TEST_F(rekey, that_the_kernel_refuses_for_sending_ends_in_silence)
{
	uint8_t got[16];

	kernel.install_fails = 4;
	kernel.install_err = -ENOMEM;
	client_says(&self->setting, KT_RECORD_HANDSHAKE, update_and_ask, sizeof update_and_ask);
	ASSERT_EQ(sizeof update, rest(&self->setting, got, sizeof got));
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.backend));
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, "rekey_failed", 1);
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

static void backend_says(struct setting *setting, size_t len)
{
	static uint8_t data[FULL];

	for (; len; len -= FULL)
		send_all(setting->backend, data, FULL);
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

/* ---- Other records --------------------------------------------------------------------------- */

FIXTURE(record)
{
	struct setting setting;
};

FIXTURE_VARIANT(record)
{
	uint8_t type;
	uint8_t content[12];
	uint8_t len;
	const char *end;
	uint8_t alert;
};

#define RECORD(name, ...)                                                                          \
	FIXTURE_VARIANT_ADD(record, name)                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
RECORD(key_update_in_pieces, KT_RECORD_HANDSHAKE, {24, 0}, 2, "key_update", 80);
RECORD(key_update_of_another_kind, KT_RECORD_HANDSHAKE, {24, 0, 0, 1, 2}, 5, "protocol_error", 47);
RECORD(two_key_updates, KT_RECORD_HANDSHAKE, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 10, "protocol_error",
       10);
RECORD(certificate, KT_RECORD_HANDSHAKE, {11, 0, 0, 1, 0}, 5, "protocol_error", 10);
RECORD(ticket, KT_RECORD_HANDSHAKE, {4, 0, 0, 1, 0}, 5, "protocol_error", 10);
RECORD(change_cipher_spec, KT_RECORD_CHANGE_CIPHER_SPEC, {1}, 1, "protocol_error", 10);
RECORD(half_an_alert, KT_RECORD_ALERT, {2}, 1, "protocol_error", 10);
RECORD(alert_bad_certificate, KT_RECORD_ALERT, {2, 42}, 2, "alert_bad_certificate", 0);
RECORD(alert_internal_error, KT_RECORD_ALERT, {2, 80}, 2, "alert_internal_error", 0);
RECORD(alert_as_a_warning, KT_RECORD_ALERT, {1, 100}, 2, "alert_no_renegotiation", 0);
RECORD(alert_without_name, KT_RECORD_ALERT, {2, 199}, 2, "peer_alert", 0);

FIXTURE_SETUP(record)
{
	kernel.rekey = true;
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(record)
{
	close_setting(&self->setting);
}

TEST_F(record, ends_the_connection_by_its_name)
{
	client_says(&self->setting, variant->type, variant->content, variant->len);
	expect_alert(&self->setting, variant->alert);
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.backend));
	close(self->setting.peer.fd);
	self->setting.peer.fd = -1;
	rig_await_ends(&self->setting.rig, variant->end, 1);
}

/* ---- Origins --------------------------------------------------------------------------------- */

struct outgoing {
	struct rig rig;
	SSL_CTX *context;
	struct peer server;
	int client; /* plain */
};

static void open_outgoing(struct outgoing *outgoing, const struct kt_upstream_options *upstream)
{
	struct rig_options options = {.ktls = KT_KTLS_REQUIRE,
				      .origin = true,
				      .upstream = upstream,
				      .connect_timeout_ms = 200};
	const struct pki_cert *card;

	kernel.rekey = true;
	rig_init(&outgoing->rig, &options);
	card = pki_make(outgoing->rig.lab.pki, outgoing->rig.lab.ca,
			&(struct pki_options){
				.cn = "server.test", .dns = {"server.test"}, .eku = "serverAuth"});
	outgoing->context =
		server_context(&(struct client_options){.version = KT_TLS_1_3, .cert = card});
	ASSERT_EQ(1, SSL_CTX_set_num_tickets(outgoing->context, 0));
	outgoing->client = tcp_connect(&outgoing->rig.address);
}

static void close_outgoing(struct outgoing *outgoing)
{
	close(outgoing->client);
	SSL_CTX_free(outgoing->context);
	rig_fini(&outgoing->rig);
}

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

/* Cancelled reads may find no block before they learn of it: nobody waits for one then. */
TEST(target_that_had_its_time_is_not_read_again)
{
	static const struct kt_upstream_options proxy = {.kind = KT_UPSTREAM_HTTP};
	struct outgoing outgoing;
	int fd;

	kernel.starved = true;
	open_outgoing(&outgoing, &proxy);
	fd = rig_accept(&outgoing.rig);
	rig_await_outcomes(&outgoing.rig, "upstream_timeout", 1);
	EXPECT_FALSE(kernel.starved);
	close(fd);
	close_outgoing(&outgoing);
}

TEST_HARNESS_MAIN
