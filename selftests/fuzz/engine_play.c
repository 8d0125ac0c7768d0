/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_play.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "require.h"

#define READS_MAX  12
#define PATIENCE   500 /* moments */
#define LONG_NS	   4000000000000u
#define TURN_OF_NS 11000000000u

/* ---- Who takes part -------------------------------------------------------------------------- */

static const struct pki_cert *client_cert(enum play_cert cert)
{
	const struct lab *lab = &stage_world()->rig.lab;
	const struct pki_cert *const certs[CERTS] = {NULL, lab->client, lab->stranger,
						     lab->expired};

	return certs[cert];
}

/* A server always has one; one that is not right for its name is not right at all. */
static const struct pki_cert *server_cert(enum play_cert cert)
{
	return cert == CERT_GOOD || cert == CERT_NONE ? stage_world()->rig.lab.server
						      : client_cert(cert);
}

static SSL_CTX *context_of(const struct play *play)
{
	static const uint16_t versions[VERSIONS] = {KT_TLS_1_3, KT_TLS_1_2, 0};
	static SSL_CTX *contexts[2][VERSIONS][CERTS];
	bool serves = stage_is_origin(play->stage);
	SSL_CTX **context = &contexts[serves][play->version][play->cert];
	struct client_options options = {.version = versions[play->version]};

	if (*context)
		return *context;
	options.cert = serves ? server_cert(play->cert) : client_cert(play->cert);
	*context = serves ? server_context(&options) : client_context(&options);
	/* What it says after Finished is said here. */
	SSL_CTX_set_num_tickets(*context, 0);
	SSL_CTX_set_options(*context, SSL_OP_NO_TICKET);
	return *context;
}

static void set_up_socket(const struct play *play, int fd)
{
	const int on = 1, size = 4096;

	/* Nothing waits for an acknowledgement: what was sent is there. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (play->small_buffers)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static int connect_to(const struct play *play)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	require(fd >= 0);
	require(!connect(fd, (const struct sockaddr *)&play->stage->address.addr,
			 play->stage->address.len) ||
		errno == EINPROGRESS);
	return fd;
}

static void get_client(struct play *play, int fd)
{
	set_up_socket(play, fd);
	play->tls = fd;
	client_init(&play->client, context_of(play));
	play->has_client = true;
	if (stage_is_origin(play->stage))
		SSL_set_accept_state(play->client.ssl);
	else
		SSL_set_tlsext_host_name(play->client.ssl, "server.test");
}

/* ---- The plain side -------------------------------------------------------------------------- */

void play_expect_pattern(const uint8_t *data, size_t len, uint64_t at, uint8_t seed)
{
	static uint8_t expected[PLAY_READ_MAX];

	require(len <= sizeof expected);
	pattern(expected, len, at, seed);
	require(!memcmp(expected, data, len));
}

/* How many of these bytes are of the PROXY header that is due; it is checked as it gets whole. */
static size_t read_header(struct play *play, const uint8_t *data, size_t len)
{
	size_t taken = 0, size = 16;

	if (play->stage->kind != STAGE_PROXY)
		return 0;
	while (taken < len) {
		if (play->header_len >= 16)
			size = 16 + (size_t)(play->header[14] << 8 | play->header[15]);
		require(size <= sizeof play->header);
		if (play->header_len == size)
			break;
		play->header[play->header_len++] = data[taken++];
	}
	require(play->header_len < 13 || !memcmp(play->header, "\r\n\r\n\0\r\nQUIT\n", 12));
	return taken;
}

static void heard_plain(struct play *play, const uint8_t *data, size_t len)
{
	size_t skip = read_header(play, data, len);

	data += skip;
	len -= skip;
	require(play->finished_at);
	require(len <= play->up_said - play->up_heard);
	play_expect_pattern(data, len, play->up_heard, PLAY_UP);
	play->up_heard += len;
	require(!play->up_closed || play->up_heard <= play->up_at_close);
}

static void plain_end(struct play *play, bool clean)
{
	play->plain_ended = true;
	/* A connection that there was no memory for is as if it had never been taken. */
	if (!clean || !watched.id)
		return;
	require(play->up_closed);
	require(play->up_heard == play->up_at_close);
}

void play_plain_read(struct play *play)
{
	static uint8_t buf[PLAY_READ_MAX];
	ssize_t n = -1;

	if (play->plain < 0 || play->plain_ended)
		return;
	errno = EAGAIN;
	for (int i = 0; i < READS_MAX; i++) {
		n = recv(play->plain, buf, sizeof buf, 0);
		if (n <= 0)
			break;
		heard_plain(play, buf, (size_t)n);
		play_settle(play);
	}
	if (!n || (n < 0 && errno != EAGAIN))
		plain_end(play, !n);
}

void play_plain_say(struct play *play, size_t len)
{
	static uint8_t data[PLAY_READ_MAX];
	ssize_t n;

	if (play->plain < 0 || play->plain_ended || play->down_closed || len > sizeof data)
		return;
	pattern(data, len, play->down_said, PLAY_DOWN);
	n = send(play->plain, data, len, MSG_NOSIGNAL);
	if (n > 0)
		play->down_said += (uint64_t)n;
	else if (n < 0 && errno != EAGAIN)
		play->plain_ended = true; /* a reset is told once */
	play_settle(play);
}

void play_plain_close(struct play *play)
{
	if (play->plain < 0 || play->down_closed)
		return;
	play->down_closed = true;
	shutdown(play->plain, SHUT_WR);
	play_settle(play);
}

static void reset(int *fd)
{
	if (*fd >= 0)
		abort_fd(*fd);
	*fd = -1;
}

void play_plain_reset(struct play *play)
{
	reset(&play->plain);
	play_settle(play);
}

void play_tls_reset(struct play *play)
{
	reset(&play->tls);
	play_settle(play);
}

/* The one that it had before was not wanted: the engine tries another. */
static void get_backend(struct play *play, int fd)
{
	require(play->finished_at);
	require(!play->up_heard);
	reset(&play->plain);
	set_up_socket(play, fd);
	play->plain = fd;
	play->plain_ended = play->down_closed = false;
	play->down_said = 0;
	play->header_len = 0;
}

/* Others have their targets connected to as well, and the watched one may not have come so far. */
static bool is_of_watched(const struct play *play, int fd)
{
	const struct kt_conn *conn = stage_watched(play->stage);
	struct sockaddr_in peer = {0}, own = {0};
	socklen_t peer_len = sizeof peer, own_len = sizeof own;

	return conn && !getpeername(fd, (struct sockaddr *)&peer, &peer_len) &&
	       !getsockname(conn->fd, (struct sockaddr *)&own, &own_len) &&
	       peer.sin_port == own.sin_port;
}

void play_settle(struct play *play)
{
	int fd;

	stage_run(play->stage);
	while ((fd = accept4(stage_world()->backend, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
	       0) {
		if (!stage_is_origin(play->stage))
			get_backend(play, fd);
		else if (play->tls < 0 && !play->has_client && is_of_watched(play, fd))
			get_client(play, fd);
		else
			reset(&fd);
	}
}

/* ---- Others ---------------------------------------------------------------------------------- */

static void close_passed(struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		int fd;

		if (cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
		close(fd);
	}
}

static int link_fd = -1; /* of the engine's worker, at the receiver's end */

void play_take_over(void)
{
	char text[8192];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof text};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do {
		if (link_fd < 0)
			link_fd = accept4(stage_world()->receiver, NULL, NULL,
					  SOCK_CLOEXEC | SOCK_NONBLOCK);
		msg.msg_control = control;
		msg.msg_controllen = sizeof control;
		n = link_fd < 0 ? -1 : recvmsg(link_fd, &msg, MSG_CMSG_CLOEXEC);
		if (n > 0)
			close_passed(&msg);
	} while (n > 0);
}

/* As when the engine was new. */
static void forget_link(struct stage *stage)
{
	struct kt_link *link = &stage->worker->doors[0].link;

	require(!link->pending && !link->queued && kt_list_empty(&link->waiting));
	kt_link_fini(link);
	memset(link, 0, sizeof *link);
	kt_link_init(link);
	do {
		if (link_fd >= 0)
			close(link_fd);
		link_fd = -1;
		play_take_over();
	} while (link_fd >= 0);
}

void play_swap(struct play *play)
{
	struct lab *lab = &stage_world()->rig.lab;

	play->swapped = !play->swapped;
	lab_commit(lab, play->swapped ? lab->other_ca : lab->ca);
	play->anchors |= play->swapped ? 2 : 1;
}

/* ---- What must be so ------------------------------------------------------------------------- */

struct record {
	const uint8_t *at;
	size_t len;
};

static bool says_nothing(const struct record *record)
{
	static const uint8_t hello_request[4];

	/* Dropped by who is in TLS 1.3 (RFC 8446 §5), warnings, empty records (OpenSSL). */
	if (record->at[0] == KT_RECORD_CHANGE_CIPHER_SPEC || record->at[0] == KT_RECORD_ALERT ||
	    record->len == 5)
		return true;
	/* RFC 5246 §7.4.1.1: not in the digests, and ignored in a handshake */
	return record->at[0] == KT_RECORD_HANDSHAKE && record->len == 9 &&
	       !memcmp(record->at + 5, hello_request, 4);
}

/* The next record that can make a difference; false: there is none that is whole. */
static bool next_record(const uint8_t **at, const uint8_t *end, struct record *ret)
{
	do {
		if (end - *at < 5)
			return false;
		ret->at = *at;
		ret->len = 5 + (size_t)(ret->at[3] << 8 | ret->at[4]);
		if (ret->len > (size_t)(end - *at))
			return false;
		*at += ret->len;
	} while (says_nothing(ret));
	return true;
}

/* Who was accepted has sent what he meant: no digest has the version in a record's header. */
static void expect_untouched(const struct play *play)
{
	const uint8_t *meant = play->said.data, *went = play->sent.data + watched.before_taken;
	const uint8_t *meant_end = meant + play->finished_at,
		      *end = play->sent.data + play->sent.len;
	struct record a, b;

	require(watched.before_taken <= play->sent.len);
	while (next_record(&meant, meant_end, &a)) {
		require(next_record(&went, end, &b));
		require(a.len == b.len && a.at[0] == b.at[0]);
		require(!memcmp(a.at + 5, b.at + 5, a.len - 5));
	}
}

static void expect_trusted(const struct play *play)
{
	bool is_known = (play->cert == CERT_GOOD && play->anchors & 1) ||
			(play->cert == CERT_STRANGER && play->anchors & 2);

	switch (play->stage->kind) {
	case STAGE_MUTUAL:
	case STAGE_MUTUAL_OFFLOADED:
	case STAGE_CHOSEN:
		require(is_known);
		break;
	case STAGE_PROXY:
		require(is_known || play->cert == CERT_NONE);
		break;
	default:
		if (stage_is_origin(play->stage))
			require(server_cert(play->cert) == stage_world()->rig.lab.server);
	}
}

/* The kernel was given the other side's keys, one after the other (RFC 8446 §7.2). */
static void expect_keys(const struct play *play)
{
	struct client secrets = play->secrets;
	bool origin = stage_is_origin(play->stage);
	struct kt_traffic keys;
	/* The rest is explicit in the records of TLS 1.2, but for ChaCha20-Poly1305. */
	const size_t iv_len = play->keys.version == KT_TLS_1_3 ? sizeof keys.rx.iv : 4;

	for (size_t i = 0; i < KEYS_MAX; i++) {
		keys_of_client(&secrets, &keys);
		for (int direction = KT_TX; direction <= KT_RX; direction++) {
			const struct kt_traffic_key *given = &watched.keys[direction][i];
			const struct kt_traffic_key *right =
				(direction == KT_TX) != origin ? &keys.tx : &keys.rx;

			if (i >= watched.key_count[direction])
				continue;
			require(!memcmp(given->key, right->key, sizeof right->key));
			require(!memcmp(given->iv, right->iv, iv_len));
			require(!i || !given->seq);
		}
		if (play->keys.version != KT_TLS_1_3)
			break;
		client_next_secret(&secrets, false);
		client_next_secret(&secrets, true);
	}
}

static void add(const char *name, uint64_t count, void *arg)
{
	(void)name;
	*(uint64_t *)arg += count;
}

static void expect_sums(const struct play *play)
{
	const struct kt_worker *worker = play->stage->worker;
	struct kt_engine_stats now;
	uint64_t outcomes = 0, ends = 0;

	kt_engine_get_stats(play->stage->engine, &now);
	kt_engine_each_outcome(play->stage->engine, add, &outcomes);
	kt_engine_each_end(play->stage->engine, add, &ends);
	require(now.accepted == outcomes && now.handshakes_ok == ends && now.ended == ends);
	require(now.handshakes_ok + now.handshakes_failed == outcomes);
	require(!now.live && !now.handshaking && !now.handoff_waiting);
	require(!worker->shared->open && !worker->blocks.taken && kt_list_empty(&worker->starved));
	for (int i = 0; i < KT_TIMER_COUNT; i++)
		require(kt_list_empty(&worker->timers[i]));
	require(now.handshakes_ok - play->before.handshakes_ok <= 1);
	require(now.bytes_in - play->before.bytes_in <= play->up_said);
	require(now.bytes_out - play->before.bytes_out <= play->down_said);
	if (now.handshakes_ok == play->before.handshakes_ok)
		return;
	require(play->finished_at);
	expect_untouched(play);
	expect_trusted(play);
	expect_keys(play);
}

static int lowest_free(void)
{
	int fd = fcntl(stage_world()->backend, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void play_begin(struct play *play, struct stage *stage)
{
	play->stage = stage;
	play->tls = play->plain = -1;
	play->anchors = 1;
	for (int i = 0; i < EXTRAS_MAX; i++)
		play->extras[i] = -1;
	stage_pass(LONG_NS);
	stage_run(stage);
	play->lowest_free = lowest_free();
	kt_engine_get_stats(stage->engine, &play->before);
	stage_watch_next(stage);
	if (stage_is_origin(stage))
		set_up_socket(play, play->plain = connect_to(play));
	else
		get_client(play, connect_to(play));
	play_settle(play);
	stage_watch_came(stage);
	play_settle(play);
}

static void say_until(struct play *play, bool (*is_done)(const struct play *play))
{
	/* TCP offers what is left of a small buffer by its timers, a fifth of a second each. */
	for (int i = 0; i < PATIENCE && !is_done(play); i++) {
		uint64_t before = play->up_heard + play->down_heard;

		if (i > 8)
			poll(NULL, 0, 1);
		play_pump(play);
		play_plain_read(play);
		if (before != play->up_heard + play->down_heard)
			i = 0;
	}
}

static bool is_all_heard(const struct play *play)
{
	return play->finished_at && play->plain >= 0 && play->up_heard == play->up_said &&
	       play->down_heard == play->down_said;
}

static bool is_over(const struct play *play)
{
	return play->down_over && play->plain_ended;
}

void play_end_properly(struct play *play, bool undisturbed)
{
	static const uint8_t close_notify[] = {1, 0};

	memset(&answers, 0, sizeof answers);
	play_pump(play);
	if (undisturbed)
		say_until(play, is_all_heard);
	require(!undisturbed || is_all_heard(play));
	play_record(play, KT_RECORD_ALERT, close_notify, sizeof close_notify);
	play_pump(play);
	play_plain_read(play);
	play_plain_close(play);
	play_pump(play);
	if (undisturbed)
		say_until(play, is_over);
	require(!undisturbed || is_over(play));
}

/* Who has nobody left ends; who does not hear of that in his time. */
static void await_end(struct play *play)
{
	const struct kt_list *conns = &play->stage->worker->conns;

	for (int i = 0; i < PATIENCE && !kt_list_empty(conns); i++) {
		if (i > 8)
			poll(NULL, 0, 1);
		play_settle(play);
		reset(&play->tls);
		reset(&play->plain);
		stage_pass(TURN_OF_NS);
		stage_run(play->stage);
	}
	require(kt_list_empty(conns));
}

void play_end(struct play *play)
{
	memset(&answers, 0, sizeof answers);
	play_turn(play);
	play_plain_read(play);
	reset(&play->tls);
	reset(&play->plain);
	for (int i = 0; i < EXTRAS_MAX; i++)
		reset(&play->extras[i]);
	stage_run(play->stage);
	await_end(play);
	play_settle(play);
	reset(&play->tls);
	reset(&play->plain);
	stage_run(play->stage);
	forget_link(play->stage);
	expect_sums(play);
	require(lowest_free() == play->lowest_free);
	if (play->swapped)
		play_swap(play);
	if (play->has_client)
		client_fini(&play->client);
	free(play->said.data);
	free(play->sent.data);
	free(play->pending.data);
}
