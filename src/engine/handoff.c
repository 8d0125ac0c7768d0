/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing a connection over to another process (src/handoff).
 *
 * A connection is sent without waiting first. If the receiver's queue is full, or nobody is there,
 * it waits with others, as many as the listener's handoff_queue allows a worker, for the connect
 * timeout at most: with room to come it waits in the ring, where the kernel tells; else in
 * link->waiting, which is looked at again after RETRY_NS. Those that may not wait are refused.
 *
 * From the moment that the message is sent, the connection is the receiver's: our descriptor is
 * closed without a word.
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../handoff/handoff.h"
#include "conn.h"
#include "ring.h"
#include "worker.h"

#define RETRY_NS 100000000u

/* One on its way. */
struct kt_handing {
	struct kt_handoff_message message;
	struct kt_list link; /* in link->waiting */
	struct kt_conn *conn;
	const char *reason; /* static storage: why it is not sent yet */
	bool queued;	    /* counted in link->queued */
	bool expired;	    /* it had its time, and is being cancelled */
	size_t len;
	char text[];
};

/* ---- What it says ---------------------------------------------------------------------------- */

#define COPY_TEXT(to, from) snprintf((to), sizeof(to), "%.*s", (int)sizeof(to) - 1, (from))

static void put_address(const union kt_peer_address *from, char *to, size_t size)
{
	struct kt_address address = {.len = from->sa.sa_family == AF_INET6 ? sizeof from->in6
									   : sizeof from->in};
	char text[KT_ADDRESS_TEXT_MAX];

	if (from->sa.sa_family == AF_UNSPEC)
		return;
	memcpy(&address.addr, from, address.len);
	snprintf(to, size, "%.*s", (int)size - 1, kt_address_format(&address, text));
}

static void describe(const struct kt_conn *conn, const struct kt_tls_info *info,
		     struct kt_handoff *handoff)
{
	const struct kt_verdict *verdict = &info->verdict;
	struct kt_tls_names names;

	handoff->conn = conn->id;
	handoff->cookie = conn->cookie;
	handoff->version = info->version;
	COPY_TEXT(handoff->listener, conn->door->listener->name);
	put_address(&conn->peer, handoff->peer_addr, sizeof handoff->peer_addr);
	put_address(&conn->local, handoff->local_addr, sizeof handoff->local_addr);
	COPY_TEXT(handoff->sni, info->sni);
	COPY_TEXT(handoff->alpn, info->alpn);
	COPY_TEXT(handoff->cipher, info->cipher_name);
	COPY_TEXT(handoff->pool, info->pool ? kt_pool_name(info->pool) : "");
	handoff->verified = info->verified;
	if (!info->verified)
		return;
	kt_tls_describe_names(conn->tls, &names);
	COPY_TEXT(handoff->peer, info->peer);
	COPY_TEXT(handoff->peer_san, names.peer_san);
	COPY_TEXT(handoff->anchor_name, verdict->anchor_name);
	handoff->pool_version = verdict->pool_version;
	memcpy(handoff->pool_digest, verdict->pool_digest, sizeof handoff->pool_digest);
	memcpy(handoff->anchor, verdict->anchor, sizeof handoff->anchor);
}

int kt_handoff_compose(struct kt_conn *conn, const struct kt_tls_info *info)
{
	struct kt_handoff handoff = {.fd = -1};
	char text[KT_HANDOFF_TEXT_MAX + 1];
	struct kt_handing *handing;
	size_t len;

	if (!conn->door->listener->handoff.len)
		return 0;
	describe(conn, info, &handoff);
	len = kt_handoff_write(&handoff, text);
	handing = calloc(1, sizeof *handing + len);
	if (!handing)
		return -ENOMEM;
	memcpy(handing->text, text, len);
	handing->len = len;
	handing->conn = conn;
	handing->reason = "receiver_busy";
	kt_list_init(&handing->link);
	conn->handing = handing;
	return 0;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static struct kt_link *link_of(const struct kt_conn *conn)
{
	return &conn->door->link;
}

static void count_queued(struct kt_link *link, unsigned int more)
{
	atomic_store_explicit(&link->queued,
			      atomic_load_explicit(&link->queued, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

static void leave_queue(struct kt_handing *handing)
{
	if (handing->queued)
		count_queued(link_of(handing->conn), -1u);
	handing->queued = false;
	kt_list_remove(&handing->link);
}

/* False: there is no place. Who has one keeps it. */
static bool enter_queue(struct kt_handing *handing)
{
	struct kt_link *link = link_of(handing->conn);

	if (handing->queued)
		return true;
	if (atomic_load_explicit(&link->queued, memory_order_relaxed) >=
	    handing->conn->door->listener->handoff_queue)
		return false;
	handing->queued = true;
	count_queued(link, 1);
	return true;
}

static void refuse(struct kt_conn *conn)
{
	const char *reason = conn->handing->reason;

	kt_count(&conn->worker->stats.handoff_refused, 1);
	kt_handoff_drop(conn);
	kt_close_abrupt(conn, reason, KT_ALERT_INTERNAL_ERROR);
}

static void put_off(struct kt_link *link, uint64_t now_ns)
{
	if (link->retry_ns <= now_ns)
		link->retry_ns = now_ns + RETRY_NS;
}

static void wait_for_receiver(struct kt_conn *conn)
{
	struct kt_handing *handing = conn->handing;
	struct kt_link *link = link_of(conn);

	if (handing->expired || !enter_queue(handing)) {
		refuse(conn);
		return;
	}
	kt_list_append(&link->waiting, &handing->link);
	put_off(link, conn->worker->now_ns);
}

/* ---- The link -------------------------------------------------------------------------------- */

void kt_link_init(struct kt_link *link)
{
	link->fd = -1;
	link->why = "receiver_gone";
	kt_list_init(&link->waiting);
}

void kt_link_fini(struct kt_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

static const char *connect_error(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
	case -EPROTOTYPE:
		return "receiver_refused";
	case -EAGAIN:
		return "receiver_busy";
	case -EMFILE:
	case -ENFILE:
		return "no_descriptors";
	default:
		return "receiver_gone";
	}
}

/* NULL: there is a receiver; else why not. */
static const char *have_link(struct kt_door *door)
{
	const struct kt_listener *listener = door->listener;
	struct kt_link *link = &door->link;
	int err;

	if (link->fd >= 0)
		return link->broken ? "receiver_gone" : NULL;
	if (door->worker->now_ns < link->retry_ns)
		return link->why;
	err = kt_handoff_connect((const struct sockaddr *)&listener->handoff.addr,
				 listener->handoff.len, listener->handoff_user, &link->fd);
	if (!err)
		return NULL;
	link->retry_ns = door->worker->now_ns + RETRY_NS;
	link->why = connect_error(err);
	return link->why;
}

/* What is sent with it has to come back first: it names the socket by its number. */
static void break_link(struct kt_link *link, uint64_t now_ns)
{
	link->broken = link->fd >= 0;
	if (!link->broken || link->pending)
		return;
	close(link->fd);
	link->fd = -1;
	link->broken = false;
	link->why = "receiver_gone";
	link->retry_ns = link->proven ? 0 : now_ns + RETRY_NS;
	link->proven = false;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_message(struct kt_conn *conn, int flags)
{
	struct kt_handing *handing = conn->handing;
	struct kt_link *link = link_of(conn);
	struct io_uring_sqe *sqe =
		kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_HANDOFF));

	conn->busy |= 1u << KT_OP_HANDOFF;
	link->pending++;
	kt_handoff_pack(&handing->message, conn->fd, handing->text, handing->len);
	io_uring_prep_sendmsg(sqe, link->fd, &handing->message.msg, MSG_NOSIGNAL | flags);
}

static void try_now(struct kt_conn *conn)
{
	const char *reason = have_link(conn->door);

	if (!reason) {
		send_message(conn, MSG_DONTWAIT);
		return;
	}
	conn->handing->reason = reason;
	wait_for_receiver(conn);
}

void kt_handoff_start(struct kt_conn *conn)
{
	conn->state = KT_CONN_HANDOFF;
	kt_worker_arm(conn->worker, conn, kt_timer_connect(1));
	try_now(conn);
}

static void handed_off(struct kt_conn *conn)
{
	link_of(conn)->proven = true;
	kt_count(&conn->worker->stats.handed_off, 1);
	kt_handoff_drop(conn);
	kt_close_gone(conn, "handed_off");
}

static void failed(struct kt_conn *conn, int err)
{
	struct kt_handing *handing = conn->handing;

	switch (err) {
	case -EAGAIN: /* its queue is full: the ring waits until it is not */
		handing->reason = "receiver_busy";
		if (enter_queue(handing))
			send_message(conn, 0);
		else
			refuse(conn);
		break;
	case -ETOOMANYREFS: /* this user has as many descriptors under way as it may have open */
		handing->reason = "no_descriptors";
		wait_for_receiver(conn);
		break;
	case -ENOMEM:
	case -ENOBUFS:
		handing->reason = "internal";
		refuse(conn);
		break;
	default: /* -EPIPE, -ECONNRESET … */
		break_link(link_of(conn), conn->worker->now_ns);
		try_now(conn);
		break;
	}
}

void kt_handoff_complete(struct kt_conn *conn, int res)
{
	struct kt_link *link = link_of(conn);

	link->pending--;
	if (link->broken)
		break_link(link, conn->worker->now_ns);
	if (conn->state != KT_CONN_HANDOFF) {
		/* Ended from outside. What was sent, was sent. */
		if (res >= 0) {
			kt_count(&conn->worker->stats.handed_off, 1);
			conn->reason = "handed_off";
		}
		return;
	}
	if (res >= 0)
		handed_off(conn);
	else if (conn->handing->expired)
		refuse(conn);
	else
		failed(conn, res);
}

/* ---- Ends of waiting ------------------------------------------------------------------------- */

static void cancel(struct kt_conn *conn)
{
	struct io_uring_sqe *sqe;

	if (!kt_conn_busy(conn, 1u << KT_OP_HANDOFF) ||
	    kt_conn_busy(conn, 1u << KT_OP_HANDOFF_CANCEL))
		return;
	conn->busy |= 1u << KT_OP_HANDOFF_CANCEL;
	sqe = kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_HANDOFF_CANCEL));
	io_uring_prep_cancel64(sqe, kt_op_data(conn, KT_OP_HANDOFF), 0);
}

void kt_handoff_expire(struct kt_conn *conn)
{
	conn->handing->expired = true;
	if (kt_conn_busy(conn, 1u << KT_OP_HANDOFF))
		cancel(conn);
	else
		refuse(conn);
}

void kt_handoff_cancel(struct kt_conn *conn)
{
	if (!conn->handing)
		return;
	leave_queue(conn->handing);
	cancel(conn);
}

void kt_handoff_drop(struct kt_conn *conn)
{
	if (!conn->handing)
		return;
	leave_queue(conn->handing);
	free(conn->handing);
	conn->handing = NULL;
}

uint64_t kt_link_due_ns(const struct kt_link *link)
{
	return kt_list_empty(&link->waiting) ? UINT64_MAX : link->retry_ns;
}

void kt_link_tend(struct kt_door *door)
{
	struct kt_link *link = &door->link;
	struct kt_worker *worker = door->worker;

	if (kt_link_due_ns(link) > worker->now_ns)
		return;
	if (have_link(door)) {
		put_off(link, worker->now_ns);
		return;
	}
	while (!kt_list_empty(&link->waiting) && kt_ring_reserve(&worker->ring, KT_RING_STEP)) {
		struct kt_handing *handing =
			kt_list_entry(link->waiting.next, struct kt_handing, link);

		kt_list_remove(&handing->link);
		send_message(handing->conn, MSG_DONTWAIT);
	}
}
