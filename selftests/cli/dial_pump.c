/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust dial, records in the kernel, and keys that have protected all that they may, with a server
 * that is plain OpenSSL: those that the kernel can replace are, and the others end it. And records
 * that it cannot read.
 */
#include "../../src/cli/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/ktls_support.h"
#include "../tls/lab.h"

#define BLOCK	16384 /* bytes: a full record */
#define BLOCKS	24
#define RECORDS 4 /* full records that a key may protect */
#define NAME	"server.test"

FIXTURE(pump)
{
	struct lab lab;
	SSL_CTX *server;
	struct kt_tls_context *context;
	struct kt_ktls_support support;
	SSL *ssl;
	struct client heard;	 /* what the lab's callbacks write to */
	unsigned int updates[2]; /* that the server sent, and got */
	pid_t child;
	int input;	    /* of the child */
	int output, status; /* what it says at its end */
};

FIXTURE_VARIANT(pump)
{
	uint16_t version;
};
FIXTURE_VARIANT_ADD(pump, tls13){KT_TLS_1_3};
FIXTURE_VARIANT_ADD(pump, tls12){KT_TLS_1_2};

FIXTURE_SETUP(pump)
{
	struct kt_tls_context_options options = {.peer_role = KT_ROLE_SERVER};
	struct kt_error error = {0};

	if (!test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_ktls_probe(&self->support));
	/* The child may be gone. */
	signal(SIGPIPE, SIG_IGN);
	lab_init(&self->lab, &(struct lab_options){0});
	const struct pki_cert *card =
		pki_make(self->lab.pki, self->lab.ca,
			 &(struct pki_options){.cn = NAME, .dns = {NAME}, .eku = "serverAuth"});
	self->server = server_context(&(struct client_options){
		.version = variant->version,
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
		.suites = "TLS_AES_128_GCM_SHA256",
		.cert = card});
	options.pool = self->lab.pool;
	ASSERT_EQ(0, kt_tls_context_new(&options, &self->context, &error));
}

FIXTURE_TEARDOWN(pump)
{
	SSL_free(self->ssl);
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->server);
	lab_fini(&self->lab);
}

/* ---- The child is ktrust dial ---------------------------------------------------------------- */

struct said {
	int err;
	bool keys_ended;
	char text[sizeof((struct kt_error *)0)->text];
};

static void child(FIXTURE_DATA(pump) * self, int fd, const int input[2], const int output[2],
		  int status)
{
	struct kt_dial dial = {.target = NAME,
			       .name = NAME,
			       .name_type = KT_NAME_DNS,
			       .ktls = KT_KTLS_REQUIRE,
			       .context = self->context,
			       .keys.records_max = RECORDS,
			       .deadline_ns = kt_dial_now_ns() + UINT64_C(20000000000),
			       .fd = fd};
	struct kt_error error = {0};
	struct said said = {0};

	dup2(input[0], STDIN_FILENO);
	dup2(output[1], STDOUT_FILENO);
	close(input[1]);
	close(output[0]);
	close(output[1]);
	said.err = kt_dial_shake(&dial, &error);
	if (!said.err)
		said.err = kt_dial_pump(&dial, &error);
	said.keys_ended = dial.keys_ended;
	memcpy(said.text, error.text, sizeof said.text);
	_exit(write(status, &said, sizeof said) != sizeof said);
}

static void count(int written, int version, int type, const void *data, size_t len, SSL *ssl,
		  void *arg)
{
	unsigned int *updates = arg;

	(void)version;
	(void)ssl;
	if (type == SSL3_RT_HANDSHAKE && len && *(const uint8_t *)data == SSL3_MT_KEY_UPDATE)
		updates[!written]++;
}

static void start(FIXTURE_DATA(pump) * self)
{
	int fds[2], input[2], output[2], status[2];

	test_pair(TEST_INET, fds);
	ASSERT_EQ(0, pipe(input));
	ASSERT_EQ(0, pipe(output));
	ASSERT_EQ(0, pipe(status));
	self->child = fork();
	ASSERT_LE(0, self->child);
	if (!self->child) {
		const int flags = fcntl(fds[0], F_GETFL);

		close(fds[1]);
		fcntl(fds[0], F_SETFL, flags | O_NONBLOCK);
		child(self, fds[0], input, output, status[1]);
	}
	close(fds[0]);
	close(input[0]);
	close(output[1]);
	close(status[1]);
	self->input = input[1];
	self->output = output[0];
	self->status = status[0];
	self->ssl = SSL_new(self->server);
	ASSERT_TRUE(self->ssl && SSL_set_fd(self->ssl, fds[1]));
	SSL_set_app_data(self->ssl, &self->heard);
	SSL_set_msg_callback(self->ssl, count);
	SSL_set_msg_callback_arg(self->ssl, self->updates);
	ASSERT_EQ(1, SSL_accept(self->ssl));
}

static void await_end(FIXTURE_DATA(pump) * self, struct said *ret_said)
{
	ASSERT_EQ((ssize_t)sizeof *ret_said, read(self->status, ret_said, sizeof *ret_said));
	ASSERT_EQ(self->child, waitpid(self->child, NULL, 0));
}

static void pattern(uint8_t block[BLOCK], unsigned int number)
{
	for (unsigned int i = 0; i < BLOCK; i++)
		block[i] = (uint8_t)(i * 7 + number * 13 + (i >> 8));
}

static bool read_whole(int fd, uint8_t *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, data + at, len - at);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* False: it is over. */
static bool send_down(FIXTURE_DATA(pump) * self, unsigned int number)
{
	uint8_t block[BLOCK], got[BLOCK];

	pattern(block, number);
	if (SSL_write(self->ssl, block, BLOCK) != BLOCK || !read_whole(self->output, got, BLOCK))
		return false;
	EXPECT_EQ(0, memcmp(block, got, BLOCK));
	return true;
}

static bool send_up(FIXTURE_DATA(pump) * self, unsigned int number)
{
	uint8_t block[BLOCK], got[BLOCK];
	int at = 0, n;

	pattern(block, number);
	if (write(self->input, block, BLOCK) != BLOCK)
		return false;
	for (; at < BLOCK; at += n) {
		n = SSL_read(self->ssl, got + at, BLOCK - at);
		if (n <= 0)
			return false;
	}
	EXPECT_EQ(0, memcmp(block, got, BLOCK));
	return true;
}

static unsigned int many(FIXTURE_DATA(pump) * self,
			 bool (*send_one)(FIXTURE_DATA(pump) * self, unsigned int number))
{
	unsigned int done = 0;

	while (done < BLOCKS && send_one(self, done))
		done++;
	return done;
}

static bool replaces(FIXTURE_DATA(pump) * self, const FIXTURE_VARIANT(pump) * variant)
{
	return self->support.rekey && variant->version == KT_TLS_1_3;
}

static void expect_key_limit(FIXTURE_DATA(pump) * self, unsigned int done)
{
	struct said said;

	await_end(self, &said);
	EXPECT_EQ(-EKEYEXPIRED, said.err);
	EXPECT_TRUE(said.keys_ended);
	EXPECT_EQ(0, strncmp(said.text, "key_limit: ", 11))
	{
		TH_LOG("%s", said.text);
	}
	EXPECT_LE(RECORDS - 1, done);
	EXPECT_GE(RECORDS, done);
}

static void expect_clean_end(FIXTURE_DATA(pump) * self)
{
	struct said said;
	uint8_t byte;

	close(self->input);
	EXPECT_EQ(0, SSL_read(self->ssl, &byte, 1));
	EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(self->ssl));
	SSL_shutdown(self->ssl);
	await_end(self, &said);
	EXPECT_EQ(0, said.err)
	{
		TH_LOG("%s", said.text);
	}
	EXPECT_FALSE(said.keys_ended);
}

TEST_F_TIMEOUT(pump, our_key_is_replaced_or_ends_it, 60)
{
	unsigned int done;

	start(self);
	done = many(self, send_up);
	if (!replaces(self, variant)) {
		expect_key_limit(self, done);
		return;
	}
	EXPECT_EQ(BLOCKS, done);
	EXPECT_LE(BLOCKS / RECORDS, self->updates[1]);
	expect_clean_end(self);
}

/* OpenSSL answers when it reads, so there is something for it to read. */
static bool send_both(FIXTURE_DATA(pump) * self, unsigned int number)
{
	return send_down(self, number) && send_up(self, number);
}

TEST_F_TIMEOUT(pump, servers_key_is_asked_for_or_ends_it, 60)
{
	unsigned int done;

	start(self);
	done = many(self, send_both);
	if (!replaces(self, variant)) {
		expect_key_limit(self, done);
		return;
	}
	EXPECT_EQ(BLOCKS, done);
	EXPECT_LE(BLOCKS / RECORDS, self->updates[0]);
	expect_clean_end(self);
}

TEST_F_TIMEOUT(pump, server_that_keeps_its_key_is_ended, 60)
{
	start(self);
	expect_key_limit(self, many(self, send_down));
}

/* Of what the kernel takes for a record: written past the server's TLS. */
static void expect_bad_record(FIXTURE_DATA(pump) * self, const uint8_t header[static 5])
{
	uint8_t record[5 + 64] = {0};
	struct said said;

	start(self);
	memcpy(record, header, 5);
	ASSERT_EQ((ssize_t)sizeof record, write(SSL_get_fd(self->ssl), record, sizeof record));
	await_end(self, &said);
	EXPECT_EQ(-EPROTO, said.err);
	EXPECT_EQ(0, strncmp(said.text, "bad_record: ", 12))
	{
		TH_LOG("%s", said.text);
	}
	EXPECT_FALSE(said.keys_ended);
}

TEST_F_TIMEOUT(pump, forged_record_is_named, 60)
{
	expect_bad_record(self, (const uint8_t[]){23, 3, 3, 0, 64});
}

TEST_F_TIMEOUT(pump, record_of_another_version_is_named, 60)
{
	expect_bad_record(self, (const uint8_t[]){23, 9, 9, 0, 64});
}

TEST_F_TIMEOUT(pump, record_that_is_too_long_is_named, 60)
{
	expect_bad_record(self, (const uint8_t[]){23, 3, 3, 255, 255});
}

/* ---- Parts of records ------------------------------------------------------------------------ */

#define WATCHED_NS 400000000 /* of which who waits uses little */

static uint64_t used_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	ASSERT_EQ(0, clock_getcpuclockid(pid, &clock));
	ASSERT_EQ(0, clock_gettime(clock, &used));
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void expect_waiting(FIXTURE_DATA(pump) * self)
{
	const struct timespec a_while = {.tv_nsec = WATCHED_NS};
	uint64_t before;

	nanosleep(&a_while, NULL);
	before = used_ns(self->child);
	nanosleep(&a_while, NULL);
	EXPECT_GT(WATCHED_NS / 4, used_ns(self->child) - before);
}

/* One record of ours, in two pieces. */
static void send_in_two(FIXTURE_DATA(pump) * self, const char *text, int len, int first)
{
	BIO *records = BIO_new(BIO_s_mem()), *socket = SSL_get_wbio(self->ssl);
	char record[256], got[64];
	int fd = SSL_get_fd(self->ssl), all;

	ASSERT_TRUE(records && BIO_up_ref(socket));
	SSL_set0_wbio(self->ssl, records);
	ASSERT_EQ(len, SSL_write(self->ssl, text, len));
	all = BIO_read(records, record, sizeof record);
	ASSERT_LT(first, all);
	ASSERT_EQ(first, write(fd, record, (size_t)first));
	expect_waiting(self);
	ASSERT_EQ(all - first, write(fd, record + first, (size_t)(all - first)));
	ASSERT_TRUE(read_whole(self->output, (uint8_t *)got, (size_t)len));
	EXPECT_EQ(0, memcmp(text, got, (size_t)len));
	SSL_set0_wbio(self->ssl, socket);
}

/* After our end poll tells of them, before Linux 6.5 always. */
TEST_F_TIMEOUT(pump, part_of_a_record_is_waited_for, 60)
{
	struct said said;
	uint8_t byte;

	start(self);
	send_in_two(self, "before our end", 14, 10);
	close(self->input);
	EXPECT_EQ(0, SSL_read(self->ssl, &byte, 1));
	send_in_two(self, "after it", 8, 3);
	send_in_two(self, "with a short rest", 17, 5 + 17);
	send_in_two(self, "x", 1, 1);
	SSL_shutdown(self->ssl);
	await_end(self, &said);
	EXPECT_EQ(0, said.err);
}

TEST_HARNESS_MAIN
