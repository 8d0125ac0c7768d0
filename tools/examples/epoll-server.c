/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll-server: TLS in an event loop of one's own, with <ktrust/…> alone. It echoes what clients
 * send that show a certificate of a CA in a file; SIGHUP reads that file again while they go on.
 * Here is the loop: trust, sockets, time. What becomes of one connection is in connection.c.
 *
 *	cc epoll-server.c connection.c $(pkg-config --cflags --libs ktrust) -o epoll-server
 *	./epoll-server 8443 server.pem server.key client-cas.pem
 *
 * One thread. For more, give each its own context, epoll and SO_REUSEPORT socket: the pool, the
 * credentials and the cache are made to be shared.
 */
#define _GNU_SOURCE 1 /* accept4 */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktrust/credentials.h>
#include <ktrust/pool.h>
#include <ktrust/verify.h>

#define EVENTS	64
#define BACKLOG 128
#define TICK_MS 1000 /* between two looks at deadlines */

struct server {
	/* The settings */
	const char *clients; /* file of CAs */
	unsigned int most;   /* connections */
	int64_t handshake_s;
	bool userspace; /* leave the kernel alone */

	struct kt_pool *pool;
	struct kt_verify_cache *cache;
	struct kt_tls_context *context;
	struct kt_ktls_support support;
	int epoll, listening, signals;
	bool accepting;
	unsigned int count;
	struct connection *first;
};

/* ---- Trust ----------------------------------------------------------------------------------- */

static bool complain(const struct kt_error *error)
{
	char text[600];

	fprintf(stderr, "epoll-server: %s\n", kt_error_format(error, text, sizeof text));
	return false;
}

/*
 * Readers never wait for this, and a file that is no good changes nothing. It does wait for readers
 * (of other threads), and for the disk.
 */
static bool load_clients(const struct server *server)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_pool_change change;
	struct kt_error error = {.err = ENOMEM, .text = "out of memory"};
	char source[KT_SOURCE_MAX + 1];
	bool good;

	snprintf(source, sizeof source, "file:%s", server->clients);
	good = set && !kt_anchor_set_add_source(set, source, NULL, &error) &&
	       !kt_pool_commit(server->pool, set, source, &change, &error);
	kt_anchor_set_free(set);
	if (!good)
		return complain(&error);
	printf("pool version %llu, %zu anchors\n", (unsigned long long)change.new_version,
	       change.anchors);
	return true;
}

static bool make_context(struct server *server, const char *chain, const char *key)
{
	struct kt_tls_context_options options = {
		.peer_role = KT_ROLE_CLIENT,
		.client_auth = KT_CLIENT_AUTH_REQUIRE,
	};
	struct kt_verifier_options verifier = {.mode = KT_VERIFIER_BOTH};
	struct kt_error error = {.err = ENOMEM, .text = "out of memory"};
	int err = kt_pool_new("clients", &server->pool, &error);

	if (!err && !load_clients(server))
		return false;
	if (!err)
		err = kt_verify_cache_new(NULL, &server->cache);
	if (!err)
		err = kt_credentials_load(chain, key, &options.credentials, &error);
	options.pool = server->pool;
	verifier.cache = server->cache;
	options.verifier = &verifier;
	options.no_export = server->userspace;
	if (!err)
		err = kt_tls_context_new(&options, &server->context, &error);
	kt_credentials_put(options.credentials); /* the context has a reference of its own */
	return err ? complain(&error) : true;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static bool watch(const struct server *server, int how, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	return !epoll_ctl(server->epoll, how, fd, &event);
}

static void set_accepting(struct server *server, bool accepting)
{
	if (accepting != server->accepting &&
	    watch(server, EPOLL_CTL_MOD, server->listening, accepting ? EPOLLIN : 0, NULL))
		server->accepting = accepting;
}

/* Its socket is in no later event of the same epoll_wait: each is in there once at most. */
static void drop(struct server *server, struct connection *connection)
{
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	connection_free(connection);
	server->count--;
	set_accepting(server, true);
}

static void take(struct server *server, int fd)
{
	struct connection *connection =
		connection_new(server->context, &server->support, fd, server->handshake_s);

	if (!connection)
		return;
	connection->next = server->first;
	if (server->first)
		server->first->previous = connection;
	server->first = connection;
	server->count++;
	connection->reason = "no memory";
	if (!watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, connection))
		drop(server, connection);
}

/* Those for whom there is no room stay in the backlog, which is bounded as well. */
static void accept_clients(struct server *server)
{
	while (server->count < server->most) {
		int fd = accept4(server->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			take(server, fd);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && errno != ECONNABORTED)
			break; /* no descriptors, no memory: until the next tick */
	}
	set_accepting(server, false);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void go_on(struct server *server, struct connection *connection)
{
	static const uint32_t events[] = {[WANTS_INPUT] = EPOLLIN, [WANTS_ROOM] = EPOLLOUT};

	connection_go_on(connection);
	if (connection->state == OVER) {
		drop(server, connection);
		return;
	}
	if (connection->wants == connection->waits_for)
		return;
	connection->waits_for = connection->wants;
	if (connection->wants == WANTS_TIME)
		(void)watch(server, EPOLL_CTL_DEL, connection->fd, 0, NULL);
	else
		(void)watch(server, EPOLL_CTL_MOD, connection->fd, events[connection->wants],
			    connection);
}

/* Few enough to look through them once a second. */
static void tick(struct server *server, int64_t now)
{
	struct connection *connection, *next;

	for (connection = server->first; connection; connection = next) {
		next = connection->next;
		if (connection->deadline > now)
			continue;
		connection_expire(connection);
		drop(server, connection);
	}
	if (server->count < server->most)
		set_accepting(server, true);
}

/* False: leave. */
static bool take_signal(const struct server *server)
{
	struct signalfd_siginfo signal;

	if (read(server->signals, &signal, sizeof signal) != sizeof signal)
		return true;
	if (signal.ssi_signo != SIGHUP)
		return false;
	(void)load_clients(server); /* if not, the pool is as it was */
	return true;
}

static void run(struct server *server)
{
	struct epoll_event events[EVENTS];
	int64_t ticked = connection_clock();
	bool leave = false;

	while (!leave) {
		int count = epoll_wait(server->epoll, events, EVENTS, TICK_MS);

		for (int i = 0; i < count; i++) {
			if (!events[i].data.ptr)
				accept_clients(server);
			else if (events[i].data.ptr == server)
				leave = !take_signal(server);
			else
				go_on(server, events[i].data.ptr);
		}
		if (connection_clock() != ticked)
			tick(server, ticked = connection_clock());
	}
	while (server->first) {
		server->first->reason = "server leaves";
		drop(server, server->first);
	}
}

static bool listen_at(struct server *server, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	const int on = 1;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	server->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (setsockopt(server->listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    bind(server->listening, (struct sockaddr *)&address, len) ||
	    listen(server->listening, BACKLOG) ||
	    getsockname(server->listening, (struct sockaddr *)&address, &len) ||
	    !watch(server, EPOLL_CTL_ADD, server->listening, EPOLLIN, NULL) ||
	    !watch(server, EPOLL_CTL_ADD, server->signals, EPOLLIN, server)) {
		perror("epoll-server: listen");
		return false;
	}
	server->accepting = true;
	printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
	return true;
}

int main(int argc, char **argv)
{
	struct server server = {.most = 1024, .handshake_s = 10};
	bool good;
	int flag;

	while ((flag = getopt(argc, argv, "n:t:u")) != -1) {
		if (flag == 'n')
			server.most = (unsigned int)strtoul(optarg, NULL, 10);
		else if (flag == 't')
			server.handshake_s = strtol(optarg, NULL, 10);
		else if (flag == 'u')
			server.userspace = true;
		else
			argc = 0;
	}
	if (argc - optind != 4 || !server.most || server.handshake_s <= 0) {
		fprintf(stderr, "Usage: epoll-server [-n CONNECTIONS] [-t SECONDS for a handshake] "
				"[-u (records in userspace)] PORT CHAIN KEY CLIENT-CAS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	server.clients = argv[optind + 3];
	/* What the kernel cannot do, and a failure to ask it, leave records in userspace. */
	if (!server.userspace && kt_ktls_probe(&server.support))
		server.userspace = true;
	good = make_context(&server, argv[optind + 1], argv[optind + 2]) &&
	       listen_at(&server, (uint16_t)strtoul(argv[optind], NULL, 10));
	if (good)
		run(&server);
	kt_tls_context_free(server.context);
	kt_verify_cache_free(server.cache);
	kt_pool_free(server.pool);
	return good ? 0 : 1;
}
