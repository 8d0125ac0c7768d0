/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "worker.h"

int kt_conn_keys_keep(struct kt_conn *conn, uint16_t version, enum kt_cipher cipher)
{
	struct kt_conn_rekey *rekey;
	int err;

	conn->cipher = (uint8_t)cipher;
	if (version != KT_TLS_1_3 || !conn->worker->shared->support.rekey)
		return 0;
	/* Whoever gets the connection has no use for them, and we keep none beside him. */
	if (conn->door->listener->handoff.len)
		return 0;
	rekey = calloc(1, sizeof *rekey);
	if (!rekey)
		return -ENOMEM;
	rekey->earned_ns = conn->worker->now_ns;
	conn->rekey = rekey;
	err = kt_tls_secrets(conn->tls, &rekey->keys.secrets);
	if (err)
		kt_conn_keys_drop(conn);
	return err;
}

void kt_conn_keys_drop(struct kt_conn *conn)
{
	if (conn->rekey)
		kt_rekey_wipe(&conn->rekey->keys);
	free(conn->rekey);
	conn->rekey = NULL;
}

static enum kt_key_age age(const struct kt_conn *conn, enum kt_direction direction)
{
	return kt_key_age((enum kt_cipher)conn->cipher, conn->key_used[direction],
			  conn->worker->shared->key_records_max);
}

/* ---- KeyUpdates that come -------------------------------------------------------------------- */

static bool afford(struct kt_conn *conn)
{
	struct kt_conn_rekey *rekey = conn->rekey;
	uint64_t now_ns = conn->worker->now_ns, in = kt_counted(&conn->bytes_in);
	uint64_t earned = (now_ns - rekey->earned_ns) / KT_KEY_UPDATE_EARN_NS +
			  (in - rekey->earned_in) / KT_KEY_UPDATE_EARN_LEN;

	if (earned) {
		rekey->updates = earned < rekey->updates ? (uint16_t)(rekey->updates - earned) : 0;
		rekey->earned_ns = now_ns;
		rekey->earned_in = in;
	}
	return ++rekey->updates <= KT_KEY_UPDATES_MAX;
}

static void update(struct kt_conn *conn)
{
	if (!conn->rekey) {
		/* This kernel could not go on reading. */
		kt_close_abrupt(conn, "key_update", KT_ALERT_INTERNAL_ERROR);
	} else if (!afford(conn)) {
		kt_close_abrupt(conn, "key_update_flood", KT_ALERT_UNEXPECTED_MESSAGE);
	} else if (kt_rekey_rx(&conn->rekey->keys, conn->fd)) {
		kt_close_abrupt(conn, "rekey_failed", KT_ALERT_INTERNAL_ERROR);
	} else {
		conn->key_used[KT_RX] = 0;
		conn->rekey->asked = false;
		kt_conn_keys_send(conn);
	}
}

void kt_conn_keys_record(struct kt_conn *conn, size_t len)
{
	struct kt_rekey unable = {.answer_owed = false};
	struct kt_rekey *keys = conn->rekey ? &conn->rekey->keys : &unable;
	uint8_t alert = 0;
	int rc = -EPROTO;

	if (conn->identity.version == KT_TLS_1_3)
		rc = kt_rekey_read(keys, conn->up.buf, len, &alert);
	else
		alert = KT_ALERT_UNEXPECTED_MESSAGE; /* no renegotiation */
	if (rc == -EPROTO)
		kt_close_abrupt(conn, "protocol_error", alert);
	else if (rc < 0)
		kt_close_abrupt(conn, "key_update", KT_ALERT_INTERNAL_ERROR);
	else if (rc)
		update(conn);
	if (conn->state == KT_CONN_RELAY)
		kt_client_recv_record(conn);
}

/* ---- How much a key protects ----------------------------------------------------------------- */

static bool spent(struct kt_conn *conn)
{
	kt_close_abrupt(conn, "key_limit", KT_ALERT_INTERNAL_ERROR);
	return false;
}

/*
 * How many records there were is not told: at least so many. The limit is the client's to keep to;
 * one that is asked for its next key, and uses up what is left of this one, does not. Nor can one
 * go on that could not be asked: behind our close_notify, or as it takes nothing of what we send.
 */
bool kt_conn_keys_received(struct kt_conn *conn, size_t len)
{
	enum kt_key_age now;

	conn->key_used[KT_RX] += kt_key_cost(len);
	now = age(conn, KT_RX);
	if (now == KT_KEY_FRESH)
		return true;
	if (!kt_conn_keys_send(conn) && now == KT_KEY_SPENT)
		return spent(conn);
	return conn->state == KT_CONN_RELAY;
}

/* One send makes full records, and one with what is left: the kernel keeps none open. */
bool kt_conn_keys_used(struct kt_conn *conn, size_t len)
{
	conn->key_used[KT_TX] += kt_key_cost(len);
	return conn->rekey || age(conn, KT_TX) != KT_KEY_SPENT || spent(conn);
}

/* ---- KeyUpdates of ours ---------------------------------------------------------------------- */

static bool wants_next(const struct kt_conn *conn)
{
	return age(conn, KT_RX) != KT_KEY_FRESH && !conn->rekey->asked;
}

bool kt_conn_keys_send(struct kt_conn *conn)
{
	struct kt_conn_rekey *rekey = conn->rekey;
	uint8_t message[KT_KEY_UPDATE_LEN];
	bool request;

	/* After our close_notify nothing is said under any key. */
	if (!rekey || conn->down.state != KT_FLOW_OPEN ||
	    kt_conn_busy(conn, 1u << KT_OP_CLIENT_SEND))
		return false;
	request = wants_next(conn);
	if (!request && !rekey->keys.answer_owed && age(conn, KT_TX) == KT_KEY_FRESH)
		return false;
	rekey->sending = true;
	rekey->asked |= request;
	kt_rekey_message(request, message);
	kt_client_send_control(conn, KT_RECORD_HANDSHAKE, message, sizeof message);
	return true;
}

bool kt_conn_keys_sending(const struct kt_conn *conn)
{
	return conn->rekey && conn->rekey->sending;
}

int kt_conn_keys_sent(struct kt_conn *conn, int res)
{
	conn->rekey->sending = false;
	if (res < 0)
		return res;
	if (res != KT_KEY_UPDATE_LEN)
		return -EIO;
	conn->key_used[KT_TX] = 0;
	return kt_rekey_tx(&conn->rekey->keys, conn->fd);
}

bool kt_conn_keys_hold(struct kt_conn *conn, int res)
{
	if (!kt_conn_keys_sending(conn))
		return false;
	conn->rekey->holding = true;
	conn->rekey->held = res;
	return true;
}

bool kt_conn_keys_unhold(struct kt_conn *conn, int *ret_res)
{
	if (!conn->rekey || !conn->rekey->holding)
		return false;
	conn->rekey->holding = false;
	*ret_res = conn->rekey->held;
	return true;
}
