/* SPDX-License-Identifier: BSD-2-Clause */
/* Proxies and their logins as people write them. */
#include "upstream_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int refuse(struct kt_error *error, const char *why)
{
	return kt_error_set(error, EINVAL, "proxy", 0, "%s", why);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 §2.1. False: too long, or '%' without two digits, or of a NUL. */
static bool decode(const char *text, size_t len, char ret[static KT_UPSTREAM_LOGIN_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = (uint8_t)text[i];

		if (byte == '%') {
			int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

			byte = high < 0 || low < 0 ? 0 : high << 4 | low;
			i += 2;
		}
		if (!byte || n == KT_UPSTREAM_LOGIN_MAX)
			return false;
		ret[n++] = (char)byte;
	}
	ret[n] = '\0';
	return true;
}

static int parse_login(const char *text, size_t len, enum kt_upstream_kind kind,
		       struct kt_upstream_login *login, struct kt_error *error)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon ? (size_t)(colon - text) : len;

	if (!colon || !user)
		return refuse(error, "a login is USER:PASSWORD@");
	if (!decode(text, user, login->user) ||
	    !decode(colon + 1, len - user - 1, login->password) ||
	    !kt_upstream_is_login(kind, login))
		return refuse(error, "its login is malformed (USER and PASSWORD have at most 255 "
				     "bytes, and %XX for what has a meaning in a URL)");
	return 0;
}

static int parse_address(const char *text, struct kt_upstream_url *url, struct kt_error *error)
{
	size_t len = strcspn(text, "/");

	if (text[len] && text[len + 1])
		return refuse(error, "nothing follows HOST:PORT");
	if (!len || len >= sizeof url->address || !memchr(text, ':', len) || text[0] == ':')
		return refuse(error, "it ends in HOST:PORT");
	memcpy(url->address, text, len);
	url->address[len] = '\0';
	return 0;
}

static int parse(const char *text, struct kt_upstream_url *url, struct kt_error *error)
{
	const char *at;
	int err;

	if (!strncmp(text, "http://", 7)) {
		url->kind = KT_UPSTREAM_HTTP;
		text += 7;
	} else if (!strncmp(text, "socks5://", 9)) {
		url->kind = KT_UPSTREAM_SOCKS5;
		text += 9;
	} else {
		return refuse(error, "write http://HOST:PORT or socks5://HOST:PORT");
	}
	at = strrchr(text, '@');
	if (at) {
		err = parse_login(text, (size_t)(at - text), url->kind, &url->login, error);
		if (err)
			return err;
		text = at + 1;
	}
	return parse_address(text, url, error);
}

int kt_upstream_url_parse(const char *text, struct kt_upstream_url *ret_url, struct kt_error *error)
{
	struct kt_upstream_url url = {0};
	int err = parse(text, &url, error);

	if (!err)
		*ret_url = url;
	explicit_bzero(&url, sizeof url);
	return err;
}

/* ---- Files ----------------------------------------------------------------------------------- */

#define LINE_MAX_LEN (2 * KT_UPSTREAM_LOGIN_MAX + 1 + 2) /* ':', CR LF */

static int split_line(char *line, struct kt_upstream_login *login)
{
	size_t len = strcspn(line, "\r\n");
	char *colon;

	if (line[len + strspn(line + len, "\r\n")])
		return -EINVAL;
	line[len] = '\0';
	colon = strchr(line, ':');
	if (!colon || colon == line || colon - line > KT_UPSTREAM_LOGIN_MAX ||
	    strlen(colon + 1) > KT_UPSTREAM_LOGIN_MAX)
		return -EINVAL;
	memcpy(login->user, line, (size_t)(colon - line));
	strcpy(login->password, colon + 1);
	return kt_upstream_is_login(KT_UPSTREAM_HTTP, login) ? 0 : -EINVAL;
}

static int read_line(int fd, char line[static LINE_MAX_LEN + 2], const char *path,
		     struct kt_error *error)
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, line + have, LINE_MAX_LEN + 1 - have)) > 0)
		have += (size_t)n;
	if (n < 0)
		return kt_error_set(error, errno, path, 0, "cannot read it: %m");
	line[have] = '\0';
	if (have > LINE_MAX_LEN)
		return kt_error_set(error, EFBIG, path, 0, "this is longer than any USER:PASSWORD");
	/* A NUL would end the text before the line does. */
	return strlen(line) == have
		       ? 0
		       : kt_error_set(error, EINVAL, path, 0, "this is not a line of text");
}

int kt_upstream_login_read(const char *path, struct kt_upstream_login *ret_login,
			   struct kt_error *error)
{
	struct kt_upstream_login login = {0};
	char line[LINE_MAX_LEN + 2];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot open it: %m");
	err = read_line(fd, line, path, error);
	close(fd);
	if (!err && split_line(line, &login))
		err = kt_error_set(error, EINVAL, path, 0, "this is not one line USER:PASSWORD");
	if (!err)
		*ret_login = login;
	explicit_bzero(line, sizeof line);
	explicit_bzero(&login, sizeof login);
	return err;
}
