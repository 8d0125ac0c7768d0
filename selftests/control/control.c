/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: who owns its path, who may speak through it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "fixture.h"

#define NOBODY 65534

/* ---- The path -------------------------------------------------------------------------------- */

TEST_F(control, socket_is_for_its_owner_only)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_TRUE(S_ISSOCK(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
}

TEST_F(control, second_listener_is_refused)
{
	struct kt_control_listener second;
	struct stat before, after;

	ASSERT_EQ(0, stat(self->path, &before));
	EXPECT_EQ(-EADDRINUSE, kt_control_listen(self->path, &second, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "another ktrustd"));
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(control, stale_socket_is_replaced)
{
	struct kt_control *server, *client;

	/* As a daemon that was killed leaves it: the file is there, nobody listens or locks. */
	close(self->listener.fd);
	close(self->listener.lock_fd);
	EXPECT_EQ(-ECONNREFUSED, kt_control_connect(self->path, &client, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "is ktrustd running"));
	ASSERT_EQ(0, kt_control_listen(self->path, &self->listener, &self->error));
	close(serve_raw(self, &server));
	kt_control_free(server);
}

TEST_F(control, something_else_in_the_way_is_kept)
{
	char path[128], lock[140];
	struct kt_control_listener other;
	struct stat st;

	snprintf(path, sizeof path, "%s/file", self->dir);
	snprintf(lock, sizeof lock, "%s.lock", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-EEXIST, kt_control_listen(path, &other, &self->error));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_TRUE(S_ISREG(st.st_mode));
	unlink(path);
	unlink(lock);
}

TEST_F(control, paths_are_checked)
{
	struct kt_control_listener other;
	struct kt_control *control;
	char deep[200];

	memset(deep, 'x', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	EXPECT_EQ(-EINVAL, kt_control_listen(deep, &other, &self->error));
	EXPECT_EQ(-EINVAL, kt_control_listen("", &other, &self->error));
	EXPECT_EQ(-EINVAL, kt_control_connect(deep, &control, &self->error));
	EXPECT_EQ(-EINVAL, kt_control_connect("", &control, &self->error));
	EXPECT_EQ(-ENOENT, kt_control_listen("/nonexistent/sock", &other, &self->error));
	EXPECT_EQ(-ENOENT, kt_control_connect("/nonexistent/sock", &control, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "is ktrustd running"));
}

TEST_F(control, unlisten_leaves_the_path_to_the_next)
{
	kt_control_unlisten(&self->listener);
	EXPECT_EQ(-1, access(self->path, F_OK));
	EXPECT_EQ(0, kt_control_listen(self->path, &self->listener, &self->error));
}

/* ---- Who is at the other end ----------------------------------------------------------------- */

static int accept_one(FIXTURE_DATA(control) * self)
{
	struct pollfd poll_fd = {.fd = self->listener.fd, .events = POLLIN};

	ASSERT_EQ(1, poll(&poll_fd, 1, -1)); /* the test's time limit is the limit */
	return accept(self->listener.fd, NULL, NULL);
}

TEST_F(control, daemon_refuses_another_user_and_says_so)
{
	struct kt_control *server;
	pid_t child;

	if (geteuid())
		SKIP(return, "only root can become another user");
	ASSERT_EQ(0, chmod(self->dir, 0755));
	ASSERT_EQ(0, chmod(self->path, 0666)); /* past the first fence, to meet the second */
	child = fork();
	if (child == 0) {
		struct kt_control *client;
		json_t *result;

		ASSERT_EQ(0, setuid(NOBODY));
		ASSERT_EQ(0, kt_control_connect(self->path, &client, &self->error));
		EXPECT_EQ(KT_CONTROL_REFUSED, kt_control_call(client, json_object(), NULL, NULL,
							      &result, &self->error));
		EXPECT_EQ(EACCES, self->error.err);
		EXPECT_TRUE(strstr(self->error.text, "belongs to user 65534"));
		_exit(0);
	}
	EXPECT_EQ(-EACCES, kt_control_accept(accept_one(self), &server, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "belongs to user 65534"));
	await(child);
}

TEST_F(control, who_may_not_reach_the_socket_is_told_who_may)
{
	struct kt_control *client;
	pid_t child;

	if (geteuid())
		SKIP(return, "only root can become another user");
	ASSERT_EQ(0, chmod(self->dir, 0755));
	child = fork();
	if (child == 0) {
		ASSERT_EQ(0, setuid(NOBODY));
		EXPECT_EQ(-EACCES, kt_control_connect(self->path, &client, &self->error));
		EXPECT_TRUE(strstr(self->error.text, "(run as root, or as the user of"));
		_exit(0);
	}
	await(child);
}

TEST_F(control, client_refuses_another_users_daemon)
{
	struct kt_control *client;
	char path[128], lock[140];
	int ready[2], go[2];
	pid_t child;
	char byte;

	if (geteuid())
		SKIP(return, "only root can become another user");
	snprintf(path, sizeof path, "%s/theirs", self->dir);
	snprintf(lock, sizeof lock, "%s.lock", path);
	ASSERT_EQ(0, chown(self->dir, NOBODY, (gid_t)-1));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	child = fork();
	if (child == 0) {
		struct kt_control_listener theirs;
		struct kt_control *own;

		close(go[1]);
		ASSERT_EQ(0, setuid(NOBODY));
		ASSERT_EQ(0, kt_control_listen(path, &theirs, &self->error));
		/* Its own user may speak to it. */
		ASSERT_EQ(0, kt_control_connect(path, &own, &self->error));
		ASSERT_EQ(1, write(ready[1], "!", 1));
		EXPECT_EQ(0, read(go[0], &byte, 1));
		kt_control_unlisten(&theirs);
		_exit(0);
	}
	close(go[0]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(-EACCES, kt_control_connect(path, &client, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "belongs to user 65534"));
	close(go[1]);
	await(child);
	unlink(lock);
}

TEST_HARNESS_MAIN
