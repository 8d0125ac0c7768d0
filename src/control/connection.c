/* SPDX-License-Identifier: BSD-2-Clause */
/* One control connection at either end: credentials, lines, JSON. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct kt_control {
	int fd;
	int timeout_ms;
	char *line;    /* KT_CONTROL_LINE_MAX bytes: what was received and not yet taken */
	size_t filled; /* bytes in line */
};

static int wrap(int fd, struct kt_control **ret_control)
{
	struct kt_control *control = calloc(1, sizeof *control);

	if (!control)
		return -ENOMEM;
	control->line = malloc(KT_CONTROL_LINE_MAX);
	if (!control->line) {
		free(control);
		return -ENOMEM;
	}
	control->fd = fd;
	control->timeout_ms = KT_CONTROL_TIMEOUT_MS;
	*ret_control = control;
	return 0;
}

void kt_control_free(struct kt_control *control)
{
	if (!control)
		return;
	close(control->fd);
	free(control->line);
	free(control);
}

void kt_control_set_timeout(struct kt_control *control, int timeout_ms)
{
	control->timeout_ms = timeout_ms;
}

/* SO_PEERCRED is what the kernel noted at connect and listen: the peer cannot choose it. */
static int check_peer(int fd, const char *who, struct kt_error *error)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return kt_error_set(error, errno, who, 0, "peer credentials: %s", strerror(errno));
	if (cred.uid != 0 && cred.uid != geteuid())
		return kt_error_set(
			error, EACCES, who, 0,
			"belongs to user %u, who is neither root nor user %u, the only ones "
			"trusted here (run ktrust as the user of ktrustd)",
			(unsigned int)cred.uid, (unsigned int)geteuid());
	return 0;
}

static const char *hint_for(int err)
{
	return err == EACCES ? "run as root, or as the user of that ktrustd"
			     : "is ktrustd running, and is this its control socket? choose with "
			       "--control";
}

int kt_control_accept(int fd, struct kt_control **ret_control, struct kt_error *error)
{
	struct kt_control *control;
	struct kt_error why;
	json_t *reply;
	int err = wrap(fd, &control);

	if (err) {
		close(fd);
		return kt_error_set(error, -err, "control client", 0, "out of memory");
	}
	err = check_peer(fd, "control client", &why);
	if (!err) {
		*ret_control = control;
		return 0;
	}
	if (error)
		*error = why;
	reply = kt_control_failed(KT_CONTROL_REFUSED, &why);
	/* Best effort: the peer is refused whether it hears why or not. */
	if (kt_control_send(control, reply))
		shutdown(fd, SHUT_RDWR);
	json_decref(reply);
	kt_control_free(control);
	return err;
}

int kt_control_connect(const char *path, struct kt_control **ret_control, struct kt_error *error)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (!path[0] || strlen(path) >= sizeof addr.sun_path)
		return kt_error_set(error, EINVAL, path, 0,
				    "a control socket's path has 1 to %zu bytes",
				    sizeof addr.sun_path - 1);
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr)) {
		err = kt_error_set(error, errno, path, 0, "%s (%s)", strerror(errno),
				   hint_for(errno));
		goto fail_close;
	}
	err = check_peer(fd, path, error);
	if (!err && wrap(fd, ret_control))
		err = kt_error_set(error, ENOMEM, path, 0, "out of memory");
	if (!err)
		return 0;
fail_close:
	close(fd);
	return err;
}

static int wait_for(const struct kt_control *control, short events)
{
	struct pollfd poll_fd = {.fd = control->fd, .events = events};
	int n;

	do {
		n = poll(&poll_fd, 1, control->timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	return n == 0 ? -ETIMEDOUT : -errno;
}

static int send_all(const struct kt_control *control, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(control->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err;

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		err = wait_for(control, POLLOUT);
		if (err)
			return err;
	}
	return 0;
}

int kt_control_send(struct kt_control *control, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t len;
	int err;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len + 1 > KT_CONTROL_LINE_MAX) {
		free(text);
		return -EMSGSIZE;
	}
	text[len] = '\n'; /* in place of the NUL: one send, one line */
	err = send_all(control, text, len + 1);
	free(text);
	return err;
}

/* Take the first `len` bytes of the buffer (a line with its newline) as a message. */
static int take_line(struct kt_control *control, size_t len, json_t **ret_message,
		     struct kt_error *error)
{
	json_error_t why;
	json_t *message = json_loadb(control->line, len, JSON_REJECT_DUPLICATES, &why);

	control->filled -= len;
	memmove(control->line, control->line + len, control->filled);
	if (!message)
		return kt_error_set(error, EBADMSG, "control message", 0, "not JSON: %s", why.text);
	if (!json_is_object(message)) {
		json_decref(message);
		return kt_error_set(error, EBADMSG, "control message", 0, "not a JSON object");
	}
	*ret_message = message;
	return 0;
}

/* > 0 bytes came, 0 the peer is done, else -errno. */
static ssize_t receive_some(struct kt_control *control)
{
	for (;;) {
		ssize_t n = recv(control->fd, control->line + control->filled,
				 KT_CONTROL_LINE_MAX - control->filled, MSG_DONTWAIT);
		int err;

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		err = wait_for(control, POLLIN);
		if (err)
			return err;
	}
}

int kt_control_receive(struct kt_control *control, json_t **ret_message, struct kt_error *error)
{
	size_t scanned = 0;

	for (;;) {
		char *end = memchr(control->line + scanned, '\n', control->filled - scanned);
		ssize_t n;

		if (end)
			return take_line(control, (size_t)(end - control->line) + 1, ret_message,
					 error);
		scanned = control->filled;
		if (control->filled == KT_CONTROL_LINE_MAX)
			return kt_error_set(error, EMSGSIZE, "control message", 0,
					    "longer than %u bytes", KT_CONTROL_LINE_MAX);
		n = receive_some(control);
		if (n < 0)
			return kt_error_set(error, (int)-n, "control socket", 0, "%s",
					    strerror((int)-n));
		if (n == 0 && control->filled)
			return kt_error_set(error, EBADMSG, "control message", 0, "cut");
		if (n == 0) {
			*ret_message = NULL;
			return 0;
		}
		control->filled += (size_t)n;
	}
}
