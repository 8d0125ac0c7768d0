/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/rekey.h>

#include <errno.h>
#include <string.h>

#include <ktrust/ktls.h>

/* Messages (RFC 8446 §4) */
#define NEW_SESSION_TICKET 4
#define KEY_UPDATE	   24

/* Lifetime, age_add, nonce, ticket, extensions, with their lengths (RFC 8446 §4.6.1) */
#define TICKET_MAX (4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65534))

/* Alerts (RFC 8446 §6) */
#define UNEXPECTED_MESSAGE 10
#define ILLEGAL_PARAMETER  47
#define DECODE_ERROR	   50
#define INTERNAL_ERROR	   80

/* ---- Reading --------------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *at;
	size_t left;
};

static int refuse(uint8_t alert, uint8_t *ret_alert)
{
	*ret_alert = alert;
	return -EPROTO;
}

/* The rest of a message that is dropped. */
static void skip(struct kt_rekey *rekey, struct cursor *cursor)
{
	size_t len = cursor->left < rekey->body_left ? cursor->left : rekey->body_left;

	cursor->at += len;
	cursor->left -= len;
	rekey->body_left -= (uint32_t)len;
}

/* True: a whole header is there. */
static bool take_header(struct kt_rekey *rekey, struct cursor *cursor)
{
	while (cursor->left && rekey->header_have < sizeof rekey->header) {
		rekey->header[rekey->header_have++] = *cursor->at++;
		cursor->left--;
	}
	if (rekey->header_have < sizeof rekey->header)
		return false;
	rekey->header_have = 0;
	return true;
}

/* Keys change at the end of a record (RFC 8446 §5.1): nothing may follow. */
static int read_key_update(struct kt_rekey *rekey, const struct cursor *body, uint32_t len,
			   uint8_t *ret_alert)
{
	if (len != 1)
		return refuse(DECODE_ERROR, ret_alert);
	if (!body->left)
		return -EOPNOTSUPP;
	if (body->at[0] > 1)
		return refuse(ILLEGAL_PARAMETER, ret_alert);
	if (body->left > 1)
		return refuse(UNEXPECTED_MESSAGE, ret_alert);
	if (body->at[0])
		rekey->answer_owed = true;
	return 1;
}

static int read_message(struct kt_rekey *rekey, const struct cursor *body, uint8_t *ret_alert)
{
	const uint8_t *header = rekey->header;
	uint32_t len = (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];

	if (header[0] == KEY_UPDATE)
		return read_key_update(rekey, body, len, ret_alert);
	if (header[0] != NEW_SESSION_TICKET || !rekey->tickets)
		return refuse(UNEXPECTED_MESSAGE, ret_alert);
	if (len > TICKET_MAX)
		return refuse(DECODE_ERROR, ret_alert);
	rekey->body_left = len;
	return 0;
}

int kt_rekey_read(struct kt_rekey *rekey, const void *content, size_t len, uint8_t *ret_alert)
{
	struct cursor cursor = {content, len};
	int rc = 0;

	if (!len)
		return refuse(UNEXPECTED_MESSAGE, ret_alert); /* RFC 8446 §5.4 */
	while (!rc && cursor.left) {
		if (rekey->body_left)
			skip(rekey, &cursor);
		else if (take_header(rekey, &cursor))
			rc = read_message(rekey, &cursor, ret_alert);
	}
	if (!rc && rekey->header_have && rekey->header[0] == KEY_UPDATE)
		return -EOPNOTSUPP;
	return rc;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static int go_on(struct kt_rekey *rekey, int fd, enum kt_direction direction)
{
	struct kt_traffic_secrets *secrets = &rekey->secrets;
	struct kt_traffic_key key;
	int err = kt_traffic_update(secrets->cipher, direction == KT_TX ? secrets->tx : secrets->rx,
				    &key);

	if (err)
		return err;
	err = kt_ktls_install(fd, direction, KT_TLS_1_3, secrets->cipher, &key);
	explicit_bzero(&key, sizeof key);
	return err;
}

int kt_rekey_rx(struct kt_rekey *rekey, int fd)
{
	return go_on(rekey, fd, KT_RX);
}

int kt_rekey_tx(struct kt_rekey *rekey, int fd)
{
	rekey->answer_owed = false;
	return go_on(rekey, fd, KT_TX);
}

int kt_rekey_send(struct kt_rekey *rekey, int fd, bool request)
{
	uint8_t message[KT_KEY_UPDATE_LEN];
	struct iovec iov = {.iov_base = message, .iov_len = sizeof message};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];

	kt_rekey_message(request, message);
	kt_ktls_set_record_type(&msg, control, KT_RECORD_HANDSHAKE);

	ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return sent == sizeof message ? kt_rekey_tx(rekey, fd) : -EIO;
}

int kt_rekey_handle(struct kt_rekey *rekey, int fd, const void *content, size_t len,
		    uint8_t *ret_alert)
{
	int rc;

	*ret_alert = INTERNAL_ERROR;
	rc = kt_rekey_read(rekey, content, len, ret_alert);
	if (rc > 0)
		rc = kt_rekey_rx(rekey, fd);
	if (rc || !rekey->answer_owed)
		return rc;
	rc = kt_rekey_send(rekey, fd, false);
	return rc == -EAGAIN ? 0 : rc;
}
