/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection's life: made, told what happened, ended, freed. conn.h draws its states. */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "ring.h"
#include "worker.h"

static void free_memory(struct kt_conn *conn)
{
	kt_tls_free(conn->tls);
	kt_flow_drop(conn->worker, &conn->up);
	kt_flow_drop(conn->worker, &conn->down);
	free(conn->out);
	kt_proxy_drop(conn);
	kt_handoff_drop(conn);
	kt_target_drop_upstream(conn);
	free(conn->control);
	kt_conn_keys_drop(conn);
	kt_slab_give(&conn->worker->conn_memory, conn);
}

static bool wants_local(const struct kt_listener *listener)
{
	return listener->choose_pool || listener->proxy_protocol != KT_PROXY_OFF ||
	       listener->handoff.len;
}

/*
 * Of a peer that is gone already there is nothing to know. Whoever hears of the addresses (events,
 * listings, choose_pool, receivers, backends) hears an IPv4 address for what it is.
 */
static void identify_socket(struct kt_conn *conn)
{
	socklen_t len = sizeof conn->peer;

	if (getpeername(conn->fd, &conn->peer.sa, &len))
		conn->peer.sa.sa_family = AF_UNSPEC;
	len = sizeof conn->local;
	if (wants_local(conn->door->listener) && getsockname(conn->fd, &conn->local.sa, &len))
		conn->local.sa.sa_family = AF_UNSPEC;
	kt_peer_address_unmap(&conn->peer);
	kt_peer_address_unmap(&conn->local);
	len = sizeof conn->cookie;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_COOKIE, &conn->cookie, &len))
		conn->cookie = 0;
}

static struct kt_conn *make(struct kt_worker *worker, struct kt_door *door, int fd)
{
	struct kt_conn *conn = kt_slab_take(&worker->conn_memory);

	if (!conn)
		return NULL;
	conn->worker = worker;
	conn->door = door;
	conn->fd = kt_conn_is_origin(conn) ? -1 : fd;
	conn->backend_fd = kt_conn_is_origin(conn) ? fd : -1;
	conn->start_ns = kt_monotonic_ns();
	kt_list_init(&conn->live_link);
	kt_list_init(&conn->timer_link);
	kt_list_init(&conn->wait_link);
	if (!kt_conn_is_origin(conn))
		identify_socket(conn);
	return conn;
}

const char *kt_conn_enter_address(struct kt_conn *conn)
{
	bool known = conn->peer.sa.sa_family == AF_INET || conn->peer.sa.sa_family == AF_INET6;

	if (kt_conn_is_origin(conn) || !known)
		return NULL;
	conn->in_flight_here = kt_budget_take_address(&conn->worker->budget, &conn->peer.sa);
	return conn->in_flight_here ? NULL : "too_many_from_address";
}

/* Whoever may send a PROXY header is asked for the address that it tells (proxy.c). */
static const char *enter(struct kt_conn *conn)
{
	conn->in_flight = kt_budget_take(&conn->worker->budget);
	if (!conn->in_flight)
		return "too_many_handshakes";
	return kt_proxy_is_due(conn) ? NULL : kt_conn_enter_address(conn);
}

void kt_conn_leave(struct kt_conn *conn)
{
	if (conn->in_flight_here)
		kt_budget_give_address(&conn->worker->budget, &conn->peer.sa);
	if (conn->in_flight)
		kt_budget_give(&conn->worker->budget);
	conn->in_flight_here = false;
	conn->in_flight = false;
}

/*
 * A client that reset the connection before it was accepted: no answer would reach it. It must not
 * cost a handshake either, which nobody could count to its address.
 */
static bool is_gone(const struct kt_conn *conn)
{
	return !kt_conn_is_origin(conn) && conn->peer.sa.sa_family == AF_UNSPEC;
}

static void begin(struct kt_conn *conn)
{
	const char *refusal = is_gone(conn) ? "peer_reset" : enter(conn);

	if (refusal)
		kt_handshake_refuse(conn, refusal);
	else if (kt_conn_is_origin(conn))
		kt_target_reach(conn);
	else if (kt_proxy_is_due(conn))
		kt_proxy_start(conn);
	else
		kt_handshake_start(conn);
}

void kt_conn_new(struct kt_worker *worker, struct kt_door *door, int fd)
{
	struct kt_conn *conn = make(worker, door, fd);

	/* As if it had never been taken: there is no memory to tell more. */
	if (!conn) {
		close(fd);
		kt_worker_released(worker);
		return;
	}
	conn->id =
		atomic_fetch_add_explicit(&worker->shared->next_conn, 1, memory_order_relaxed) + 1;
	kt_list_append(&worker->conns, &conn->link);
	kt_count(&worker->stats.accepted, 1);
	kt_worker_arm(worker, conn, KT_TIMER_HANDSHAKE);
	begin(conn);
	kt_conn_settle(conn);
}

void kt_reset_when_closed(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	/* Where this is refused (AF_UNIX), closing is all there is. */
	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void kt_close_by_reset(int fd)
{
	kt_reset_when_closed(fd);
	close(fd);
}

static void close_backend(struct kt_conn *conn)
{
	if (conn->backend_reset)
		kt_close_by_reset(conn->backend_fd);
	else
		close(conn->backend_fd);
	conn->backend_fd = -1;
}

static void bury(struct kt_conn *conn)
{
	struct kt_worker *worker = conn->worker;

	if (conn->accepted) {
		kt_stats_end(conn);
		kt_event_conn_end(conn);
	}
	kt_conn_leave(conn);
	kt_worker_disarm(conn);
	kt_list_remove(&conn->link);
	kt_list_remove(&conn->wait_link);
	if (conn->fd >= 0)
		close(conn->fd);
	free_memory(conn);
	kt_worker_released(worker);
}

static void release_backend(struct kt_conn *conn)
{
	if (conn->backend_fd >= 0 && conn->backend_unwanted && !kt_conn_busy(conn, KT_OPS_BACKEND))
		close_backend(conn);
}

void kt_conn_settle(struct kt_conn *conn)
{
	release_backend(conn);
	if (conn->state == KT_CONN_DYING && !conn->busy)
		bury(conn);
}

void kt_conn_die(struct kt_conn *conn)
{
	if (conn->state == KT_CONN_DYING)
		return;
	conn->state = KT_CONN_DYING;
	kt_worker_disarm(conn);
	kt_backend_drop(conn, true);
	kt_handoff_cancel(conn);
	kt_client_cancel(conn);
}

static void handle(struct kt_conn *conn, enum kt_op op, int res)
{
	if (op == KT_OP_HANDOFF) {
		kt_handoff_complete(conn, res);
		return;
	}
	switch ((enum kt_conn_state)conn->state) {
	case KT_CONN_PROXY:
		if (op == KT_OP_CLIENT_RECV)
			kt_proxy_received(conn, res);
		break;
	case KT_CONN_REACH:
		kt_target_complete(conn, op, res);
		break;
	case KT_CONN_HANDSHAKE:
		if (op == KT_OP_CLIENT_RECV)
			kt_handshake_received(conn, res);
		else if (op == KT_OP_CLIENT_SEND)
			kt_handshake_sent(conn, res);
		break;
	case KT_CONN_CONNECT:
		kt_backend_complete(conn, op, res);
		break;
	case KT_CONN_RELAY:
		kt_relay_complete(conn, op, res);
		break;
	case KT_CONN_CLOSING:
	case KT_CONN_LINGERING:
		kt_close_complete(conn, op, res);
		break;
	case KT_CONN_HANDOFF:
	case KT_CONN_DYING:
		break;
	}
}

static struct kt_flow *flow_of(struct kt_conn *conn, enum kt_op op)
{
	return op == KT_OP_CLIENT_RECV ? &conn->up : &conn->down;
}

/*
 * The block that a read brought its bytes in, if it brought any. One that found nothing may bring
 * a block all the same (Linux 6.1), which must not be kept until there is something.
 */
static void take_block(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags)
{
	struct kt_flow *flow = flow_of(conn, op);

	if (!(flags & IORING_CQE_F_BUFFER))
		return;
	flow->block = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
	flow->buf = kt_blocks_take(&conn->worker->blocks, flow->block, conn, conn->worker->now_ns);
	if (res < 0)
		kt_flow_drop(conn->worker, flow);
}

/* Of a target that had its time (target.c), or a backend, nothing is wanted any more. */
static bool is_wanted(const struct kt_conn *conn, enum kt_op op)
{
	bool over = op == KT_OP_BACKEND_RECV ? conn->backend_unwanted : conn->late;

	return conn->state != KT_CONN_DYING && !over;
}

/* There was no block for a read: it stays pending until there is. False: nobody waits for it. */
static bool starve(struct kt_conn *conn, enum kt_op op)
{
	if (!is_wanted(conn, op))
		return false;
	if (!kt_blocks_grow(&conn->worker->blocks))
		kt_count(&conn->worker->stats.block_waits, 1);
	conn->starved |= (uint16_t)(1u << op);
	if (kt_list_empty(&conn->wait_link))
		kt_list_append(&conn->worker->starved, &conn->wait_link);
	return true;
}

/* Each byte that a socket gave or took was copied from or to the kernel. */
static void count_copied(struct kt_worker *worker, enum kt_op op, int res)
{
	if (res > 0 && KT_OPS_MOVING & 1u << op)
		kt_count(&worker->stats.bytes_copied, (uint64_t)res);
}

void kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags)
{
	if (res == -ENOBUFS && (op == KT_OP_CLIENT_RECV || op == KT_OP_BACKEND_RECV) &&
	    starve(conn, op))
		return;
	if (op == KT_OP_CLIENT_POLL) {
		kt_client_told(conn, flags & IORING_CQE_F_MORE);
		kt_conn_settle(conn);
		return;
	}
	take_block(conn, op, res, flags);
	count_copied(conn->worker, op, res);
	conn->busy &= (uint16_t) ~(1u << op);
	release_backend(conn);
	handle(conn, op, res);
	kt_conn_settle(conn);
}

void kt_conn_expire(struct kt_conn *conn)
{
	switch ((enum kt_conn_state)conn->state) {
	case KT_CONN_PROXY:
		kt_handshake_fail(conn, "proxy_timeout");
		break;
	case KT_CONN_HANDSHAKE:
		kt_handshake_fail(conn, "handshake_timeout");
		break;
	case KT_CONN_REACH:
		kt_target_expire(conn);
		break;
	case KT_CONN_CONNECT:
		kt_backend_expire(conn);
		break;
	case KT_CONN_HANDOFF:
		kt_handoff_expire(conn);
		break;
	case KT_CONN_RELAY:
		kt_close_abrupt(conn,
				conn->up.state == KT_FLOW_BROKEN
					? kt_plain_side(conn, "backend_reset", "client_reset")
					: "idle_timeout",
				KT_ALERT_INTERNAL_ERROR);
		break;
	case KT_CONN_CLOSING:
	case KT_CONN_LINGERING:
		kt_conn_die(conn);
		break;
	case KT_CONN_DYING:
		break;
	}
	kt_conn_settle(conn);
}

bool kt_conn_cut(struct kt_conn *conn, const char *reason)
{
	bool in_use = conn->state < KT_CONN_CLOSING;

	if (conn->state <= KT_CONN_HANDSHAKE) {
		kt_handshake_fail(conn, reason);
		kt_conn_die(conn);
	} else if (in_use) {
		kt_close_gone(conn, reason);
	} else {
		kt_conn_die(conn);
	}
	kt_conn_settle(conn);
	return in_use;
}
