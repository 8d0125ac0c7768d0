/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control protocol: how `ktrust` and other tools talk to a running ktrustd.
 *
 * A Unix stream socket, mode 0600. Each message is one JSON object on a line, UTF-8, at most
 * KT_CONTROL_LINE_MAX bytes with its newline.
 *
 *   request  {"v":1,"op":"pool.load","pool":"clients","source":"file:/etc/ktrust/clients.pem"}
 *   item     {"item":{…}}                      any number, for replies that are lists
 *   reply    {"ok":true,"result":{…}}          ends the request
 *        or  {"ok":false,"error":{"kind":"…","errno":2,"where":"…","line":0,"text":"…"}}
 *
 * An error's kind is "usage" when the request made no sense (no such operation, no such pool), else
 * "refused": it made sense, and what it asked for failed.
 *
 * Both ends check who is at the other: the daemon serves root and its own user only, a client
 * speaks only to a daemon of root or of its own user, so that nobody else's process can pose as
 * either by sitting on the path.
 *
 * Threads: a struct kt_control belongs to one thread at a time. Calls block, for at most
 * KT_CONTROL_TIMEOUT_MS (or what kt_control_set_timeout says) without progress.
 *
 * What it does not do: it knows no operation and checks no member of a request but its shape; it
 * does not bound how long a peer that makes progress may take.
 */
#ifndef KTRUST_CONTROL_H
#define KTRUST_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/error.h>

#define KT_CONTROL_VERSION    1
#define KT_CONTROL_LINE_MAX   (1U << 20) /* bytes */
#define KT_CONTROL_TIMEOUT_MS 30000
#define KT_CONTROL_DEFAULT    "/run/ktrust/control.sock"

/* ---- The daemon's end: listening ------------------------------------------------------------- */

struct kt_control_listener {
	int fd;	     /* listening socket; -1: none */
	int lock_fd; /* PATH.lock, held for as long as the socket is ours */
	char path[108];
};

/*
 * Listen at path. A socket left behind by a daemon that died is replaced; -EADDRINUSE: another
 * daemon lives there (it holds the lock). -EINVAL path too long, -EEXIST something that is no
 * socket is in the way, else errno of open, bind.
 */
KT_WARN_UNUSED int kt_control_listen(const char *path, struct kt_control_listener *ret_listener,
				     struct kt_error *error);

/* Close and remove the socket and give up the lock. */
void kt_control_unlisten(struct kt_control_listener *listener);

/* ---- Either end: a connection ---------------------------------------------------------------- */

struct kt_control;

/*
 * Take over an accepted socket (closed on failure too). -EACCES: neither root nor our own user; the
 * peer was told.
 */
KT_WARN_UNUSED int kt_control_accept(int fd, struct kt_control **ret_control,
				     struct kt_error *error);

/* Connect to a daemon. Errors name what to do: -ENOENT, -ECONNREFUSED not running; -EACCES. */
KT_WARN_UNUSED int kt_control_connect(const char *path, struct kt_control **ret_control,
				      struct kt_error *error);

void kt_control_free(struct kt_control *control); /* NULL is fine */

/* How long later calls wait without progress; more than 0. */
void kt_control_set_timeout(struct kt_control *control, int timeout_ms);

/* Send one message; the reference stays the caller's. -EMSGSIZE, -ETIMEDOUT, -EPIPE, -ENOMEM. */
KT_WARN_UNUSED int kt_control_send(struct kt_control *control, json_t *message);

/*
 * Receive one message (a JSON object) as a new reference. 0 and *ret_message == NULL: the peer is
 * done. -EMSGSIZE line too long, -EBADMSG not one JSON object, or cut; -ETIMEDOUT.
 */
KT_WARN_UNUSED int kt_control_receive(struct kt_control *control, json_t **ret_message,
				      struct kt_error *error);

/* ---- Requests and replies -------------------------------------------------------------------- */

/* Positive, so that kt_control_call can return it beside 0 and -errno. */
enum kt_control_refusal {
	KT_CONTROL_REFUSED = 1,
	KT_CONTROL_MISUSED = 2, /* kind "usage" */
};

/* Replies, as new references; NULL: out of memory. `result` and `item` are stolen. */
json_t *kt_control_ok(json_t *result);
json_t *kt_control_item(json_t *item);
json_t *kt_control_failed(enum kt_control_refusal kind, const struct kt_error *error);

/*
 * A client's whole exchange: send `request` (stolen; "v" is added), hand each item to fn (borrowed;
 * may be NULL when none is expected), return the result as a new reference.
 *
 * KT_CONTROL_REFUSED, KT_CONTROL_MISUSED: the daemon said no; error has its errno, place and text.
 * -errno: there was no answer: those of send and receive, -ECONNRESET the daemon left, -EPROTO a
 * reply that is none.
 */
KT_WARN_UNUSED int kt_control_call(struct kt_control *control, json_t *request,
				   void (*fn)(json_t *item, void *arg), void *arg,
				   json_t **ret_result, struct kt_error *error);

/* ---- Values that JSON has no type for: always written the same way --------------------------- */

/* New references; NULL: out of memory. */

/*
 * A string from outside; null for NULL. If it is no UTF-8, every byte beyond ASCII becomes '?', and
 * what follows KT_JSON_TEXT_MAX bytes is cut.
 */
#define KT_JSON_TEXT_MAX 1023
json_t *kt_json_text(const char *text);

/* Lower-case hex of a digest; null when it is all zeros, which stands for "none". */
json_t *kt_json_digest(const uint8_t *digest, size_t len);

/* CLOCK_REALTIME nanoseconds as RFC 3339 UTC: "2026-01-31T12:00:00.123456789Z" */
json_t *kt_json_time(uint64_t realtime_ns);

/* Seconds since the epoch as RFC 3339 UTC: "9999-12-31T23:59:59Z"; null outside years 0 to 9999. */
json_t *kt_json_date(int64_t seconds);

#endif
