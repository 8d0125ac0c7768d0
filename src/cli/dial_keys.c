/* SPDX-License-Identifier: BSD-2-Clause */
#include "dial_keys.h"

#include <errno.h>
#include <time.h>

/* Alerts (RFC 8446 §6) */
#define UNEXPECTED_MESSAGE 10
#define INTERNAL_ERROR	   80

static const char cannot_follow[] =
	"key_update: the server goes on with other keys, and this kernel cannot replace those of a "
	"connection (Linux 6.14 can; try --ktls off)";
const char kt_dial_key_limit[] =
	"key_limit: a key of this connection has protected all that it may (RFC 8446 §5.5), and "
	"cannot be replaced (Linux 6.14 can, for TLS 1.3; or connect again)";

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

int kt_dial_keys_keep(struct kt_dial_keys *keys, const struct kt_tls *tls,
		      const struct kt_ktls_support *support, uint16_t version,
		      enum kt_cipher cipher)
{
	int err;

	keys->cipher = cipher;
	keys->earned_s = now_s();
	if (version != KT_TLS_1_3 || !support->rekey)
		return 0;
	err = kt_tls_secrets(tls, &keys->rekey.secrets);
	keys->replaceable = !err;
	return err;
}

void kt_dial_keys_wipe(struct kt_dial_keys *keys)
{
	kt_rekey_wipe(&keys->rekey);
	keys->replaceable = false;
}

static enum kt_key_age age(const struct kt_dial_keys *keys, enum kt_direction direction)
{
	return kt_key_age(keys->cipher, keys->used[direction], keys->records_max);
}

/* ---- KeyUpdates that come -------------------------------------------------------------------- */

static bool afford(struct kt_dial_keys *keys)
{
	uint64_t now = now_s(), earned = now - keys->earned_s;

	keys->updates = earned < keys->updates ? keys->updates - (unsigned int)earned : 0;
	keys->earned_s = now;
	return ++keys->updates <= KT_DIAL_UPDATES_MAX;
}

static const char *update(struct kt_dial_keys *keys, int fd, bool *ret_end, uint8_t *ret_alert)
{
	*ret_alert = INTERNAL_ERROR;
	if (!keys->replaceable) {
		*ret_end = true;
		return cannot_follow;
	}
	if (!afford(keys)) {
		*ret_alert = UNEXPECTED_MESSAGE;
		return "key_update_flood: the server changes its keys, and does little else";
	}
	if (kt_rekey_rx(&keys->rekey, fd))
		return "rekey_failed: the kernel does not take the server's next key";
	keys->used[KT_RX] = 0;
	keys->asked = false;
	return NULL;
}

const char *kt_dial_keys_record(struct kt_dial_keys *keys, int fd, const void *content, size_t len,
				bool *ret_end, uint8_t *ret_alert)
{
	int rc = kt_rekey_read(&keys->rekey, content, len, ret_alert);

	if (rc == -EPROTO)
		return "protocol_error";
	if (rc < 0) {
		*ret_alert = INTERNAL_ERROR;
		*ret_end = true;
		return "key_update: the server's came in pieces, which the kernel cannot follow "
		       "(try --ktls off)";
	}
	return rc ? update(keys, fd, ret_end, ret_alert) : NULL;
}

/* ---- How much a key protects ----------------------------------------------------------------- */

const char *kt_dial_keys_used(struct kt_dial_keys *keys, enum kt_direction direction, size_t len)
{
	bool can_ask = keys->replaceable && !keys->asked && !keys->last;

	keys->used[direction] += kt_key_cost(len);
	if (direction == KT_TX)
		can_ask = keys->replaceable;
	else if (len)
		keys->updates = 0;
	return age(keys, direction) == KT_KEY_SPENT && !can_ask ? kt_dial_key_limit : NULL;
}

/* ---- KeyUpdates of ours ---------------------------------------------------------------------- */

static bool wants_next(const struct kt_dial_keys *keys)
{
	return age(keys, KT_RX) != KT_KEY_FRESH && !keys->asked;
}

bool kt_dial_keys_due(const struct kt_dial_keys *keys)
{
	return keys->replaceable && !keys->last &&
	       (keys->rekey.answer_owed || wants_next(keys) || age(keys, KT_TX) != KT_KEY_FRESH);
}

int kt_dial_keys_send(struct kt_dial_keys *keys, int fd)
{
	bool request = wants_next(keys);
	int err = kt_rekey_send(&keys->rekey, fd, request);

	if (err)
		return err;
	keys->used[KT_TX] = 0;
	keys->asked |= request;
	return 0;
}
