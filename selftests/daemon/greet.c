/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * greet: TLS clients at full speed, which count whose certificate they got.
 *
 *   greet PORT CA
 *
 * Two threads connect, shake hands, send a byte, read its echo and leave, until standard input
 * ends. A byte that came back means that the server's certificate is the CA's, and its key the
 * certificate's. The common names are expected to be numbers that never go back, since a client
 * that was served by new credentials is not served by older ones afterwards. Prints one JSON
 * object: handshakes, failures, backwards, and how often each name was seen; exits 0, or 2 when it
 * could not work at all.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define CLIENTS	       2
#define NAMES	       4096 /* numbers below */
#define IO_TIMEOUT_S   20
#define COMPLAINTS_MAX 10

struct greet {
	struct sockaddr_in server;
	const char *ca;
	_Atomic bool over;
	atomic_uint complaints;
	_Atomic uint64_t handshakes, failures, backwards;
	_Atomic uint64_t seen[NAMES];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "greet: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(2);
}

/* The first few in words; all are counted. */
static void complain(struct greet *greet, const char *step)
{
	atomic_fetch_add(&greet->failures, 1);
	if (atomic_fetch_add(&greet->complaints, 1) < COMPLAINTS_MAX)
		fprintf(stderr, "greet: %s: %s\n", step,
			ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error())
					 : strerror(errno));
	ERR_clear_error();
}

/* The number that the server's certificate is called by; NAMES: none. */
static unsigned long name_of_server(const SSL *ssl)
{
	char name[64] = "", *end = name;
	unsigned long number;

	X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)),
				  NID_commonName, name, sizeof name);
	number = strtoul(name, &end, 10);
	return end > name && !*end && number < NAMES ? number : NAMES;
}

static const char *converse(struct greet *greet, SSL *ssl, unsigned long *last)
{
	unsigned long number;
	char byte = 'x';

	if (SSL_connect(ssl) != 1)
		return "handshake";
	if (SSL_write(ssl, &byte, 1) != 1 || SSL_read(ssl, &byte, 1) != 1 || byte != 'x')
		return "echo";
	number = name_of_server(ssl);
	if (number == NAMES)
		return "a certificate without a number";
	atomic_fetch_add(&greet->seen[number], 1);
	if (number < *last)
		atomic_fetch_add(&greet->backwards, 1);
	*last = number;
	SSL_shutdown(ssl);
	return NULL;
}

static const char *visit(struct greet *greet, SSL_CTX *context, unsigned long *last)
{
	const struct timeval limit = {.tv_sec = IO_TIMEOUT_S};
	const struct linger abort_at_close = {.l_onoff = 1};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(context);
	const char *failed = "connect";

	if (fd < 0 || !ssl || SSL_set_fd(ssl, fd) != 1)
		die("client");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	/* The byte comes right behind Finished: it is not to wait for an acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!connect(fd, (struct sockaddr *)&greet->server, sizeof greet->server))
		failed = converse(greet, ssl, last);
	/* All there was has been read; a reset keeps ports from running out in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close);
	SSL_free(ssl);
	close(fd);
	return failed;
}

static void *visit_often(void *arg)
{
	struct greet *greet = arg;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	unsigned long last = 0;

	if (!context || SSL_CTX_load_verify_file(context, greet->ca) != 1)
		die(greet->ca);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	while (!atomic_load(&greet->over)) {
		const char *failed = visit(greet, context, &last);

		if (failed)
			complain(greet, failed);
		else
			atomic_fetch_add(&greet->handshakes, 1);
	}
	SSL_CTX_free(context);
	return NULL;
}

static void wait_for_end(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;

	while (poll(&in, 1, -1) < 0 || read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void report(struct greet *greet)
{
	json_t *seen = json_object();
	char name[16];

	for (unsigned long i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%lu", i);
		if (greet->seen[i])
			json_object_set_new(seen, name, json_integer((json_int_t)greet->seen[i]));
	}
	seen = json_pack("{s:I, s:I, s:I, s:o}", "handshakes", (json_int_t)greet->handshakes,
			 "failures", (json_int_t)greet->failures, "backwards",
			 (json_int_t)greet->backwards, "seen", seen);
	json_dumpf(seen, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(seen);
}

int main(int argc, char **argv)
{
	static struct greet greet = {.server = {.sin_family = AF_INET}};
	pthread_t clients[CLIENTS];

	if (argc != 3) {
		fprintf(stderr, "usage: greet PORT CA\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	greet.server.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	greet.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	greet.ca = argv[2];
	for (size_t i = 0; i < CLIENTS; i++)
		if (pthread_create(&clients[i], NULL, visit_often, &greet))
			die("thread");
	wait_for_end();
	atomic_store(&greet.over, true);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	report(&greet);
	return fflush(stdout) ? 2 : 0;
}
