/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's listening end of the control socket, and who owns its path. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * The lock decides who owns the path, not the socket: a socket file outlives its daemon, a lock
 * does not, and two daemons that start together cannot both hold it. The lock file itself is never
 * removed, since a lock on a removed file excludes nobody.
 */
static int take_lock(const char *path, int *ret_fd, struct kt_error *error)
{
	char lock_path[128];
	int fd, err;

	snprintf(lock_path, sizeof lock_path, "%s.lock", path);
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return kt_error_set(error, errno, lock_path, 0,
				    "%s (does the directory exist, and may this user write there?)",
				    strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB)) {
		*ret_fd = fd;
		return 0;
	}
	err = errno;
	close(fd);
	if (err == EWOULDBLOCK)
		return kt_error_set(error, EADDRINUSE, path, 0,
				    "another ktrustd uses this control socket (choose another with "
				    "--control)");
	return kt_error_set(error, err, lock_path, 0, "cannot be locked: %s", strerror(err));
}

/* Only called under the lock: a socket found now belongs to a daemon that is gone. */
static int remove_stale(const char *path, struct kt_error *error)
{
	struct stat st;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return kt_error_set(error, EEXIST, path, 0,
				    "is in the way and is no socket (remove it, or choose another "
				    "path with --control)");
	if (unlink(path) && errno != ENOENT)
		return kt_error_set(error, errno, path, 0, "stale socket cannot be removed: %s",
				    strerror(errno));
	return 0;
}

static int bind_private(const char *path, int *ret_fd, struct kt_error *error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	strcpy(addr.sun_path, path);
	/* Linux names the socket with the mode of its inode: it is never open to all. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&addr, sizeof addr))
		goto fail_close;
	if (chmod(path, 0600) || listen(fd, 16))
		goto fail_unlink;
	*ret_fd = fd;
	return 0;

fail_unlink:
	err = errno;
	unlink(path);
	errno = err;
fail_close:
	err = errno;
	close(fd);
	return kt_error_set(error, err, path, 0, "cannot listen: %s", strerror(err));
}

int kt_control_listen(const char *path, struct kt_control_listener *ret_listener,
		      struct kt_error *error)
{
	struct kt_control_listener made = {.fd = -1, .lock_fd = -1};
	int err;

	if (!path[0] || strlen(path) >= sizeof made.path)
		return kt_error_set(error, EINVAL, path, 0,
				    "a control socket's path has 1 to %zu bytes",
				    sizeof made.path - 1);
	strcpy(made.path, path);
	err = take_lock(path, &made.lock_fd, error);
	if (err)
		return err;
	err = remove_stale(path, error);
	if (!err)
		err = bind_private(path, &made.fd, error);
	if (err) {
		close(made.lock_fd);
		return err;
	}
	*ret_listener = made;
	return 0;
}

void kt_control_unlisten(struct kt_control_listener *listener)
{
	if (listener->fd < 0)
		return;
	unlink(listener->path);
	close(listener->fd);
	close(listener->lock_fd);
	listener->fd = listener->lock_fd = -1;
}
