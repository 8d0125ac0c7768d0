/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- What can be said ------------------------------------------------------------------------ */

static bool is_name(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";
	size_t len = strlen(host);

	return len && strspn(host, allowed) == len;
}

static bool is_ipv6(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET6, host, bytes) == 1;
}

bool kt_upstream_is_host(const char *host)
{
	return strlen(host) <= KT_UPSTREAM_HOST_MAX && (is_name(host) || is_ipv6(host));
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

bool kt_upstream_is_login(enum kt_upstream_kind kind, const struct kt_upstream_login *login)
{
	return is_printable(login->user) && is_printable(login->password) &&
	       !strchr(login->user, ':') && (kind == KT_UPSTREAM_HTTP || login->password[0]);
}

/* ---- Saying it ------------------------------------------------------------------------------- */

static void say(struct kt_upstream *upstream, const void *data, size_t len)
{
	memcpy(upstream->out + upstream->out_len, data, len);
	upstream->out_len += (uint16_t)len;
}

static void say_byte(struct kt_upstream *upstream, unsigned int byte)
{
	say(upstream, &(uint8_t){(uint8_t)byte}, 1);
}

static void say_text(struct kt_upstream *upstream, const char *text)
{
	say(upstream, text, strlen(text));
}

static void say_with_length(struct kt_upstream *upstream, const char *text)
{
	say_byte(upstream, (unsigned int)strlen(text));
	say_text(upstream, text);
}

static void fail(struct kt_upstream *upstream, const char *failure)
{
	upstream->status = KT_UPSTREAM_FAILED;
	upstream->failure = failure;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

/* RFC 4648 §4 */
static void say_base64(struct kt_upstream *upstream, const uint8_t *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)data[i] << 16;

		three |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
		three |= i + 2 < len ? data[i + 2] : 0;
		say_byte(upstream, (uint8_t)digits[three >> 18]);
		say_byte(upstream, (uint8_t)digits[three >> 12 & 63]);
		say_byte(upstream, i + 1 < len ? (uint8_t)digits[three >> 6 & 63] : '=');
		say_byte(upstream, i + 2 < len ? (uint8_t)digits[three & 63] : '=');
	}
}

static void say_login(struct kt_upstream *upstream)
{
	const struct kt_upstream_login *login = &upstream->login;
	char pair[2 * KT_UPSTREAM_LOGIN_MAX + 2];
	int len = snprintf(pair, sizeof pair, "%s:%s", login->user, login->password);

	say_text(upstream, "Proxy-Authorization: Basic ");
	say_base64(upstream, (const uint8_t *)pair, (size_t)len);
	say_text(upstream, "\r\n");
	explicit_bzero(pair, sizeof pair);
}

static void ask_http(struct kt_upstream *upstream)
{
	char target[KT_UPSTREAM_HOST_MAX + 16];

	snprintf(target, sizeof target, is_ipv6(upstream->host) ? "[%s]:%u" : "%s:%u",
		 upstream->host, (unsigned int)upstream->port);
	say_text(upstream, "CONNECT ");
	say_text(upstream, target);
	say_text(upstream, " HTTP/1.1\r\nHost: ");
	say_text(upstream, target);
	say_text(upstream, "\r\n");
	if (upstream->login.user[0])
		say_login(upstream);
	say_text(upstream, "\r\n");
}

/* The status line up to its code: "HTTP/1.1 200" */
#define STATUS_LEN 12
#define BLANK_LEN  4 /* CR LF CR LF */

/* A byte of the status line; 'x' stands for a digit. */
static bool fits_status(size_t at, uint8_t byte)
{
	static const char pattern[STATUS_LEN + 1] = "HTTP/1.x xxx";

	if (pattern[at] == 'x')
		return byte >= '0' && byte <= '9';
	return byte == (uint8_t)pattern[at];
}

static void judge_http(struct kt_upstream *upstream)
{
	unsigned int code = upstream->code;

	if (code / 100 == 2)
		return;
	snprintf(upstream->detail, sizeof upstream->detail, "HTTP status %u", code);
	if (code == 407)
		fail(upstream, "upstream_auth");
	else if (code == 502 || code == 503 || code == 504)
		fail(upstream, "target_unreachable");
	else
		fail(upstream, "upstream_refused");
}

/* False: a line does not end in CR LF, or there is a NUL. */
static bool follow_lines(struct kt_upstream *upstream, uint8_t byte)
{
	bool after_cr = upstream->ends & 1;

	if (byte == '\0' || after_cr != (byte == '\n'))
		return false;
	if (byte == '\n' || byte == '\r')
		upstream->ends++;
	else
		upstream->ends = 0;
	return true;
}

static void take_http(struct kt_upstream *upstream, uint8_t byte)
{
	size_t at = upstream->in_len++;

	if (at < STATUS_LEN) {
		if (!fits_status(at, byte)) {
			fail(upstream, "upstream_invalid");
			return;
		}
		if (at >= STATUS_LEN - 3)
			upstream->code = (uint16_t)(upstream->code * 10 + (byte - '0'));
		if (at == STATUS_LEN - 1)
			judge_http(upstream);
		return;
	}
	if (at == KT_UPSTREAM_READ_MAX || !follow_lines(upstream, byte) ||
	    (at == STATUS_LEN && byte != ' ' && byte != '\r'))
		fail(upstream, "upstream_invalid");
	else if (upstream->ends == BLANK_LEN)
		upstream->status = KT_UPSTREAM_DONE;
}

/* The shortest answer that goes on like this. */
static size_t want_http(const struct kt_upstream *upstream)
{
	if (upstream->in_len < STATUS_LEN)
		return STATUS_LEN - upstream->in_len + BLANK_LEN;
	return BLANK_LEN - upstream->ends;
}

/* ---- SOCKS5 ---------------------------------------------------------------------------------- */

enum {
	SOCKS_VERSION = 5,
	LOGIN_VERSION = 1,
	METHOD_NONE = 0,
	METHOD_LOGIN = 2,
	COMMAND_CONNECT = 1
};
enum { ADDRESS_IPV4 = 1, ADDRESS_NAME = 3, ADDRESS_IPV6 = 4 };
enum phase { PHASE_METHOD, PHASE_LOGIN, PHASE_REPLY };

#define REPLY_HEAD_LEN 5 /* up to the length of a name, or the first byte of an address */

static void ask_method(struct kt_upstream *upstream)
{
	bool has_login = upstream->login.user[0];

	upstream->phase = PHASE_METHOD;
	say_byte(upstream, SOCKS_VERSION);
	say_byte(upstream, has_login ? 2 : 1);
	say_byte(upstream, METHOD_NONE);
	if (has_login)
		say_byte(upstream, METHOD_LOGIN);
}

static void ask_login(struct kt_upstream *upstream)
{
	upstream->phase = PHASE_LOGIN;
	say_byte(upstream, LOGIN_VERSION);
	say_with_length(upstream, upstream->login.user);
	say_with_length(upstream, upstream->login.password);
}

static void ask_connect(struct kt_upstream *upstream)
{
	uint8_t address[16];

	upstream->phase = PHASE_REPLY;
	say_byte(upstream, SOCKS_VERSION);
	say_byte(upstream, COMMAND_CONNECT);
	say_byte(upstream, 0);
	if (inet_pton(AF_INET, upstream->host, address) == 1) {
		say_byte(upstream, ADDRESS_IPV4);
		say(upstream, address, 4);
	} else if (inet_pton(AF_INET6, upstream->host, address) == 1) {
		say_byte(upstream, ADDRESS_IPV6);
		say(upstream, address, 16);
	} else {
		say_byte(upstream, ADDRESS_NAME);
		say_with_length(upstream, upstream->host);
	}
	say_byte(upstream, upstream->port >> 8);
	say_byte(upstream, upstream->port & 255);
}

/* RFC 1928 §6 */
static const struct {
	const char *failure;
	const char *detail;
} replies[] = {
	{NULL, ""},
	{"upstream_refused", "general failure"},
	{"upstream_refused", "not allowed by its rules"},
	{"target_unreachable", "network unreachable"},
	{"target_unreachable", "host unreachable"},
	{"target_unreachable", "connection refused"},
	{"target_unreachable", "TTL expired"},
	{"upstream_refused", "command not supported"},
	{"upstream_refused", "address type not supported"},
};

static bool judge_reply(struct kt_upstream *upstream)
{
	unsigned int reply = upstream->in[1];

	upstream->code = (uint16_t)reply;
	if (!reply)
		return true;
	if (reply >= sizeof replies / sizeof replies[0]) {
		fail(upstream, "upstream_invalid");
		return false;
	}
	fail(upstream, replies[reply].failure);
	snprintf(upstream->detail, sizeof upstream->detail, "%s", replies[reply].detail);
	return false;
}

/* Bytes of the whole answer, as far as that is known. */
static size_t socks_len(const struct kt_upstream *upstream)
{
	if (upstream->phase != PHASE_REPLY)
		return 2;
	if (upstream->in_len < REPLY_HEAD_LEN)
		return REPLY_HEAD_LEN;
	switch (upstream->in[3]) {
	case ADDRESS_IPV4:
		return 4 + 4 + 2;
	case ADDRESS_IPV6:
		return 4 + 16 + 2;
	default:
		return 4 + 1 + (size_t)upstream->in[4] + 2;
	}
}

/* Of a whole answer, whose version is right. */
static void follow_socks(struct kt_upstream *upstream)
{
	uint8_t said = upstream->in[1];

	upstream->in_len = 0;
	switch ((enum phase)upstream->phase) {
	case PHASE_METHOD:
		if (said == METHOD_NONE)
			ask_connect(upstream);
		else if (said == METHOD_LOGIN && upstream->login.user[0])
			ask_login(upstream);
		else
			fail(upstream, said == 0xff ? "upstream_auth" : "upstream_invalid");
		break;
	case PHASE_LOGIN:
		if (said)
			fail(upstream, "upstream_auth");
		else
			ask_connect(upstream);
		break;
	case PHASE_REPLY:
		upstream->status = KT_UPSTREAM_DONE;
		break;
	}
}

static bool is_address_type(uint8_t type)
{
	return type == ADDRESS_IPV4 || type == ADDRESS_IPV6 || type == ADDRESS_NAME;
}

static void take_socks(struct kt_upstream *upstream, uint8_t byte)
{
	size_t at = upstream->in_len;
	uint8_t version = upstream->phase == PHASE_LOGIN ? LOGIN_VERSION : SOCKS_VERSION;

	upstream->in[upstream->in_len++] = byte;
	if ((at == 0 && byte != version) ||
	    (at == 3 && upstream->phase == PHASE_REPLY && !is_address_type(byte)))
		fail(upstream, "upstream_invalid");
	else if (at == 1 && upstream->phase == PHASE_REPLY && !judge_reply(upstream))
		return;
	else if (upstream->in_len == socks_len(upstream))
		follow_socks(upstream);
}

/* ---- Both ------------------------------------------------------------------------------------ */

int kt_upstream_begin(struct kt_upstream *upstream, enum kt_upstream_kind kind, const char *host,
		      uint16_t port, const struct kt_upstream_login *login)
{
	if (!kt_upstream_is_host(host) ||
	    (login && login->user[0] && !kt_upstream_is_login(kind, login)))
		return -EINVAL;
	memset(upstream, 0, sizeof *upstream);
	upstream->kind = kind;
	upstream->port = port;
	strcpy(upstream->host, host);
	if (login)
		upstream->login = *login;
	if (kind == KT_UPSTREAM_HTTP)
		ask_http(upstream);
	else
		ask_method(upstream);
	return 0;
}

void kt_upstream_wipe(struct kt_upstream *upstream)
{
	explicit_bzero(upstream, sizeof *upstream);
}

size_t kt_upstream_output(const struct kt_upstream *upstream, const uint8_t **ret_data)
{
	*ret_data = upstream->out + upstream->out_off;
	return (size_t)(upstream->out_len - upstream->out_off);
}

void kt_upstream_sent(struct kt_upstream *upstream, size_t len)
{
	upstream->out_off += (uint16_t)len;
	if (upstream->out_off < upstream->out_len)
		return;
	explicit_bzero(upstream->out, upstream->out_len);
	upstream->out_len = 0;
	upstream->out_off = 0;
}

size_t kt_upstream_want(const struct kt_upstream *upstream)
{
	if (upstream->status != KT_UPSTREAM_AGAIN)
		return 0;
	return upstream->kind == KT_UPSTREAM_HTTP ? want_http(upstream)
						  : socks_len(upstream) - upstream->in_len;
}

enum kt_upstream_status kt_upstream_input(struct kt_upstream *upstream, const uint8_t *data,
					  size_t len)
{
	/* An answer to what was not asked yet, or more than was wanted. */
	if (upstream->out_len || len > kt_upstream_want(upstream))
		fail(upstream, "upstream_invalid");
	for (size_t i = 0; i < len && upstream->status == KT_UPSTREAM_AGAIN; i++) {
		if (upstream->kind == KT_UPSTREAM_HTTP)
			take_http(upstream, data[i]);
		else
			take_socks(upstream, data[i]);
	}
	return (enum kt_upstream_status)upstream->status;
}

enum kt_upstream_status kt_upstream_input_eof(struct kt_upstream *upstream)
{
	if (upstream->status == KT_UPSTREAM_AGAIN)
		fail(upstream, "upstream_closed");
	return (enum kt_upstream_status)upstream->status;
}

const char *kt_upstream_failure(const struct kt_upstream *upstream)
{
	return upstream->failure;
}

const char *kt_upstream_detail(const struct kt_upstream *upstream)
{
	return upstream->detail;
}
