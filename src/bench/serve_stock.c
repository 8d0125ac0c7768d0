/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve_stock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define BACKLOG 128
#define EVENTS  64
#define BUFFER  16384 /* bytes: a whole record */

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what,
		ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : strerror(errno));
	return 1;
}

/* ---- The terms ------------------------------------------------------------------------------- */

static const char *path_of(const struct kt_bench_values *values, const char *name,
			   char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", values->dir, name);
	return path;
}

static bool demand_certificates(SSL_CTX *context, const struct kt_bench_values *values)
{
	char path[PATH_MAX];

	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return SSL_CTX_load_verify_file(context, path_of(values, "ca.pem", path)) == 1;
}

static SSL_CTX *make_context(const struct kt_bench_values *values)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	char path[PATH_MAX];

	if (!context)
		return NULL;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if ((values->tickets || SSL_CTX_set_num_tickets(context, 0)) &&
	    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
	    SSL_CTX_use_certificate_chain_file(context, path_of(values, "server.pem", path)) == 1 &&
	    SSL_CTX_use_PrivateKey_file(context, path_of(values, "server.key", path),
					SSL_FILETYPE_PEM) == 1 &&
	    (!values->mtls || demand_certificates(context, values)))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void do_not_delay(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = open_socket();
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG))
		return -1;
	return fd;
}

/* Not waited for: until it is there, reading and writing say EAGAIN. */
static int connect_to(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = open_socket();

	if (fd < 0)
		return -1;
	do_not_delay(fd);
	if (!connect(fd, (struct sockaddr *)&address, sizeof address) || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

/* ---- Connections ----------------------------------------------------------------------------- */

enum outcome { WAITS, GOES_ON, OVER };

struct flow {
	size_t len, off; /* of what was read and is to be written */
	bool ending;	 /* nothing more comes in */
	bool done;	 /* and its reader was told */
	char buffer[BUFFER];
};

struct connection {
	SSL *ssl;
	int client;
	int backend; /* -1: the handshake is not over */
	struct flow up, down;
	struct connection *next; /* of those that are over */
};

struct relay {
	SSL_CTX *context;
	uint16_t backend;
	int listening;
	int epoll;
	struct connection *over; /* freed behind the events, of which more may be theirs */
};

static bool watch(const struct relay *relay, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = what};

	return !epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void end(struct relay *relay, struct connection *connection)
{
	SSL_free(connection->ssl);
	connection->ssl = NULL;
	close(connection->client);
	if (connection->backend >= 0)
		close(connection->backend);
	connection->next = relay->over;
	relay->over = connection;
}

static void free_those_over(struct relay *relay)
{
	while (relay->over) {
		struct connection *connection = relay->over;

		relay->over = connection->next;
		free(connection);
	}
}

/* Of a call of libssl that gave no bytes. */
static enum outcome look(SSL *ssl, int rc)
{
	int code = SSL_get_error(ssl, rc);

	return code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE ? WAITS : OVER;
}

static enum outcome shake(struct relay *relay, struct connection *connection)
{
	int rc = SSL_accept(connection->ssl);

	if (rc != 1)
		return look(connection->ssl, rc);
	connection->backend = connect_to(relay->backend);
	if (connection->backend < 0 || !watch(relay, connection->backend, connection))
		return OVER;
	return GOES_ON;
}

/* ---- Relaying -------------------------------------------------------------------------------- */

static enum outcome read_client(struct connection *connection)
{
	struct flow *up = &connection->up;
	int got = SSL_read(connection->ssl, up->buffer, BUFFER);

	if (got > 0)
		up->len = (size_t)got;
	else if (look(connection->ssl, got) == WAITS)
		return WAITS;
	up->off = 0;
	up->ending = got <= 0;
	return GOES_ON;
}

static enum outcome move_up(struct connection *connection)
{
	struct flow *up = &connection->up;
	ssize_t put;

	if (up->off == up->len && !up->ending)
		return read_client(connection);
	if (up->off == up->len) {
		shutdown(connection->backend, SHUT_WR);
		up->done = true;
		return GOES_ON;
	}
	put = send(connection->backend, up->buffer + up->off, up->len - up->off, MSG_NOSIGNAL);
	if (put < 0)
		return errno == EAGAIN ? WAITS : OVER;
	up->off += (size_t)put;
	return GOES_ON;
}

static enum outcome read_backend(struct connection *connection)
{
	struct flow *down = &connection->down;
	ssize_t got = recv(connection->backend, down->buffer, BUFFER, 0);

	if (got < 0)
		return errno == EAGAIN ? WAITS : OVER;
	down->len = (size_t)got;
	down->off = 0;
	down->ending = got == 0;
	return GOES_ON;
}

/* libssl writes all or nothing. */
static enum outcome move_down(struct connection *connection)
{
	struct flow *down = &connection->down;
	int put;

	if (down->off == down->len && !down->ending)
		return read_backend(connection);
	if (down->off == down->len) {
		(void)SSL_shutdown(connection->ssl);
		shutdown(connection->client, SHUT_WR);
		down->done = true;
		return GOES_ON;
	}
	put = SSL_write(connection->ssl, down->buffer, (int)down->len);
	if (put <= 0)
		return look(connection->ssl, put);
	down->off = down->len;
	return GOES_ON;
}

/* A direction as far as it goes. */
static enum outcome move(struct connection *connection,
			 enum outcome (*once)(struct connection *connection), struct flow *flow)
{
	enum outcome outcome = GOES_ON;

	while (outcome == GOES_ON && !flow->done)
		outcome = once(connection);
	return outcome;
}

static void go_on(struct relay *relay, struct connection *connection)
{
	enum outcome outcome = GOES_ON;

	if (connection->backend < 0)
		outcome = shake(relay, connection);
	if (outcome == GOES_ON)
		outcome = move(connection, move_up, &connection->up);
	if (outcome != OVER && connection->backend >= 0)
		outcome = move(connection, move_down, &connection->down);
	if (outcome == OVER || (connection->up.done && connection->down.done))
		end(relay, connection);
	ERR_clear_error();
}

/* ---- The loop -------------------------------------------------------------------------------- */

static bool take(struct relay *relay, int client)
{
	struct connection *connection = malloc(sizeof *connection);

	if (!connection)
		return false;
	connection->client = client;
	connection->backend = -1;
	connection->up.len = connection->up.off = connection->down.len = connection->down.off = 0;
	connection->up.ending = connection->up.done = false;
	connection->down.ending = connection->down.done = false;
	connection->ssl = SSL_new(relay->context);
	do_not_delay(client);
	if (connection->ssl && SSL_set_fd(connection->ssl, client) == 1 &&
	    watch(relay, client, connection)) {
		SSL_set_accept_state(connection->ssl);
		return true;
	}
	end(relay, connection);
	return false;
}

static bool accept_all(struct relay *relay)
{
	int client;

	while ((client = accept4(relay->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		if (!take(relay, client))
			return false;
	return errno == EAGAIN || errno == ECONNABORTED;
}

static bool turn(struct relay *relay)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(relay->epoll, events, EVENTS, -1);
	bool good = count >= 0 || errno == EINTR;

	for (int i = 0; good && i < count; i++) {
		struct connection *connection = events[i].data.ptr;

		if (!connection)
			good = accept_all(relay);
		else if (connection->ssl)
			go_on(relay, connection);
	}
	free_those_over(relay);
	return good;
}

int kt_bench_serve_stock(void *arg)
{
	const struct kt_bench_values *values = arg;
	struct relay relay = {.context = make_context(values), .backend = values->backend};

	if (!relay.context)
		return fail("TLS");
	relay.listening = listen_at(values->port);
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (relay.listening < 0 || relay.epoll < 0 || !watch(&relay, relay.listening, NULL))
		return fail("listen");
	signal(SIGPIPE, SIG_IGN);
	while (turn(&relay))
		;
	return fail("accept");
}
