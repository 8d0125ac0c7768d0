/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>

/* ---- Sockets --------------------------------------------------------------------------------- */

/* With it, calls end by EINTR when the kernel takes down the ring of an engine that was freed
 * before in this process: io_uring makes the thread that set it up do a part of that. So calls on
 * such sockets are tried again. */
static void set_limit(int fd)
{
	const struct timeval limit = {.tv_sec = WAIT_LIMIT_MS / 1000};

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}

int bind_port(struct kt_address *ret_address)
{
	struct kt_error error = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", ret_address, &error));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&ret_address->addr, ret_address->len));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&ret_address->addr, &ret_address->len));
	return fd;
}

/* A peer may reset the connection before connect() returns, which would take the error that reading
 * is to tell. */
static void connect_with_limit(int fd, const struct kt_address *address)
{
	struct pollfd event = {.fd = fd, .events = POLLOUT};
	int flags = fcntl(fd, F_GETFL);

	ASSERT_EQ(0, fcntl(fd, F_SETFL, flags | O_NONBLOCK));
	if (connect(fd, (const struct sockaddr *)&address->addr, address->len)) {
		ASSERT_EQ(EINPROGRESS, errno);
		ASSERT_EQ(1, TEMP_FAILURE_RETRY(poll(&event, 1, WAIT_LIMIT_MS)));
	}
	ASSERT_EQ(0, fcntl(fd, F_SETFL, flags));
}

int tcp_connect(const struct kt_address *address)
{
	int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	ASSERT_LE(0, fd);
	set_limit(fd);
	/* pieces stay pieces, and nothing waits for an acknowledgement */
	ASSERT_EQ(0, setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
	connect_with_limit(fd, address);
	return fd;
}

static void set_limits(const char *path, const char *limits)
{
	int file = open(path, O_WRONLY);

	ASSERT_LE(0, file);
	ASSERT_EQ(strlen(limits), write(file, limits, strlen(limits)));
	close(file);
}

bool rig_own_network(const char *wmem)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(0, ioctl(fd, SIOCSIFFLAGS, &lo));
	close(fd);
	set_limits("/proc/sys/net/ipv4/tcp_wmem", wmem);
	set_limits("/proc/sys/net/ipv4/tcp_rmem", "4096 65536 65536");
	return true;
}

/* False: the other side is gone. */
static bool try_to_send_all(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(send(fd, at, len, MSG_NOSIGNAL));

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return false;
		ASSERT_LT(0, n);
		at += n;
		len -= (size_t)n;
	}
	return true;
}

void send_all(int fd, const void *data, size_t len)
{
	ASSERT_TRUE(try_to_send_all(fd, data, len));
}

void recv_exactly(int fd, void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, at, len, 0));

		ASSERT_LT(0, n);
		at += n;
		len -= (size_t)n;
	}
}

int recv_end(int fd)
{
	uint8_t byte;
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, &byte, 1, 0));

	ASSERT_GE(0, n);
	return n ? -errno : 0;
}

void abort_fd(int fd)
{
	const struct linger now = {.l_onoff = 1};

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	close(fd);
}

void pattern(uint8_t *buf, size_t len, size_t at, uint8_t seed)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (at + i + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;

		buf[i] = (uint8_t)(x >> 56 ^ x >> 24);
	}
}

bool wait_a_moment(unsigned int *turns)
{
	poll(NULL, 0, 1);
	return ++*turns < WAIT_LIMIT_MS;
}

/* ---- Rig ------------------------------------------------------------------------------------- */

static void listen_backend(struct rig *rig, const struct rig_options *options)
{
	struct kt_error error = {0};
	char text[160] = "127.0.0.1:0";

	if (options->unix_backend) {
		snprintf(rig->backend_path, sizeof rig->backend_path, "%s/backend", rig->lab.dir);
		snprintf(text, sizeof text, "unix:%s", rig->backend_path);
	}
	ASSERT_EQ(0, kt_address_parse(text, &rig->backend_address, &error));
	rig->backend = socket(rig->backend_address.addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, rig->backend);
	set_limit(rig->backend);
	if (options->backend_rcvbuf)
		setsockopt(rig->backend, SOL_SOCKET, SO_RCVBUF, &options->backend_rcvbuf,
			   sizeof options->backend_rcvbuf);
	ASSERT_EQ(0, bind(rig->backend, (struct sockaddr *)&rig->backend_address.addr,
			  rig->backend_address.len));
	if (!options->no_backend)
		ASSERT_EQ(0, listen(rig->backend, 1024));
	if (!options->unix_backend)
		ASSERT_EQ(0,
			  getsockname(rig->backend, (struct sockaddr *)&rig->backend_address.addr,
				      &rig->backend_address.len));
}

static void be_origin(struct rig *rig, const struct rig_options *options,
		      struct kt_listener_options *listener, struct kt_target *targets,
		      struct kt_upstream_options *upstream)
{
	for (size_t i = 0; i < listener->backend_count; i++)
		targets[i] = (struct kt_target){
			.address = listener->backends[i],
			.host = "target.test",
			.port = (uint16_t)(443 + i),
			.name = options->target_name ? options->target_name : "server.test",
			.name_type = options->target_name ? options->target_name_type : KT_NAME_DNS,
		};
	listener->mode = KT_MODE_ORIGIN;
	listener->targets = targets;
	listener->target_count = listener->backend_count;
	listener->backends = NULL;
	listener->backend_count = 0;
	listener->credentials = options->own;
	listener->credentials_slot = options->own_slot;
	if (!options->upstream)
		return;
	*upstream = *options->upstream;
	if (!upstream->address.len)
		upstream->address = rig->backend_address;
	listener->upstream = upstream;
}

int rig_make_engine(struct rig *rig, const struct rig_options *options, struct kt_engine **ret)
{
	struct kt_error error = {0};
	struct kt_address backends[KT_BACKENDS_MAX] = {rig->backend_address};
	struct kt_target targets[KT_BACKENDS_MAX];
	struct kt_upstream_options upstream;
	struct kt_listener_options listener = {
		.name = "test",
		.backends = backends,
		.backend_count = options->backend_count ? options->backend_count : 1,
		.credentials = rig->lab.credentials,
		.client_auth = options->client_auth,
		.pool = rig->lab.pool,
		.pools = options->pools,
		.pool_count = options->pool_count,
		.choose_pool = options->choose_pool,
		.choose_arg = options->choose_arg,
		.ca_names = options->ca_names,
		.proxy_from = options->proxy_from,
		.proxy_from_count = options->proxy_from_count,
		.proxy_protocol = options->proxy_protocol,
		.alpn = options->alpn,
		.alpn_len = options->alpn_len,
	};
	const struct kt_engine_options engine = {
		.listeners = &listener,
		.listener_count = 1,
		.workers = options->workers ? options->workers : 1,
		.ktls = options->ktls,
		.handshake_timeout_ms = options->handshake_timeout_ms,
		.connect_timeout_ms = options->connect_timeout_ms,
		.idle_timeout_ms = options->idle_timeout_ms,
		.hold_timeout_ms = options->hold_timeout_ms,
		.connections_max = options->connections_max,
		.handshakes_max = options->handshakes_max,
		.handshakes_address_max = options->handshakes_address_max,
		.key_records_max = options->key_records_max,
	};

	if (options->handoff) {
		char text[160];

		snprintf(text, sizeof text, "unix:%s", rig->handoff_path);
		ASSERT_EQ(0, kt_address_parse(text, &listener.handoff, &error));
		listener.backend_count = 0;
		listener.handoff_user = options->handoff_user;
		listener.handoff_queue = options->handoff_queue;
	}
	for (size_t i = 0; i < options->backend_count; i++)
		backends[i] =
			options->backends[i].len ? options->backends[i] : rig->backend_address;
	if (options->origin)
		be_origin(rig, options, &listener, targets, &upstream);
	if (options->address)
		listener.listen = *options->address;
	else
		ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", &listener.listen, &error));
	return kt_engine_new(&engine, ret, &error);
}

void rig_init(struct rig *rig, const struct rig_options *options)
{
	struct kt_error error = {0};

	memset(rig, 0, sizeof *rig);
	lab_init(&rig->lab, &(struct lab_options){.client_auth = options->client_auth});
	listen_backend(rig, options);
	snprintf(rig->handoff_path, sizeof rig->handoff_path, "%s/handoff", rig->lab.dir);
	rig->fds = test_open_fds();
	ASSERT_EQ(0, rig_make_engine(rig, options, &rig->engine));
	ASSERT_EQ(0, kt_engine_address(rig->engine, 0, &rig->address));
	if (!options->no_start)
		ASSERT_EQ(0, kt_engine_start(rig->engine, &error));
}

static void add_outcome(const char *name, uint64_t count, void *arg)
{
	(void)name;
	*(uint64_t *)arg += count;
}

/* Every accepted TCP connection has had one outcome, and every accepted handshake one end. */
static void expect_sums(struct rig *rig)
{
	struct kt_engine_stats stats = rig_stats(rig);
	uint64_t outcomes = 0, ends = 0;

	kt_engine_each_outcome(rig->engine, add_outcome, &outcomes);
	kt_engine_each_end(rig->engine, add_outcome, &ends);
	EXPECT_EQ(stats.accepted, outcomes);
	EXPECT_EQ(stats.handshakes_ok + stats.handshakes_failed, outcomes);
	EXPECT_EQ(stats.handshakes_ok, ends);
	EXPECT_EQ(stats.ended, ends);
	EXPECT_EQ(0, stats.live);
	EXPECT_EQ(0, stats.handshaking);
}

void rig_fini(struct rig *rig)
{
	if (rig->engine) {
		kt_engine_drain(rig->engine, 0);
		expect_sums(rig);
		kt_engine_free(rig->engine);
		/* The ring of a worker is taken down by the kernel in its own time. */
		WAIT_UNTIL(test_open_fds() <= rig->fds);
	}
	close(rig->backend);
	if (rig->backend_path[0])
		unlink(rig->backend_path);
	unlink(rig->handoff_path);
	lab_fini(&rig->lab);
}

int rig_accept(struct rig *rig)
{
	int fd = TEMP_FAILURE_RETRY(accept4(rig->backend, NULL, NULL, SOCK_CLOEXEC));

	ASSERT_LE(0, fd);
	set_limit(fd);
	return fd;
}

void fill_queue(int listening, const struct kt_address *address, int queued[static QUEUED])
{
	struct pollfd connected;

	ASSERT_EQ(0, listen(listening, 0));
	for (int i = 0; i < QUEUED; i++) {
		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(queued[i], (const struct sockaddr *)&address->addr, address->len);
		connected = (struct pollfd){.fd = queued[i], .events = POLLOUT};
		poll(&connected, 1, 10);
	}
}

struct wanted {
	const char *name;
	uint64_t count;
};

static void find(const char *name, uint64_t count, void *arg)
{
	struct wanted *wanted = arg;

	if (!strcmp(name, wanted->name))
		wanted->count += count;
}

uint64_t rig_outcomes(struct rig *rig, const char *name)
{
	struct wanted wanted = {.name = name};

	kt_engine_each_outcome(rig->engine, find, &wanted);
	return wanted.count;
}

uint64_t rig_ends(struct rig *rig, const char *name)
{
	struct wanted wanted = {.name = name};

	kt_engine_each_end(rig->engine, find, &wanted);
	return wanted.count;
}

static void log_name(const char *name, uint64_t count, void *arg)
{
	(void)arg;
	TH_LOG("  %s: %llu", name, (unsigned long long)count);
}

static void await_name(struct rig *rig, const char *name, uint64_t count,
		       uint64_t (*get)(struct rig *rig, const char *name))
{
	for (unsigned int turns = 0; get(rig, name) < count;)
		ASSERT_TRUE(wait_a_moment(&turns))
		{
			TH_LOG("waited for %s; there were", name);
			kt_engine_each_outcome(rig->engine, log_name, NULL);
			kt_engine_each_end(rig->engine, log_name, NULL);
		}
	ASSERT_EQ(count, get(rig, name));
}

void rig_await_outcomes(struct rig *rig, const char *name, uint64_t count)
{
	await_name(rig, name, count, rig_outcomes);
}

void rig_await_ends(struct rig *rig, const char *name, uint64_t count)
{
	await_name(rig, name, count, rig_ends);
}

struct kt_engine_stats rig_stats(struct rig *rig)
{
	struct kt_engine_stats stats;

	kt_engine_get_stats(rig->engine, &stats);
	return stats;
}

/* ---- Clients --------------------------------------------------------------------------------- */

void peer_connect(struct peer *peer, const struct rig *rig, SSL_CTX *context)
{
	client_init(&peer->client, context);
	peer->fd = tcp_connect(&rig->address);
}

void peer_serve(struct peer *peer, int fd, SSL_CTX *context)
{
	client_init(&peer->client, context);
	SSL_set_accept_state(peer->client.ssl);
	peer->fd = fd;
}

void peer_flush(struct peer *peer)
{
	uint8_t buf[4096];
	int n;

	while ((n = BIO_read(peer->client.out, buf, sizeof buf)) > 0)
		(void)try_to_send_all(peer->fd, buf, (size_t)n); /* reading will tell */
}

/* 1: bytes came. */
static int pull(struct peer *peer)
{
	uint8_t buf[4096];
	ssize_t n = TEMP_FAILURE_RETRY(recv(peer->fd, buf, sizeof buf, 0));

	if (n > 0) {
		ASSERT_EQ(n, BIO_write(peer->client.in, buf, (int)n));
		return 1;
	}
	if (!n)
		return PEER_EOF;
	return errno == EAGAIN ? PEER_SILENT : PEER_RESET;
}

/* 1: try again; else why not. */
static int after_failure(struct peer *peer, int rc)
{
	int why = SSL_get_error(peer->client.ssl, rc);

	ERR_clear_error();
	switch (why) {
	case SSL_ERROR_WANT_READ:
		return pull(peer);
	case SSL_ERROR_ZERO_RETURN:
		return PEER_CLOSED;
	default:
		return PEER_FAILED;
	}
}

int peer_handshake(struct peer *peer)
{
	int rc, why;

	while ((rc = SSL_do_handshake(peer->client.ssl)) != 1) {
		peer_flush(peer);
		why = after_failure(peer, rc);
		if (why != 1)
			return why;
	}
	peer_flush(peer);
	return 1;
}

static bool said_all(const struct client *client)
{
	static const uint8_t none[48];

	return SSL_is_init_finished(client->ssl) || memcmp(client->master, none, sizeof none);
}

void peer_hold_last_flight(struct peer *peer)
{
	int rc;

	while ((rc = SSL_do_handshake(peer->client.ssl)) != 1 && !said_all(&peer->client)) {
		peer_flush(peer);
		ASSERT_EQ(1, after_failure(peer, rc));
	}
	ERR_clear_error();
}

void peer_write(struct peer *peer, const void *data, size_t len)
{
	ASSERT_EQ((int)len, SSL_write(peer->client.ssl, data, (int)len));
	peer_flush(peer);
}

ssize_t peer_read(struct peer *peer, void *buf, size_t size)
{
	int n, why;

	while ((n = SSL_read(peer->client.ssl, buf, (int)size)) <= 0) {
		why = after_failure(peer, n);
		if (why != 1)
			return why;
	}
	return n;
}

void peer_read_all(struct peer *peer, void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = peer_read(peer, at, len);

		ASSERT_LT(0, n);
		at += n;
		len -= (size_t)n;
	}
}

void peer_close_notify(struct peer *peer)
{
	SSL_shutdown(peer->client.ssl);
	ERR_clear_error();
	peer_flush(peer);
}

/* The other end of a connection within this process. */
static int other_end(int fd)
{
	struct sockaddr_in mine, theirs;
	socklen_t len = sizeof mine;

	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&mine, &len));
	for (int other = 3; other < 4096; other++) {
		len = sizeof theirs;
		if (!getpeername(other, (struct sockaddr *)&theirs, &len) &&
		    theirs.sin_family == AF_INET && theirs.sin_port == mine.sin_port)
			return other;
	}
	return -1;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	ASSERT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	return info;
}

/* Arrived, though perhaps not acknowledged yet, and taken out of the socket. */
static bool is_read(int fd)
{
	int unread = -1, other = other_end(fd);
	struct tcp_info mine = info_of(fd);

	return other >= 0 &&
	       info_of(other).tcpi_bytes_received ==
		       mine.tcpi_bytes_sent - mine.tcpi_bytes_retrans &&
	       !ioctl(other, SIOCINQ, &unread) && !unread;
}

void peer_await_read(const struct peer *peer)
{
	WAIT_UNTIL(is_read(peer->fd));
}

void peer_fini(struct peer *peer)
{
	client_fini(&peer->client);
	if (peer->fd >= 0)
		close(peer->fd);
}
