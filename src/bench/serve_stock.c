/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve_stock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define BACKLOG	 128
#define PATIENCE 5     /* seconds for one side of a connection */
#define BUFFER	 16384 /* a whole record: nothing is left behind in libssl */

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
	if (SSL_CTX_set_num_tickets(context, 0) &&
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

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG))
		return -1;
	return fd;
}

/* Nobody may hold up those behind it for long. */
static void be_patient(int fd)
{
	const struct timeval limit = {.tv_sec = PATIENCE};
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	be_patient(fd);
	if (!connect(fd, (struct sockaddr *)&address, sizeof address))
		return fd;
	close(fd);
	return -1;
}

/* ---- Relaying -------------------------------------------------------------------------------- */

/* False: that direction is at its end. */
static bool pass_up(SSL *ssl, int backend, char *buffer)
{
	int got = SSL_read(ssl, buffer, BUFFER);

	if (got > 0)
		return send(backend, buffer, (size_t)got, MSG_NOSIGNAL) == got;
	shutdown(backend, SHUT_WR);
	return false;
}

static bool pass_down(SSL *ssl, int backend, char *buffer)
{
	ssize_t got = recv(backend, buffer, BUFFER, 0);

	return got > 0 && SSL_write(ssl, buffer, (int)got) == got;
}

static void relay(SSL *ssl, int client, int backend)
{
	struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = backend, .events = POLLIN}};
	char buffer[BUFFER];
	bool down = true;

	while (down) {
		if (poll(fds, 2, PATIENCE * 1000) <= 0)
			return;
		if (fds[0].revents && !pass_up(ssl, backend, buffer))
			fds[0].fd = -1;
		if (fds[1].revents)
			down = pass_down(ssl, backend, buffer);
	}
}

static void serve(SSL *ssl, int client, uint16_t backend_port)
{
	int backend;

	if (SSL_set_fd(ssl, client) != 1 || SSL_accept(ssl) != 1)
		return;
	backend = connect_to(backend_port);
	if (backend < 0)
		return;
	relay(ssl, client, backend);
	(void)SSL_shutdown(ssl);
	close(backend);
}

int kt_bench_serve_stock(void *arg)
{
	const struct kt_bench_values *values = arg;
	SSL_CTX *context = make_context(values);
	int listening;

	if (!context)
		return fail("TLS");
	listening = listen_at(values->port);
	if (listening < 0)
		return fail("listen");
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		SSL *ssl = SSL_new(context);

		if (client < 0 || !ssl)
			return fail("accept");
		be_patient(client);
		serve(ssl, client, values->backend);
		SSL_free(ssl);
		close(client);
		ERR_clear_error();
	}
}
