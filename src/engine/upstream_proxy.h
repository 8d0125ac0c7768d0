/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said to a proxy that a connection to a target goes through, as bytes: HTTP CONNECT
 * (RFC 9110 §9.3.6, Basic authentication: RFC 7617) and SOCKS5 (RFC 1928, RFC 1929).
 *
 *   kt_upstream_begin ─► loop: send kt_upstream_output; read at most kt_upstream_want() bytes
 *     ─► kt_upstream_input, until it says KT_UPSTREAM_DONE or KT_UPSTREAM_FAILED
 *
 * Who reads no more than is wanted has not one byte of what the target says when it is done. Names
 * go to the proxy as they are: it is the one to resolve them. What is not checked: who the proxy
 * is; whoever sits there sees what the target's TLS shows to anybody on the path, and the login.
 *
 * Threads and memory: plain data, the caller's; nothing is allocated. It holds the login until
 * kt_upstream_wipe. Nothing touches a socket, but for kt_upstream_login_read, which reads a file.
 */
#ifndef KTRUST_ENGINE_UPSTREAM_PROXY_H
#define KTRUST_ENGINE_UPSTREAM_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/error.h>

enum kt_upstream_kind { KT_UPSTREAM_HTTP, KT_UPSTREAM_SOCKS5 };

#define KT_UPSTREAM_HOST_MAX  253	 /* bytes, as below without the terminating NUL */
#define KT_UPSTREAM_LOGIN_MAX 255	 /* of each half (RFC 1929 §2) */
#define KT_UPSTREAM_READ_MAX  (8u << 10) /* bytes of a proxy's answer */

struct kt_upstream_login {
	char user[KT_UPSTREAM_LOGIN_MAX + 1]; /* empty: there is no login */
	char password[KT_UPSTREAM_LOGIN_MAX + 1];
};

/* ---- How it is written (upstream_url.c) ------------------------------------------------------ */

struct kt_upstream_url {
	enum kt_upstream_kind kind;
	char address[KT_UPSTREAM_HOST_MAX + 16]; /* HOST:PORT, for kt_address_parse */
	struct kt_upstream_login login;
};

/*
 * "http://[USER:PASSWORD@]HOST:PORT" or "socks5://…"; what has a meaning in a URL is written %XX in
 * USER and PASSWORD. -EINVAL: none of these; no error quotes the text, which may hold a password.
 */
KT_WARN_UNUSED int kt_upstream_url_parse(const char *text, struct kt_upstream_url *ret_url,
					 struct kt_error *error);

/*
 * A file of one line "USER:PASSWORD", as it is. -EINVAL: it is something else, -EFBIG, or errno of
 * reading it. Its memory is wiped.
 */
KT_WARN_UNUSED int kt_upstream_login_read(const char *path, struct kt_upstream_login *ret_login,
					  struct kt_error *error);

/* ---- One conversation (upstream_proxy.c) ----------------------------------------------------- */

enum kt_upstream_status {
	KT_UPSTREAM_AGAIN,  /* send what there is to send, read what is wanted */
	KT_UPSTREAM_DONE,   /* what follows is the target's */
	KT_UPSTREAM_FAILED, /* kt_upstream_failure says why */
};

/* CONNECT, twice the target, the login in base64 */
#define KT_UPSTREAM_OUT_MAX 1536
/* The longest answer of SOCKS5: a name with its length */
#define KT_UPSTREAM_SOCKS_MAX (4 + 1 + 255 + 2)

struct kt_upstream {
	enum kt_upstream_kind kind;
	uint8_t phase; /* of SOCKS5 */
	uint8_t status;
	uint8_t ends;  /* bytes of the blank line that were just seen */
	uint16_t code; /* status code of HTTP, reply of SOCKS5 */
	uint16_t port;
	uint16_t out_len;
	uint16_t out_off;
	uint16_t in_len; /* bytes of the answer, so far */
	const char *failure;
	char detail[48];
	char host[KT_UPSTREAM_HOST_MAX + 1];
	struct kt_upstream_login login;
	uint8_t out[KT_UPSTREAM_OUT_MAX];
	uint8_t in[KT_UPSTREAM_SOCKS_MAX];
};

/* Can this be asked for: a host name of letters, digits, '.', '-', '_', or an address as text? */
bool kt_upstream_is_host(const char *host);
/* A user without ':' and no control characters anywhere; for SOCKS5 also no empty password. */
bool kt_upstream_is_login(enum kt_upstream_kind kind, const struct kt_upstream_login *login);

/*
 * Begin to ask for host (an IPv6 address without brackets) and port. Everything is copied; login
 * may be NULL, or empty. -EINVAL: host or login cannot be said to such a proxy.
 */
KT_WARN_UNUSED int kt_upstream_begin(struct kt_upstream *upstream, enum kt_upstream_kind kind,
				     const char *host, uint16_t port,
				     const struct kt_upstream_login *login);
void kt_upstream_wipe(struct kt_upstream *upstream);

/* Bytes to send, valid until the next call; kt_upstream_sent says how many were. */
size_t kt_upstream_output(const struct kt_upstream *upstream, const uint8_t **ret_data);
void kt_upstream_sent(struct kt_upstream *upstream, size_t len);

/* At most so many bytes may be read next: surely the proxy's own. Never 0 before the end. */
size_t kt_upstream_want(const struct kt_upstream *upstream);

/* len: 1 to kt_upstream_want(). */
enum kt_upstream_status kt_upstream_input(struct kt_upstream *upstream, const uint8_t *data,
					  size_t len);
/* The proxy ended its stream. */
enum kt_upstream_status kt_upstream_input_eof(struct kt_upstream *upstream);

/*
 * Static storage; NULL unless it failed:
 *   upstream_auth       it wants a login, or another one
 *   upstream_refused    it will not do this
 *   target_unreachable  it says that it cannot reach the target
 *   upstream_closed     it ended the connection
 *   upstream_invalid    this is no answer, or one that is too long
 */
const char *kt_upstream_failure(const struct kt_upstream *upstream);
/* What it said, for people: "HTTP status 403", "host unreachable"; may be empty. */
const char *kt_upstream_detail(const struct kt_upstream *upstream);

#endif
