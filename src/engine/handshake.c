/* SPDX-License-Identifier: BSD-2-Clause */
/* From the first byte to the decision who protects the records. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/ktls.h>

#include "conn.h"
#include "event.h"
#include "worker.h"

#define SEND_MAX_SHARE 4    /* of the send buffer, see conn_io.c */
#define SEND_MAX_LEAST 1024 /* bytes */

static void read_more(struct kt_conn *conn)
{
	kt_client_recv(conn, kt_tls_want(conn->tls));
}

static const struct sockaddr *known(const union kt_peer_address *address)
{
	return address->sa.sa_family == AF_UNSPEC ? NULL : &address->sa;
}

static void say_hello(struct kt_conn *conn)
{
	conn->tls_status = kt_tls_start(conn->tls);
	if (conn->tls_status != KT_TLS_AGAIN || !kt_client_flush(conn))
		kt_handshake_fail(conn, "internal");
}

void kt_handshake_start(struct kt_conn *conn)
{
	struct kt_tls_options options = {.local = known(&conn->local),
					 .remote = known(&conn->peer)};
	bool origin = kt_conn_is_origin(conn);

	conn->state = KT_CONN_HANDSHAKE;
	if (origin)
		kt_target_describe(conn, &options);
	if (kt_tls_new(conn->door->context, &options, &conn->tls))
		kt_handshake_fail(conn, "internal");
	else if (origin)
		say_hello(conn);
	else
		read_more(conn);
}

static void decide(struct kt_conn *conn, const struct kt_tls_info *info, const char *outcome)
{
	kt_stats_outcome(conn, outcome);
	kt_event_handshake(conn, info, outcome);
}

void kt_handshake_fail(struct kt_conn *conn, const char *outcome)
{
	struct kt_tls_info info = {.cipher_name = ""};

	if (conn->tls)
		kt_tls_describe(conn->tls, &info);
	decide(conn, &info, outcome);
	/* Its alert, if there is one, is in the output already. Who was not reached hears none. */
	if (conn->state == KT_CONN_REACH)
		kt_close_gone(conn, outcome);
	else
		kt_close_abrupt(conn, outcome, 0);
}

void kt_handshake_refuse(struct kt_conn *conn, const char *outcome)
{
	const struct kt_tls_info info = {.cipher_name = ""};
	const struct linger now = {.l_onoff = 1};

	decide(conn, &info, outcome);
	/* By a reset: a FIN of ours would leave the kernel an address to keep for a minute. */
	if (conn->fd >= 0)
		(void)!setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	kt_conn_die(conn);
}

void kt_handshake_break(struct kt_conn *conn, int err)
{
	kt_handshake_fail(conn, err == -ECONNRESET || err == -EPIPE ? "peer_reset" : "io_error");
	kt_conn_die(conn);
}

/* ---- Handing the records over ---------------------------------------------------------------- */

static size_t send_max(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) || size < 0)
		return SEND_MAX_LEAST;
	if (size / SEND_MAX_SHARE < SEND_MAX_LEAST)
		return SEND_MAX_LEAST;
	return size / SEND_MAX_SHARE < KT_BLOCK_LEN ? (size_t)(size / SEND_MAX_SHARE)
						    : KT_BLOCK_LEN;
}

static int install(struct kt_conn *conn, const struct kt_traffic *traffic)
{
	int err = kt_ktls_install(conn->fd, KT_TX, traffic->version, traffic->cipher, &traffic->tx);

	if (err)
		return err;
	return kt_ktls_install(conn->fd, KT_RX, traffic->version, traffic->cipher, &traffic->rx);
}

static enum kt_ktls_mode wanted_mode(const struct kt_conn *conn)
{
	return conn->door->listener->handoff.len ? KT_KTLS_REQUIRE : conn->worker->shared->ktls;
}

static int attach(struct kt_conn *conn)
{
	int err = conn->attached ? 0 : kt_ktls_attach(conn->fd);

	conn->attached = !err;
	return err;
}

/*
 * Before the peer is answered for the first time: the kernel attaches only while its FIN is not
 * here, and a client may send all it has to say, and FIN, in one piece with its Finished. What
 * fails here is tried again by offload().
 */
static void attach_early(struct kt_conn *conn)
{
	if (wanted_mode(conn) != KT_KTLS_OFF && conn->worker->shared->support.attach)
		(void)!attach(conn);
}

/*
 * Everything that may fail harmlessly comes first: whether the kernel knows the cipher, attaching
 * (a socket that is attached but has no key still carries plain bytes, so userspace records can go
 * on), the export. From the export on the TLS engine cannot go on: what fails then ends the
 * connection (*ret_fatal).
 */
static int offload(struct kt_conn *conn, bool *ret_fatal)
{
	const struct kt_ktls_support *support = &conn->worker->shared->support;
	struct kt_traffic traffic;
	enum kt_cipher cipher;
	uint16_t version;
	int err = kt_tls_cipher(conn->tls, &version, &cipher);

	if (err)
		return err;
	if (!kt_ktls_supports(support, version, cipher))
		return -EOPNOTSUPP;
	err = attach(conn);
	if (err)
		return err;
	err = kt_conn_keys_keep(conn, version, cipher);
	if (err)
		return err;
	err = kt_tls_export(conn->tls, &traffic);
	if (err) {
		kt_conn_keys_drop(conn);
		goto wipe;
	}
	/* ---- no way back from here ---- */
	*ret_fatal = true;
	err = install(conn, &traffic);
	if (err)
		goto wipe;
	*ret_fatal = false;
	conn->ktls = KT_KTLS_TX | KT_KTLS_RX;
	conn->ktls_send_max = (uint32_t)send_max(conn->fd);
	kt_tls_free(conn->tls);
	conn->tls = NULL;
	kt_flow_drop(conn->worker, &conn->up);
wipe:
	kt_traffic_wipe(&traffic);
	return err;
}

/* Attaching needs an established connection: the client has said its end, or is gone. */
static const char *who_left(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	(void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err ? "peer_reset" : "peer_closed";
}

/* NULL, or the outcome that refuses the connection. */
static const char *place_records(struct kt_conn *conn, bool *ret_fatal)
{
	enum kt_ktls_mode mode = wanted_mode(conn);
	int err;

	if (mode == KT_KTLS_OFF)
		return NULL;
	err = offload(conn, ret_fatal);
	if (!err || (mode == KT_KTLS_AUTO && !*ret_fatal))
		return NULL;
	if (err == -ENOTCONN)
		return who_left(conn->fd);
	return err == -EOPNOTSUPP ? "ktls_unsupported" : "ktls_failed";
}

static void identify(struct kt_conn_identity *identity, const struct kt_tls_info *info)
{
	const struct kt_verdict *verdict = &info->verdict;

	identity->version = info->version;
	identity->cipher_name = info->cipher_name;
	identity->pool = info->pool;
	identity->verified = info->verified;
	memcpy(identity->peer, info->peer, sizeof identity->peer);
	if (!info->verified)
		return;
	identity->pool_version = verdict->pool_version;
	identity->duration_ns = verdict->duration_ns;
	identity->depth = (int8_t)verdict->depth;
	memcpy(identity->pool_digest, verdict->pool_digest, KT_DIGEST_LEN);
	memcpy(identity->anchor, verdict->anchor, KT_DIGEST_LEN);
	memcpy(identity->anchor_name, verdict->anchor_name, sizeof identity->anchor_name);
}

static int remember(struct kt_conn *conn, const struct kt_tls_info *info)
{
	identify(&conn->identity, info);
	return info->pool ? kt_stats_know_pool(conn->worker, info->pool) : 0;
}

static void finish(struct kt_conn *conn)
{
	struct kt_tls_info info;
	const char *refusal = "internal";
	bool fatal = false;

	kt_tls_describe(conn->tls, &info);
	if (!remember(conn, &info) && !kt_proxy_compose(conn, &info) &&
	    !kt_handoff_compose(conn, &info))
		refusal = place_records(conn, &fatal);
	if (refusal) {
		decide(conn, &info, refusal);
		kt_close_abrupt(conn, refusal, 0);
		if (fatal)
			kt_conn_die(conn);
		return;
	}
	conn->accepted = true;
	kt_conn_leave(conn);
	decide(conn, &info, "accepted");
	if (conn->handing)
		kt_handoff_start(conn);
	else if (kt_conn_is_origin(conn))
		kt_relay_start(conn);
	else
		kt_backend_connect(conn);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* All output is sent. */
static void go_on(struct kt_conn *conn)
{
	if (conn->tls_status == KT_TLS_DONE)
		finish(conn);
	else
		read_more(conn);
}

static void answer(struct kt_conn *conn)
{
	attach_early(conn);
	if (!kt_client_flush(conn))
		go_on(conn);
}

void kt_handshake_received(struct kt_conn *conn, int res)
{
	if (res < 0) {
		kt_handshake_break(conn, res);
		return;
	}
	if (res) {
		conn->tls_status = kt_tls_input(conn->tls, conn->up.buf, (size_t)res);
	} else {
		conn->client_eof = true;
		conn->tls_status = kt_tls_input_eof(conn->tls);
	}
	if (conn->tls_status == KT_TLS_FAILED)
		kt_handshake_fail(conn, kt_tls_failure(conn->tls));
	else if (conn->tls_status < 0)
		kt_handshake_fail(conn, "internal");
	else
		answer(conn);
}

void kt_handshake_sent(struct kt_conn *conn, int res)
{
	int more = kt_client_flushed(conn, res);

	if (more < 0)
		kt_handshake_break(conn, more);
	else if (!more)
		go_on(conn);
}
