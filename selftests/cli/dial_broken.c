/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ktrust dial says of records that the kernel has and that are not as they should be, with a
 * stand-in for the kernel (linked with --wrap).
 */
#include "../../src/cli/dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktrust/ktls.h>

#include "../harness.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#define GET_RECORD_TYPE	   2
#define CHANGE_CIPHER_SPEC 20

static struct {
	int receive_err, send_err, key_err;
	uint8_t type; /* of the record that comes else */
	uint8_t body[8];
	size_t len;
} kernel;

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	(void)fd;
	(void)flags;
	if (kernel.receive_err) {
		errno = kernel.receive_err;
		return -1;
	}
	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = GET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = kernel.type;
	memcpy(msg->msg_iov->iov_base, kernel.body, kernel.len);
	return (ssize_t)kernel.len;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	(void)fd;
	(void)data;
	(void)len;
	(void)flags;
	errno = kernel.send_err;
	return -1;
}

int __wrap_kt_dial_keys_send(struct kt_dial_keys *keys, int fd);

int __wrap_kt_dial_keys_send(struct kt_dial_keys *keys, int fd)
{
	(void)keys;
	(void)fd;
	return -kernel.key_err;
}

FIXTURE(broken)
{
	struct kt_dial dial;
	struct kt_error error;
	int fds[2], input[2];
};

FIXTURE_SETUP(broken)
{
	memset(&kernel, 0, sizeof kernel);
	kernel.body[0] = 1;
	kernel.len = 1;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, self->fds));
	ASSERT_EQ(0, pipe(self->input));
	ASSERT_EQ(STDIN_FILENO, dup2(self->input[0], STDIN_FILENO));
	self->dial = (struct kt_dial){.target = "server.test:1",
				      .offloaded = true,
				      .info.version = KT_TLS_1_3,
				      .fd = self->fds[0]};
}

FIXTURE_TEARDOWN(broken)
{
	close(self->fds[0]);
	close(self->fds[1]);
	close(self->input[0]);
	close(self->input[1]);
}

static void expect_text(FIXTURE_DATA(broken) * self, int err, const char *begin)
{
	EXPECT_EQ(-err, kt_dial_pump(&self->dial, &self->error));
	EXPECT_EQ(0, strncmp(begin, self->error.text, strlen(begin)))
	{
		TH_LOG("%s", self->error.text);
	}
	EXPECT_FALSE(self->dial.refused);
}

/* As kernel TLS has it: no tag that fits, no header of a record, one that is too long. */
TEST_F(broken, record_that_cannot_be_read_is_named)
{
	static const int errs[] = {EBADMSG, EINVAL, EMSGSIZE};

	ASSERT_EQ(1, write(self->fds[1], "x", 1));
	for (size_t i = 0; i < sizeof errs / sizeof errs[0]; i++) {
		kernel.receive_err = errs[i];
		expect_text(self, EPROTO, "bad_record: a record came that cannot be read");
	}
}

TEST_F(broken, record_that_cannot_be_read_may_be_told_by_what_is_sent_next)
{
	kernel.send_err = EBADMSG;
	ASSERT_EQ(1, write(self->input[1], "x", 1));
	expect_text(self, EPROTO, "bad_record: a record came that cannot be read");
}

TEST_F(broken, key_that_the_kernel_does_not_take_is_no_bad_record)
{
	kernel.key_err = EINVAL;
	self->dial.keys.replaceable = true;
	self->dial.keys.rekey.answer_owed = true;
	expect_text(self, EINVAL, "rekey_failed: ");
}

TEST_F(broken, other_errors_keep_their_own_words)
{
	ASSERT_EQ(1, write(self->fds[1], "x", 1));
	kernel.receive_err = ECONNRESET;
	expect_text(self, ECONNRESET, "the connection broke: Connection reset by peer");
}

TEST_F(broken, record_that_has_no_place_is_told_in_words)
{
	static const uint8_t types[] = {CHANGE_CIPHER_SPEC, KT_RECORD_ALERT, KT_RECORD_HANDSHAKE};

	ASSERT_EQ(1, write(self->fds[1], "x", 1));
	for (size_t i = 0; i < sizeof types; i++) {
		kernel.type = types[i];
		self->dial.tickets = (struct kt_tickets){0};
		expect_text(self, EPROTO, "protocol_error: the server sent a record or message");
	}
}

/* RFC 8446 section 5.1; two that begin with close_notify are no end that all came before. */
TEST_F(broken, record_that_is_more_than_one_alert_is_refused)
{
	static const size_t lens[] = {0, 1, 3, 4};

	ASSERT_EQ(1, write(self->fds[1], "x", 1));
	kernel.type = KT_RECORD_ALERT;
	kernel.body[1] = KT_ALERT_CLOSE_NOTIFY;
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		kernel.len = lens[i];
		expect_text(self, EPROTO, "protocol_error: the server sent a record or message");
	}
}

TEST_HARNESS_MAIN
