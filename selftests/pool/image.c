/* SPDX-License-Identifier: BSD-2-Clause */
/* Images that come from elsewhere: from files, and from other processes. */
#include "image_bytes.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- Out and in again ---------------------------------------------------------------------- */

TEST_F(image, memfd_is_sealed_and_holds_the_same_bytes)
{
	int fd = kt_snapshot_to_memfd(self->snapshot);
	uint8_t *bytes = malloc(self->len);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, bytes);
	EXPECT_EQ(SEALS | F_SEAL_SEAL, fcntl(fd, F_GET_SEALS) & (SEALS | F_SEAL_SEAL));
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(-1, pwrite(fd, "", 1, 0));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(self->len, st.st_size);
	ASSERT_EQ((ssize_t)self->len, pread(fd, bytes, self->len, 0));
	EXPECT_EQ(0, memcmp(bytes, self->copy, self->len));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_CUR));
	free(bytes);
	close(fd);
}

TEST_F(image, maps_from_a_sealed_memfd)
{
	int fd = kt_snapshot_to_memfd(self->snapshot);
	struct kt_snapshot *mapped = NULL;
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, &error))
	{
		TH_LOG("%s", error.text);
	}
	close(fd);
	EXPECT_NE(self->snapshot, mapped);
	EXPECT_EQ(0, memcmp(mapped, self->snapshot, self->len));
	kt_snapshot_free(mapped);
}

TEST_F(image, unsealed_memfd_is_eperm)
{
	static const int too_few[] = {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_GROW,
				      F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SHRINK};

	for (size_t i = 0; i < sizeof too_few / sizeof too_few[0]; i++) {
		struct kt_snapshot *mapped = NULL;
		struct kt_error error = {0};
		int fd = memfd_of(self->copy, self->len, too_few[i]);

		EXPECT_EQ(-EPERM, kt_snapshot_map(fd, &mapped, &error));
		EXPECT_EQ(EPERM, error.err);
		EXPECT_NULL(mapped);
		close(fd);
	}
}

/* On tmpfs and elsewhere alike: both may be behind /tmp and the current directory. */
TEST_F(image, file_is_copied_so_that_later_changes_do_not_show)
{
	static const char *const places[] = {"/tmp", "/dev/shm", "/var/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct kt_snapshot *mapped = NULL;
		char path[64];
		int fd;

		snprintf(path, sizeof path, "%s/ktrust-image.XXXXXX", places[i]);
		fd = mkstemp(path);
		if (fd < 0 && errno == ENOENT)
			continue;
		ASSERT_LE(0, fd);
		ASSERT_EQ((ssize_t)self->len, write(fd, self->copy, self->len));
		ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, NULL));
		ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
		ASSERT_EQ(0, ftruncate(fd, 0));
		EXPECT_EQ(0, memcmp(mapped, self->copy, self->len));
		kt_snapshot_free(mapped);
		unlink(path);
		close(fd);
	}
}

TEST_F(image, what_is_no_file_is_refused)
{
	struct kt_snapshot *mapped = NULL;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, kt_snapshot_map(pipes[0], &mapped, NULL));
	close(pipes[0]);
	EXPECT_EQ(-EBADF, kt_snapshot_map(pipes[0], &mapped, NULL));
	close(pipes[1]);
	EXPECT_NULL(mapped);
}

/* ---- Another process ----------------------------------------------------------------------- */

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = "x", .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
	ASSERT_EQ(1, sendmsg(socket, &msg, 0));
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	int fd;

	ASSERT_EQ(1, recvmsg(socket, &msg, MSG_CMSG_CLOEXEC));
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
	return fd;
}

static void put(int socket, const void *bytes, size_t len)
{
	ASSERT_EQ((ssize_t)len, send(socket, bytes, len, 0));
}

/* All that the functions tell of a snapshot, as bytes into a socket. */
static void tell_all(const struct kt_snapshot *snapshot, int socket)
{
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	put(socket, info.pool, strlen(info.pool));
	put(socket, &info.version, sizeof info.version);
	put(socket, &info.created_ns, sizeof info.created_ns);
	put(socket, info.digest, KT_DIGEST_LEN);
	for (size_t i = 0; i < info.anchors; i++) {
		struct kt_anchor anchor, found;
		size_t cursor = 0;

		ASSERT_EQ(0, kt_snapshot_anchor(snapshot, i, &anchor));
		put(socket, anchor.der, anchor.der_len);
		put(socket, anchor.identity, KT_DIGEST_LEN);
		ASSERT_EQ(0, kt_snapshot_find_fingerprint(snapshot, anchor.fingerprint, &found));
		put(socket, found.spki, found.spki_len);
		put(socket, found.key_id, found.key_id_len);
		while (kt_snapshot_find_subject(snapshot, anchor.subject, anchor.subject_len,
						&cursor, &found) == 0)
			put(socket, found.fingerprint, KT_DIGEST_LEN);
	}
	shutdown(socket, SHUT_WR);
}

static size_t read_all(int socket, uint8_t *to, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(socket, to + len, size - len)) > 0)
		len += (size_t)got;
	ASSERT_EQ(0, got);
	return len;
}

/* Nothing of the parent's snapshot is there but what comes by the socket. */
static void be_the_other_process(int socket, struct kt_snapshot *parents, size_t len)
{
	struct kt_snapshot *mapped = NULL;
	int fd = receive_fd(socket);

	/* Its place is taken, so that the memfd has to be mapped elsewhere. */
	kt_snapshot_free(parents);
	ASSERT_EQ((void *)parents, mmap(parents, len, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	ASSERT_EQ(0, kt_snapshot_map(fd, &mapped, NULL));
	close(fd);
	put(socket, &mapped, sizeof mapped);
	tell_all(mapped, socket);
	kt_snapshot_free(mapped);
}

TEST_F(image, another_process_reads_the_same)
{
	static uint8_t ours[65536], theirs[65536];
	struct kt_snapshot *their_address;
	size_t our_len, their_len;
	int sockets[2], own[2];
	int fd, status;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, own));
	fd = kt_snapshot_to_memfd(self->snapshot);
	ASSERT_LE(0, fd);
	child = fork();
	ASSERT_LE(0, child);
	if (child == 0) {
		close(fd);
		close(sockets[0]);
		be_the_other_process(sockets[1], self->snapshot, self->len);
		_exit(0);
	}
	close(sockets[1]);
	send_fd(sockets[0], fd);
	close(fd);
	ASSERT_EQ((ssize_t)sizeof their_address,
		  recv(sockets[0], &their_address, sizeof their_address, MSG_WAITALL));
	their_len = read_all(sockets[0], theirs, sizeof theirs);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	tell_all(self->snapshot, own[0]);
	our_len = read_all(own[1], ours, sizeof ours);
	EXPECT_NE(self->snapshot, their_address);
	EXPECT_LT(3 * self->roots.template_len, our_len);
	ASSERT_EQ(our_len, their_len);
	EXPECT_EQ(0, memcmp(ours, theirs, our_len));
}

TEST_HARNESS_MAIN
