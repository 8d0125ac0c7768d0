/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KeyUpdate: reading it, and going on under the next keys, with a stand-in for the kernel (linked
 * with --wrap) and with the kernel itself.
 */
#include <ktrust/ktls.h>
#include <ktrust/rekey.h>

#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

/* ---- Reading --------------------------------------------------------------------------------- */

#define UNEXPECTED_MESSAGE 10
#define ILLEGAL_PARAMETER  47
#define DECODE_ERROR	   50

FIXTURE(read){};
FIXTURE_VARIANT(read)
{
	bool tickets;
	uint8_t content[16];
	size_t len;
	int rc;
	uint8_t alert;
	bool answer_owed;
};

#define READ(name, ...)                                                                            \
	FIXTURE_VARIANT_ADD(read, name)                                                            \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
READ(key_update, false, {24, 0, 0, 1, 0}, 5, 1, 0, false);
READ(key_update_that_asks, false, {24, 0, 0, 1, 1}, 5, 1, 0, true);
READ(key_update_of_another_kind, false, {24, 0, 0, 1, 2}, 5, -EPROTO, ILLEGAL_PARAMETER, false);
READ(key_update_too_long, false, {24, 0, 0, 2, 0, 0}, 6, -EPROTO, DECODE_ERROR, false);
READ(key_update_much_too_long, false, {24, 1, 0, 1, 0}, 5, -EPROTO, DECODE_ERROR, false);
READ(key_update_too_short, false, {24, 0, 0, 0}, 4, -EPROTO, DECODE_ERROR, false);
READ(key_update_before_another, false, {24, 0, 0, 1, 1, 24, 0, 0, 1, 1}, 10, -EPROTO,
     UNEXPECTED_MESSAGE, false);
READ(key_update_before_a_byte, false, {24, 0, 0, 1, 1, 0}, 6, -EPROTO, UNEXPECTED_MESSAGE, false);
READ(key_update_cut_before_its_value, false, {24, 0, 0, 1}, 4, -EOPNOTSUPP, 0, false);
READ(key_update_cut_in_its_header, false, {24, 0}, 2, -EOPNOTSUPP, 0, false);
READ(key_update_cut_behind_its_type, false, {24}, 1, -EOPNOTSUPP, 0, false);
READ(nothing, false, {0}, 0, -EPROTO, UNEXPECTED_MESSAGE, false);
READ(hello_request, false, {0, 0, 0, 0}, 4, -EPROTO, UNEXPECTED_MESSAGE, false);
READ(certificate_request, true, {13, 0, 0, 3, 0, 0, 0}, 7, -EPROTO, UNEXPECTED_MESSAGE, false);
READ(ticket_from_a_client, false, {4, 0, 0, 2, 7, 7}, 6, -EPROTO, UNEXPECTED_MESSAGE, false);
READ(ticket, true, {4, 0, 0, 2, 7, 7}, 6, 0, 0, false);
READ(two_tickets, true, {4, 0, 0, 2, 7, 7, 4, 0, 0, 1, 24}, 11, 0, 0, false);
READ(ticket_too_long, true, {4, 2, 1, 10, 7}, 5, -EPROTO, DECODE_ERROR, false);
READ(key_update_behind_a_ticket, true, {4, 0, 0, 2, 7, 7, 24, 0, 0, 1, 1}, 11, 1, 0, true);

FIXTURE_SETUP(read)
{
}

FIXTURE_TEARDOWN(read)
{
}

TEST_F(read, is_as_the_rfc_says)
{
	struct kt_rekey rekey = {.tickets = variant->tickets};
	uint8_t alert = 0;

	EXPECT_EQ(variant->rc, kt_rekey_read(&rekey, variant->content, variant->len, &alert));
	EXPECT_EQ(variant->alert, alert);
	EXPECT_EQ(variant->answer_owed, rekey.answer_owed);
}

/* In records of one byte, and all other splits in two. */
TEST(tickets_may_come_in_pieces)
{
	static const uint8_t tickets[] = {4, 0, 0, 5, 1, 2, 3, 4, 5, 4, 0, 0, 2, 1, 2};
	static const uint8_t update[] = {24, 0, 0, 1, 1};
	struct kt_rekey rekey = {.tickets = true};
	uint8_t alert = 0;

	for (size_t i = 0; i < sizeof tickets; i++)
		ASSERT_EQ(0, kt_rekey_read(&rekey, tickets + i, 1, &alert));
	for (size_t cut = 1; cut < sizeof tickets; cut++) {
		ASSERT_EQ(0, kt_rekey_read(&rekey, tickets, cut, &alert));
		ASSERT_EQ(0, kt_rekey_read(&rekey, tickets + cut, sizeof tickets - cut, &alert));
	}
	EXPECT_EQ(1, kt_rekey_read(&rekey, update, sizeof update, &alert));
}

/* ---- A stand-in for the kernel --------------------------------------------------------------- */

static struct {
	bool on;
	int install_err;
	int send_err;
	ssize_t sent;
	unsigned int installs, sends;
	enum kt_direction direction;
	struct kt_traffic_key key;
	const struct kt_traffic_key *at; /* where the caller had it */
	bool key_is_wiped;
	uint8_t message[KT_KEY_UPDATE_LEN];
	int type;
} kernel;

int __real_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);
int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
void __real_explicit_bzero(void *at, size_t len);
void __wrap_explicit_bzero(void *at, size_t len);
void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room);

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key)
{
	if (!kernel.on)
		return __real_kt_ktls_install(fd, direction, version, cipher, key);
	EXPECT_EQ(KT_TLS_1_3, version);
	EXPECT_EQ(KT_AES_256_GCM, cipher);
	kernel.installs++;
	kernel.direction = direction;
	kernel.key = *key;
	kernel.at = key;
	return kernel.install_err;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (!kernel.on)
		return __real_sendmsg(fd, msg, flags);
	EXPECT_TRUE(flags & MSG_NOSIGNAL);
	ASSERT_EQ(sizeof kernel.message, msg->msg_iov->iov_len);
	memcpy(kernel.message, msg->msg_iov->iov_base, sizeof kernel.message);
	kernel.type = *CMSG_DATA(CMSG_FIRSTHDR(msg));
	kernel.sends++;
	errno = kernel.send_err;
	return kernel.send_err ? -1 : kernel.sent;
}

void __wrap_explicit_bzero(void *at, size_t len)
{
	if (at == kernel.at && len == sizeof *kernel.at)
		kernel.key_is_wiped = true;
	__real_explicit_bzero(at, len);
}

void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room)
{
	EXPECT_LE(len, room);
	__wrap_explicit_bzero(at, len);
}

static const uint8_t update[] = {24, 0, 0, 1, 0};
static const uint8_t update_and_ask[] = {24, 0, 0, 1, 1};

static struct kt_rekey start(void)
{
	struct kt_rekey rekey = {.secrets.cipher = KT_AES_256_GCM};

	memset(rekey.secrets.tx, 't', sizeof rekey.secrets.tx);
	memset(rekey.secrets.rx, 'r', sizeof rekey.secrets.rx);
	memset(&kernel, 0, sizeof kernel);
	kernel.on = true;
	kernel.sent = KT_KEY_UPDATE_LEN;
	return rekey;
}

/* What tls/traffic, which has its own test, makes of the secret. */
static void expect_key(enum kt_direction direction, uint8_t secret[KT_TRAFFIC_SECRET_MAX],
		       const uint8_t now[KT_TRAFFIC_SECRET_MAX])
{
	struct kt_traffic_key key;

	ASSERT_EQ(0, kt_traffic_update(KT_AES_256_GCM, secret, &key));
	EXPECT_EQ(direction, kernel.direction);
	EXPECT_EQ(0, memcmp(&key, &kernel.key, sizeof key));
	EXPECT_EQ(0, memcmp(secret, now, KT_TRAFFIC_SECRET_MAX));
	EXPECT_TRUE(kernel.key_is_wiped);
}

TEST(key_update_moves_receiving_on)
{
	struct kt_rekey rekey = start(), before = rekey;
	uint8_t alert;

	ASSERT_EQ(0, kt_rekey_handle(&rekey, 7, update, sizeof update, &alert));
	EXPECT_EQ(1, kernel.installs);
	EXPECT_EQ(0, kernel.sends);
	expect_key(KT_RX, before.secrets.rx, rekey.secrets.rx);
	EXPECT_EQ(0, memcmp(before.secrets.tx, rekey.secrets.tx, sizeof before.secrets.tx));
}

TEST(key_update_that_asks_moves_both_on)
{
	struct kt_rekey rekey = start(), before = rekey;
	uint8_t alert;

	ASSERT_EQ(0, kt_rekey_handle(&rekey, 7, update_and_ask, sizeof update_and_ask, &alert));
	EXPECT_EQ(2, kernel.installs);
	EXPECT_EQ(1, kernel.sends);
	EXPECT_EQ(KT_RECORD_HANDSHAKE, kernel.type);
	EXPECT_EQ(0, memcmp(update, kernel.message, sizeof update));
	EXPECT_FALSE(rekey.answer_owed);
	expect_key(KT_TX, before.secrets.tx, rekey.secrets.tx);
}

TEST(answer_that_finds_no_room_is_owed)
{
	struct kt_rekey rekey = start();
	uint8_t alert;

	kernel.send_err = EAGAIN;
	EXPECT_EQ(0, kt_rekey_handle(&rekey, 7, update_and_ask, sizeof update_and_ask, &alert));
	EXPECT_TRUE(rekey.answer_owed);
	EXPECT_EQ(1, kernel.installs);
	kernel.send_err = 0;
	EXPECT_EQ(0, kt_rekey_send(&rekey, 7, false));
	EXPECT_FALSE(rekey.answer_owed);
	EXPECT_EQ(2, kernel.installs);
	EXPECT_EQ(KT_TX, kernel.direction);
}

TEST(asking_says_so)
{
	struct kt_rekey rekey = start();

	EXPECT_EQ(0, kt_rekey_send(&rekey, 7, true));
	EXPECT_EQ(0, memcmp(update_and_ask, kernel.message, sizeof update_and_ask));
}

/* What cannot be sent leaves the key for sending as it is. */
FIXTURE(rekey_error){};
FIXTURE_VARIANT(rekey_error)
{
	int err;
};
FIXTURE_VARIANT_ADD(rekey_error, eio){EIO};
FIXTURE_VARIANT_ADD(rekey_error, ebusy){EBUSY};
FIXTURE_VARIANT_ADD(rekey_error, einval){EINVAL};
FIXTURE_VARIANT_ADD(rekey_error, enomem){ENOMEM};

FIXTURE_SETUP(rekey_error)
{
}

FIXTURE_TEARDOWN(rekey_error)
{
}

TEST_F(rekey_error, of_installing_passes_through)
{
	struct kt_rekey rekey = start();
	uint8_t alert = 0;

	kernel.install_err = -variant->err;
	EXPECT_EQ(-variant->err, kt_rekey_handle(&rekey, 7, update, sizeof update, &alert));
	EXPECT_EQ(80, alert);
	EXPECT_EQ(-variant->err, kt_rekey_send(&rekey, 7, false));
	EXPECT_TRUE(kernel.key_is_wiped);
}

TEST_F(rekey_error, of_sending_passes_through)
{
	struct kt_rekey rekey = start();

	kernel.send_err = variant->err;
	EXPECT_EQ(-variant->err, kt_rekey_send(&rekey, 7, false));
	EXPECT_EQ(0, kernel.installs);
}

TEST(half_a_key_update_is_eio)
{
	struct kt_rekey rekey = start();

	kernel.sent = 2;
	EXPECT_EQ(-EIO, kt_rekey_send(&rekey, 7, false));
	EXPECT_EQ(0, kernel.installs);
}

TEST(wiping_leaves_no_secret)
{
	static const struct kt_traffic_secrets none;
	struct kt_rekey rekey = start();

	kt_rekey_wipe(&rekey);
	EXPECT_EQ(0, memcmp(&none, &rekey.secrets, sizeof none));
}

/* ---- The kernel ------------------------------------------------------------------------------ */

FIXTURE(rekey_kernel)
{
	int fds[2];
	struct kt_rekey rekeys[2];
};
FIXTURE_VARIANT(rekey_kernel)
{
	enum kt_cipher cipher;
};
FIXTURE_VARIANT_ADD(rekey_kernel, aes_128_gcm){KT_AES_128_GCM};
FIXTURE_VARIANT_ADD(rekey_kernel, aes_256_gcm){KT_AES_256_GCM};
FIXTURE_VARIANT_ADD(rekey_kernel, chacha20_poly1305){KT_CHACHA20_POLY1305};

FIXTURE_SETUP(rekey_kernel)
{
	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	if (!test_kernel_is(6, 14))
		SKIP(return, "this kernel cannot replace keys");
	test_pair(TEST_INET, self->fds);
	ASSERT_EQ(0, kt_ktls_attach(self->fds[0]));
	ASSERT_EQ(0, kt_ktls_attach(self->fds[1]));
	for (int i = 0; i < 2; i++) {
		struct kt_traffic_key key = test_key(1000);
		struct kt_traffic_secrets *secrets = &self->rekeys[i].secrets;

		secrets->cipher = self->rekeys[!i].secrets.cipher = variant->cipher;
		ASSERT_EQ((ssize_t)sizeof secrets->tx,
			  getrandom(secrets->tx, sizeof secrets->tx, 0));
		memcpy(self->rekeys[!i].secrets.rx, secrets->tx, sizeof secrets->tx);
		ASSERT_EQ(0,
			  kt_ktls_install(self->fds[i], KT_TX, KT_TLS_1_3, variant->cipher, &key));
		ASSERT_EQ(0,
			  kt_ktls_install(self->fds[!i], KT_RX, KT_TLS_1_3, variant->cipher, &key));
	}
}

FIXTURE_TEARDOWN(rekey_kernel)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

static void expect_text(int from, int to, const char *text)
{
	uint8_t buf[64];
	int type = 0;

	ASSERT_EQ((ssize_t)strlen(text), send(from, text, strlen(text), MSG_NOSIGNAL));
	ASSERT_EQ((ssize_t)strlen(text), test_recv(to, buf, sizeof buf, &type));
	EXPECT_EQ(KT_RECORD_DATA, type);
	EXPECT_EQ(0, memcmp(text, buf, strlen(text)));
}

static void take_key_update(FIXTURE_DATA(rekey_kernel) * self, int i)
{
	uint8_t buf[64], alert;
	int type = 0;
	ssize_t len = test_recv(self->fds[i], buf, sizeof buf, &type);

	ASSERT_EQ(KT_KEY_UPDATE_LEN, len);
	ASSERT_EQ(KT_RECORD_HANDSHAKE, type);
	/* until then nothing is read */
	EXPECT_EQ(-EKEYEXPIRED,
		  test_recv(self->fds[i], buf + len, sizeof buf - (size_t)len, &type));
	ASSERT_EQ(0, kt_rekey_handle(&self->rekeys[i], self->fds[i], buf, (size_t)len, &alert));
	EXPECT_FALSE(self->rekeys[i].answer_owed);
}

TEST_F(rekey_kernel, goes_on_for_many_generations)
{
	for (int i = 0; i < 20; i++) {
		int one = i % 2, other = !one;

		ASSERT_EQ(0, kt_rekey_send(&self->rekeys[one], self->fds[one], true));
		take_key_update(self, other);
		take_key_update(self, one);
		expect_text(self->fds[one], self->fds[other], "there");
		expect_text(self->fds[other], self->fds[one], "and back");
	}
}

TEST_F(rekey_kernel, of_one_side_leaves_the_other)
{
	struct kt_rekey before = self->rekeys[1];

	ASSERT_EQ(0, kt_rekey_send(&self->rekeys[0], self->fds[0], false));
	take_key_update(self, 1);
	EXPECT_EQ(0,
		  memcmp(before.secrets.tx, self->rekeys[1].secrets.tx, sizeof before.secrets.tx));
	expect_text(self->fds[0], self->fds[1], "new");
	expect_text(self->fds[1], self->fds[0], "old");
}

TEST_HARNESS_MAIN
