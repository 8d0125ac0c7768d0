/* SPDX-License-Identifier: BSD-2-Clause */
/* The side of a played connection that speaks TLS. */
#include "engine_play.h"

#include <errno.h>

#include <openssl/err.h>

#include "require.h"

#define PUMP_MAX 12

/* ---- What is said ---------------------------------------------------------------------------- */

void play_add(struct play *play, const void *data, size_t len)
{
	if (len)
		wire_append(&play->pending, data, len);
}

/* The last words of the handshake have been made: nothing that OpenSSL says counts any more. */
static bool said_finished(const struct play *play)
{
	static const uint8_t none[48];
	const struct client *client = &play->client;

	if (SSL_is_init_finished(client->ssl))
		return true;
	if (stage_is_origin(play->stage))
		return client->secret_len != 0;
	return memcmp(client->master, none, sizeof none) != 0;
}

static void collect(struct play *play)
{
	uint8_t buf[4096];
	int n;

	while ((n = BIO_read(play->client.out, buf, sizeof buf)) > 0) {
		if (play->finished_at)
			continue;
		wire_append(&play->said, buf, (size_t)n);
		play_add(play, buf, (size_t)n);
	}
}

static void speak(struct play *play)
{
	if (!play->has_client)
		return;
	if (!play->is_broken && !SSL_is_init_finished(play->client.ssl)) {
		int rc = SSL_do_handshake(play->client.ssl);

		play->is_broken =
			rc != 1 && SSL_get_error(play->client.ssl, rc) != SSL_ERROR_WANT_READ;
		ERR_clear_error();
	}
	collect(play);
	if (play->finished_at || play->is_broken || !said_finished(play))
		return;
	play->finished_at = play->said.len;
	keys_of_client(&play->client, &play->keys);
	play->secrets = play->client;
}

bool play_send(struct play *play, size_t len)
{
	size_t left = play->pending.len - play->pending.read;
	ssize_t n;

	if (play->tls < 0 || !left)
		return false;
	n = send(play->tls, play->pending.data + play->pending.read, len < left ? len : left,
		 MSG_NOSIGNAL);
	if (n <= 0)
		return false;
	wire_append(&play->sent, play->pending.data + play->pending.read, (size_t)n);
	play->pending.read += (size_t)n;
	play_settle(play);
	return true;
}

static void send_pending(struct play *play)
{
	while (play_send(play, SIZE_MAX))
		;
}

/* ---- Records of the authenticated ------------------------------------------------------------ */

/* But for whether it asks for one (RFC 8446 §4.6.3) */
static const uint8_t key_update[KT_KEY_UPDATE_LEN - 1] = {24, 0, 0, 1};

static struct kt_traffic_key *own_key(struct play *play)
{
	return stage_is_origin(play->stage) ? &play->keys.tx : &play->keys.rx;
}

static void note_close(struct play *play, uint8_t type, const uint8_t *content, size_t len)
{
	if (type != KT_RECORD_ALERT || len < 2 || content[1] || play->up_closed)
		return;
	play->up_closed = true;
	play->up_at_close = play->up_said;
}

static bool is_offloaded(const struct play *play)
{
	const struct kt_conn *conn = stage_watched(play->stage);

	return conn && conn->ktls;
}

static void put_content(struct play *play, uint8_t type, const uint8_t *content, size_t len)
{
	size_t unsent = play->pending.len - play->pending.read;

	if (stage_record(type, content, len, play->sent.len + unsent))
		play_add(play, len ? content : (const uint8_t *)"", len ? len : 1);
	send_pending(play);
}

/* What follows a KeyUpdate is under the next key (RFC 8446 §4.6.3). */
static void take_next_key(struct play *play)
{
	struct kt_traffic next;

	client_next_secret(&play->client, stage_is_origin(play->stage));
	keys_of_client(&play->client, &next);
	*own_key(play) = stage_is_origin(play->stage) ? next.tx : next.rx;
	own_key(play)->seq = 0;
}

static void seal(struct play *play, uint8_t type, const uint8_t *content, size_t len)
{
	static uint8_t record[RECORD_MAX];

	play_add(play, record, record_seal(&play->keys, own_key(play), type, content, len, record));
	if (play->keys.version == KT_TLS_1_3 && type == KT_RECORD_HANDSHAKE &&
	    len == KT_KEY_UPDATE_LEN && !memcmp(content, key_update, sizeof key_update))
		take_next_key(play);
}

void play_record(struct play *play, uint8_t type, const uint8_t *content, size_t len)
{
	static uint8_t data[KT_BLOCK_LEN];

	if (!play->finished_at || play->tls < 0 || len > sizeof data)
		return;
	if (type == KT_RECORD_DATA) {
		pattern(data, len, play->up_said, PLAY_UP);
		content = data;
		play->up_said += len;
	}
	note_close(play, type, content, len);
	if (play->stage->offloads)
		send_pending(play);
	if (is_offloaded(play))
		put_content(play, type, content, len);
	else
		seal(play, type, content, len);
}

/* ---- What is heard --------------------------------------------------------------------------- */

static void heard_data(struct play *play, const uint8_t *data, size_t len)
{
	require(!play->down_over);
	require(len <= play->down_said - play->down_heard);
	play_expect_pattern(data, len, play->down_heard, PLAY_DOWN);
	play->down_heard += len;
}

/* An end that is meant: after all that there was. */
static void heard_close(struct play *play)
{
	play->down_over = true;
	require(play->down_closed);
	require(play->down_heard == play->down_said);
}

/* Who has shaken hands understands all that he is sent, but alerts have the last word. */
static void expect_alert_heard(void)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	require(reason > SSL_AD_REASON_OFFSET || reason == SSL_R_NO_RENEGOTIATION);
}

static void hear_tls(struct play *play, const uint8_t *data, size_t len)
{
	static uint8_t buf[PLAY_READ_MAX];
	int n;

	if (play->is_broken)
		return;
	require(BIO_write(play->client.in, data, (int)len) == (int)len);
	speak(play);
	if (play->is_broken || !SSL_is_init_finished(play->client.ssl))
		return;
	while ((n = SSL_read(play->client.ssl, buf, sizeof buf)) > 0)
		heard_data(play, buf, (size_t)n);
	switch (SSL_get_error(play->client.ssl, n)) {
	case SSL_ERROR_ZERO_RETURN:
		heard_close(play);
		play->is_broken = true;
		break;
	case SSL_ERROR_WANT_READ:
		break;
	default:
		expect_alert_heard();
		play->is_broken = true;
	}
	ERR_clear_error();
}

/* A control record, or what went of it. */
static void heard_control(struct play *play, const uint8_t *content, size_t len)
{
	require(!play->down_over);
	if (content[0] == key_update[0]) {
		require(play->keys.version == KT_TLS_1_3 && play->stage->rekeys);
		require(len <= KT_KEY_UPDATE_LEN);
		require(!memcmp(content, key_update,
				len < sizeof key_update ? len : sizeof key_update));
		require(len < KT_KEY_UPDATE_LEN || content[sizeof key_update] <= 1);
		return;
	}
	require(len <= KT_ALERT_LEN && (content[0] == 1 || content[0] == 2));
	if (len == KT_ALERT_LEN && !content[1])
		heard_close(play);
	play->down_over = true;
}

/* Of an offloaded socket: which of these bytes are data is known by how they were sent. */
static void hear_contents(struct play *play, const uint8_t *data, size_t len)
{
	uint64_t start = 0;

	for (size_t i = 0; i < watched.segment_count && len; i++) {
		uint64_t end = start + watched.segments[i].len;
		size_t here = 0;

		if (play->segment_at < end)
			here = end - play->segment_at < len ? end - play->segment_at : len;
		if (here && !watched.segments[i].control)
			heard_data(play, data, here);
		else if (here && here == watched.segments[i].len)
			heard_control(play, data, here);
		play->segment_at += here;
		data += here;
		len -= here;
		start = end;
	}
	require(!len);
}

static size_t least(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

static void hear(struct play *play, const uint8_t *data, size_t len)
{
	uint64_t tls_end = watched.before_given + watched.tls_given;
	size_t here;

	if (play->tls_heard < watched.before_given) {
		here = least(len, watched.before_given - play->tls_heard);
		play->tls_heard += here;
		data += here;
		len -= here;
	}
	if (len && play->tls_heard < tls_end) {
		here = least(len, tls_end - play->tls_heard);
		hear_tls(play, data, here);
		play->tls_heard += here;
		data += here;
		len -= here;
	}
	if (len)
		hear_contents(play, data, len);
}

/* Bytes, if there are any. */
static size_t receive(int fd, uint8_t *buf, size_t size, bool *ended)
{
	ssize_t n;

	if (fd < 0 || *ended)
		return 0;
	n = recv(fd, buf, size, 0);
	if (n > 0)
		return (size_t)n;
	*ended = !n || errno != EAGAIN;
	return 0;
}

void play_turn(struct play *play)
{
	static uint8_t buf[PLAY_READ_MAX];
	size_t n;

	while ((n = receive(play->tls, buf, sizeof buf, &play->tls_ended)))
		hear(play, buf, n);
	speak(play);
}

static bool is_wanted(const struct play *play)
{
	return !play->answered &&
	       (play->stage->kind == STAGE_PROXY || play->stage->kind == STAGE_ORIGIN_HTTP ||
		play->stage->kind == STAGE_ORIGIN_SOCKS);
}

void play_pump(struct play *play)
{
	uint64_t before;

	for (int i = 0; i < PUMP_MAX; i++) {
		before = play->tls_heard + play->sent.len + play->pending.len;
		if (is_wanted(play))
			play_answer(play, 0);
		play_settle(play);
		play_turn(play);
		send_pending(play);
		if (before == play->tls_heard + play->sent.len + play->pending.len)
			break;
	}
}

/* ---- Before TLS ------------------------------------------------------------------------------ */

static void say_proxy_header(struct play *play, uint8_t how)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	static const uint8_t commands[4] = {0x21, 0x20, 0x21, 0x22};
	static const uint8_t families[4] = {0x11, 0x00, 0x21, 0x31};
	static const uint8_t lens[4] = {12, 0, 36, 216};
	uint8_t header[16 + 255 + 3] = {0};
	size_t at = how & 3, len = lens[at];

	memcpy(header, signature, sizeof signature);
	header[12] = commands[at];
	header[13] = families[at];
	if (how & 4)
		header[16 + len++] = 4; /* PP2_TYPE_NOOP, of length 0 */
	if (how & 4)
		len += 2;
	header[15] = (uint8_t)len;
	play_add(play, header, 16 + len);
}

static const char *const http_answers[] = {
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
	"HTTP/1.0 200 Connection established\r\nA: b\r\n\r\n",
	"HTTP/1.1 502 Bad Gateway\r\n\r\n",
};

static void say_socks(struct play *play, uint8_t how)
{
	static const uint8_t reply_v4[10] = {5, 0, 0, 1};
	static const uint8_t reply_name[4 + 1 + 3 + 2] = {5, 0, 0, 3, 3, 'a', '.', 'b'};
	static const uint8_t reply_no[10] = {5, 5, 0, 1};

	play_add(play, (const uint8_t[]){5, how & 4 ? 0xff : 0}, 2);
	send_pending(play);
	if (how & 2)
		play_add(play, reply_no, sizeof reply_no);
	else if (how & 1)
		play_add(play, reply_name, sizeof reply_name);
	else
		play_add(play, reply_v4, sizeof reply_v4);
	send_pending(play);
}

void play_answer(struct play *play, uint8_t how)
{
	const char *text = http_answers[how & 3];

	play->answered = true;
	if (play->stage->kind == STAGE_ORIGIN_SOCKS)
		say_socks(play, how);
	else if (play->stage->kind == STAGE_ORIGIN_HTTP)
		play_add(play, text, strlen(text));
	else
		say_proxy_header(play, how);
}
