/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that pass from one process to another: who may, what is taken, and that nothing is left
 * open of what is not. The kernel's word for kTLS is given by a stand-in (linked with --wrap), so
 * that all of this is shown on every kernel; real records are in engine/handoff.
 */
#include "../../src/handoff/handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ktrust/ktls.h>
#include <ktrust/traffic.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define SOME_USER 12345

int __real_kt_ktls_state(int fd, unsigned int *ret_bits);
int __wrap_kt_ktls_state(int fd, unsigned int *ret_bits);

static int state_err;
static unsigned int state_bits = KT_KTLS_TX | KT_KTLS_RX;

int __wrap_kt_ktls_state(int fd, unsigned int *ret_bits)
{
	(void)fd;
	*ret_bits = state_bits;
	return state_err;
}

FIXTURE(handoff)
{
	char dir[64];
	struct sockaddr_un address;
	int listening;
	int sender, receiver; /* the link's ends */
	int pair[2];	      /* a TCP connection */
	char text[KT_HANDOFF_TEXT_MAX + 1];
	size_t len;
	unsigned int fds;
};

static const struct kt_handoff description = {
	.conn = 5,
	.listener = "l",
	.version = KT_TLS_1_3,
	.cipher = "c",
};

static int connect_to(const struct sockaddr_un *address, uid_t receiver, int *ret_fd)
{
	return kt_handoff_connect((const struct sockaddr *)address, sizeof *address, receiver,
				  ret_fd);
}

FIXTURE_SETUP(handoff)
{
	struct kt_error error = {0};

	strcpy(self->dir, "/tmp/ktrust-handoff-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	self->address.sun_family = AF_UNIX;
	snprintf(self->address.sun_path, sizeof self->address.sun_path, "%s/s", self->dir);
	ASSERT_EQ(0, kt_handoff_listen(self->address.sun_path, 0600, &self->listening, &error));
	ASSERT_EQ(0, connect_to(&self->address, geteuid(), &self->sender));
	ASSERT_EQ(0, kt_handoff_link(self->listening, geteuid(), &self->receiver));
	test_pair(TEST_INET, self->pair);
	self->len = kt_handoff_write(&description, self->text);
	self->fds = test_open_fds();
}

FIXTURE_TEARDOWN(handoff)
{
	close(self->listening);
	close(self->sender);
	close(self->receiver);
	close(self->pair[0]);
	close(self->pair[1]);
	unlink(self->address.sun_path);
	rmdir(self->dir);
}

/* A message with these descriptors, as any program could send it. */
static void send_fds(int link, const void *text, size_t len, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(300 * sizeof(int))] = {0};
	struct iovec iov = {(void *)text, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof *fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof *fds);
	}
	ASSERT_EQ((ssize_t)len, sendmsg(link, &msg, MSG_NOSIGNAL));
}

static void hand_over(FIXTURE_DATA(handoff) * self, int fd)
{
	struct kt_handoff_message message;

	kt_handoff_pack(&message, fd, self->text, self->len);
	ASSERT_EQ((ssize_t)self->len, sendmsg(self->sender, &message.msg, MSG_NOSIGNAL));
}

static int accept_one(FIXTURE_DATA(handoff) * self, struct kt_handoff *handoff)
{
	return kt_handoff_accept(self->receiver, handoff, NULL);
}

/* What was refused is closed, and the next one is taken. */
static void expect_refused(FIXTURE_DATA(handoff) * self, int err)
{
	struct kt_handoff handoff = {.fd = -2};

	EXPECT_EQ(err, accept_one(self, &handoff));
	EXPECT_EQ(-2, handoff.fd);
	EXPECT_EQ(self->fds, test_open_fds());
	state_err = 0;
	state_bits = KT_KTLS_TX | KT_KTLS_RX;
	hand_over(self, self->pair[1]);
	ASSERT_EQ(1, accept_one(self, &handoff));
	close(handoff.fd);
}

TEST_F(handoff, passes_the_socket_and_who_it_is)
{
	struct kt_handoff handoff;
	char text[KT_HANDOFF_TEXT_MAX + 1], byte = 0;

	hand_over(self, self->pair[1]);
	ASSERT_EQ(1, kt_handoff_accept(self->receiver, &handoff, text));
	EXPECT_EQ(5, handoff.conn);
	EXPECT_STREQ("l", handoff.listener);
	EXPECT_STREQ(self->text, text);
	EXPECT_TRUE(fcntl(handoff.fd, F_GETFD) & FD_CLOEXEC);
	ASSERT_EQ(1, send(self->pair[0], "x", 1, 0));
	ASSERT_EQ(1, recv(handoff.fd, &byte, 1, 0));
	EXPECT_EQ('x', byte);
	close(handoff.fd);
}

TEST_F(handoff, keeps_messages_apart)
{
	struct kt_handoff handoff;

	for (int i = 0; i < 5; i++)
		hand_over(self, self->pair[1]);
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(1, accept_one(self, &handoff));
		close(handoff.fd);
	}
}

TEST_F(handoff, end_of_the_link_is_told)
{
	struct kt_handoff handoff;

	hand_over(self, self->pair[1]);
	close(self->sender);
	self->sender = -1;
	ASSERT_EQ(1, accept_one(self, &handoff));
	close(handoff.fd);
	EXPECT_EQ(0, accept_one(self, &handoff));
}

TEST_F(handoff, does_not_wait_where_told_so)
{
	struct kt_handoff handoff;

	ASSERT_EQ(0, fcntl(self->receiver, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, accept_one(self, &handoff));
}

TEST_F(handoff, none_is_refused)
{
	send_fds(self->sender, self->text, self->len, NULL, 0);
	expect_refused(self, -EPROTO);
}

TEST_F(handoff, two_are_refused)
{
	send_fds(self->sender, self->text, self->len, self->pair, 2);
	expect_refused(self, -EPROTO);
}

TEST_F(handoff, three_and_more_are_refused)
{
	int fds[253]; /* SCM_MAX_FD */

	for (size_t i = 0; i < 253; i++)
		fds[i] = self->pair[1];
	send_fds(self->sender, self->text, self->len, fds, 3);
	expect_refused(self, -EPROTO);
	send_fds(self->sender, self->text, self->len, fds, 253);
	expect_refused(self, -EPROTO);
}

TEST_F(handoff, garbage_is_refused)
{
	send_fds(self->sender, "{\"handoff\":1}", 13, &self->pair[1], 1);
	expect_refused(self, -EBADMSG);
	send_fds(self->sender, "", 0, &self->pair[1], 1);
	expect_refused(self, -EBADMSG);
	/* A NUL behind it is garbage too. */
	send_fds(self->sender, self->text, self->len + 1, &self->pair[1], 1);
	expect_refused(self, -EBADMSG);
	send_fds(self->sender, "{\"handoff\":2}", 13, &self->pair[1], 1);
	expect_refused(self, -EPROTONOSUPPORT);
}

TEST_F(handoff, longer_ones_are_refused)
{
	static char text[KT_HANDOFF_TEXT_MAX + 1];

	memset(text, ' ', sizeof text);
	memcpy(text, self->text, self->len);
	send_fds(self->sender, text, sizeof text, &self->pair[1], 1);
	expect_refused(self, -EBADMSG);
}

TEST_F(handoff, other_files_are_refused)
{
	int other = open("/dev/null", O_RDWR | O_CLOEXEC);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	self->fds += 2;
	hand_over(self, other);
	expect_refused(self, -ENOTSOCK);
	hand_over(self, udp);
	expect_refused(self, -ENOTSOCK);
	hand_over(self, self->sender);
	expect_refused(self, -ENOTSOCK);
	close(other);
	close(udp);
}

TEST_F(handoff, records_in_userspace_are_refused)
{
	state_bits = 0;
	hand_over(self, self->pair[1]);
	expect_refused(self, -ENOTSOCK);
	state_bits = KT_KTLS_TX;
	hand_over(self, self->pair[1]);
	expect_refused(self, -ENOTSOCK);
	state_bits = KT_KTLS_RX;
	hand_over(self, self->pair[1]);
	expect_refused(self, -ENOTSOCK);
	state_err = -EIO;
	hand_over(self, self->pair[1]);
	expect_refused(self, -ENOTSOCK);
}

/* TLS is attached, or the kernel would have said that it is not. */
TEST_F(handoff, attached_will_do_where_the_kernel_says_no_more)
{
	static const int errs[] = {-EPERM, -EOPNOTSUPP, -ENOTCONN};
	struct kt_handoff handoff;

	for (size_t i = 0; i < sizeof errs / sizeof errs[0]; i++) {
		state_err = errs[i];
		state_bits = 0;
		hand_over(self, self->pair[1]);
		ASSERT_EQ(1, accept_one(self, &handoff));
		close(handoff.fd);
	}
}

TEST_F(handoff, plain_connection_is_refused_by_the_real_kernel)
{
	unsigned int bits = 3;

	ASSERT_EQ(0, __real_kt_ktls_state(self->pair[1], &bits));
	EXPECT_EQ(0, bits);
}

/* ---- Who may ------------------------------------------------------------------------------- */

TEST_F(handoff, senders_of_other_users_are_refused)
{
	int link = -2, other = -1;

	ASSERT_EQ(0, connect_to(&self->address, geteuid(), &other));
	EXPECT_EQ(-EACCES, kt_handoff_link(self->listening, geteuid() + 1, &link));
	EXPECT_EQ(-2, link);
	close(other);
	EXPECT_EQ(self->fds, test_open_fds());
}

TEST_F(handoff, receivers_of_other_users_are_refused)
{
	int fd = -2;

	EXPECT_EQ(-EACCES, connect_to(&self->address, geteuid() + 1, &fd));
	EXPECT_EQ(-2, fd);
	EXPECT_EQ(self->fds, test_open_fds());
}

/* The one who listens counts, not the one who sits there now. */
TEST_F(handoff, another_users_receiver_is_known_by_its_user)
{
	struct kt_error error = {0};
	int ready[2], fd, status;
	char byte;
	pid_t child;

	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	ASSERT_EQ(0, unlink(self->address.sun_path));
	ASSERT_EQ(0, chmod(self->dir, 0777));
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	if (!child) {
		close(ready[1]);
		ASSERT_EQ(0, setresuid(SOME_USER, SOME_USER, SOME_USER));
		ASSERT_EQ(0, kt_handoff_listen(self->address.sun_path, 0666, &fd, &error));
		(void)!read(ready[0], &byte, 1);
		_exit(0);
	}
	close(ready[0]);
	fd = -1;
	for (unsigned int turns = 0; connect_to(&self->address, SOME_USER, &fd); turns++) {
		ASSERT_GT(5000, turns);
		usleep(1000);
	}
	close(fd);
	EXPECT_EQ(-EACCES, connect_to(&self->address, 0, &fd));
	close(ready[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* ---- Paths --------------------------------------------------------------------------------- */

TEST_F(handoff, socket_is_as_open_as_asked)
{
	struct kt_error error = {0};
	struct stat st;
	int fd;

	ASSERT_EQ(0, stat(self->address.sun_path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	unlink(self->address.sun_path);
	ASSERT_EQ(0, kt_handoff_listen(self->address.sun_path, 0660, &fd, &error));
	ASSERT_EQ(0, stat(self->address.sun_path, &st));
	EXPECT_EQ(0660, st.st_mode & 07777);
	close(fd);
}

TEST_F(handoff, path_in_use_is_kept)
{
	struct kt_error error = {0};
	int fd = -2;

	EXPECT_EQ(-EADDRINUSE, kt_handoff_listen(self->address.sun_path, 0600, &fd, &error));
	EXPECT_EQ(-2, fd);
	EXPECT_EQ(self->fds, test_open_fds());
}

TEST_F(handoff, path_of_the_dead_is_taken)
{
	struct kt_error error = {0};

	close(self->listening);
	EXPECT_EQ(-ECONNREFUSED, connect_to(&self->address, geteuid(), &self->listening));
	ASSERT_EQ(0, kt_handoff_listen(self->address.sun_path, 0600, &self->listening, &error));
}

TEST_F(handoff, other_files_in_the_way_stay)
{
	struct kt_error error = {0};
	char path[128], longer[200];
	int fd;

	snprintf(path, sizeof path, "%s/file", self->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-EEXIST, kt_handoff_listen(path, 0600, &fd, &error));
	EXPECT_EQ(0, unlink(path));
	memset(longer, 'a', sizeof longer);
	longer[108] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, kt_handoff_listen(longer, 0600, &fd, &error));
	EXPECT_EQ(-ENAMETOOLONG, kt_handoff_listen("", 0600, &fd, &error));
	EXPECT_EQ(-ENOENT, kt_handoff_listen("/nowhere/at/all", 0600, &fd, &error));
	EXPECT_EQ(self->fds, test_open_fds());
}

TEST_F(handoff, receiver_of_another_kind_is_told)
{
	int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	unlink(self->address.sun_path);
	ASSERT_EQ(0, bind(stream, (struct sockaddr *)&self->address, sizeof self->address));
	ASSERT_EQ(0, listen(stream, 1));
	EXPECT_EQ(-EPROTOTYPE, connect_to(&self->address, geteuid(), &fd));
	close(stream);
}

TEST_F(handoff, connecting_never_waits)
{
	int fds[4096], count = 0, err = 0;

	while (count < 4096 && !(err = connect_to(&self->address, geteuid(), &fds[count])))
		count++;
	EXPECT_EQ(-EAGAIN, err);
	while (count)
		close(fds[--count]);
}

/* As much as a receiver can lose. */
TEST_F(handoff, queue_of_the_kernel_is_bounded)
{
	struct kt_handoff_message message;
	int count = 0;

	kt_handoff_pack(&message, self->pair[1], self->text, self->len);
	while (sendmsg(self->sender, &message.msg, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		ASSERT_GT(200, count++);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LE(10, count);
	/* Blocking by itself, since the ring is to wait for it. */
	EXPECT_FALSE(fcntl(self->sender, F_GETFL) & O_NONBLOCK);
}

TEST_HARNESS_MAIN
