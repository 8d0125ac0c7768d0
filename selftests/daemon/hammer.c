/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hammer: mutual TLS clients at full speed, while a pool is swapped at a fixed rate.
 *
 *   hammer PORT CERTIFICATE KEY CA CONTROL POOL SECONDS SWAPS SOURCE SOURCE BROKEN
 *
 * Two threads connect, shake hands, send a byte, read its echo and leave, again and again: a byte
 * that came back means that the server let them in. A third loads the two sources in turn through
 * the control socket, SWAPS times a second; every tenth time it names BROKEN, which must be
 * refused. Prints one JSON object and exits 0, or 2 when it could not work at all.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define CLIENTS	       2
#define BROKEN_EVERY   10
#define IO_TIMEOUT_S   20
#define NS_PER_S       1000000000u
#define COMPLAINTS_MAX 10

struct hammer {
	struct sockaddr_in server;
	char **files;	    /* certificate, key, CA */
	FILE *ask, *answer; /* the control socket: a line of JSON each way, see src/control */
	const char *pool;
	const char *sources[2];
	const char *broken;
	uint64_t until_ns;
	uint64_t period_ns; /* between two swaps */
	atomic_uint complaints;
	_Atomic uint64_t handshakes, failures;
	uint64_t swaps, refused, wrong, late, version; /* of the swapper's thread */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "hammer: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* The first few in words; all are counted. */
static void complain(struct hammer *hammer, const char *step)
{
	atomic_fetch_add(&hammer->failures, 1);
	if (atomic_fetch_add(&hammer->complaints, 1) < COMPLAINTS_MAX)
		fprintf(stderr, "hammer: %s: %s\n", step,
			ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error())
					 : strerror(errno));
	ERR_clear_error();
}

static const char *converse(SSL *ssl)
{
	char byte = 'x';

	if (SSL_connect(ssl) != 1)
		return "handshake";
	if (SSL_write(ssl, &byte, 1) != 1 || SSL_read(ssl, &byte, 1) != 1 || byte != 'x')
		return "echo";
	SSL_shutdown(ssl);
	return NULL;
}

static const char *visit(struct hammer *hammer, SSL_CTX *context)
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
	if (!connect(fd, (struct sockaddr *)&hammer->server, sizeof hammer->server))
		failed = converse(ssl);
	/* All there was has been read; a reset keeps ports from running out in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close);
	SSL_free(ssl);
	close(fd);
	return failed;
}

/* One a thread: what libcrypto caches in a shared certificate, ThreadSanitizer takes for a race. */
static SSL_CTX *client_context(char **files)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || SSL_CTX_use_certificate_chain_file(context, files[0]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, files[1], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_file(context, files[2]) != 1)
		die("credentials");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return context;
}

static void *visit_often(void *arg)
{
	struct hammer *hammer = arg;
	SSL_CTX *context = client_context(hammer->files);

	while (now_ns() < hammer->until_ns) {
		const char *failed = visit(hammer, context);

		if (failed)
			complain(hammer, failed);
		else
			atomic_fetch_add(&hammer->handshakes, 1);
	}
	SSL_CTX_free(context);
	return NULL;
}

/* ---- Swaps ----------------------------------------------------------------------------------- */

static void connect_control(struct hammer *hammer, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr))
		die(path);
	hammer->ask = fdopen(fd, "w");
	hammer->answer = fdopen(dup(fd), "r");
	if (!hammer->ask || !hammer->answer)
		die("control socket");
}

/* The reply as a new reference. */
static json_t *ask(struct hammer *hammer, const char *source)
{
	json_t *request = json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "op", "pool.load", "pool",
				    hammer->pool, "source", source);
	json_t *reply;

	json_dumpf(request, hammer->ask, JSON_COMPACT);
	json_decref(request);
	fputc('\n', hammer->ask);
	if (fflush(hammer->ask))
		die("control socket");
	reply = json_loadf(hammer->answer, JSON_DISABLE_EOF_CHECK, NULL);
	if (!reply)
		die("control socket: no reply");
	return reply;
}

static void load(struct hammer *hammer, const char *source, bool is_broken)
{
	json_t *reply = ask(hammer, source), *result = json_object_get(reply, "result");
	bool done = json_is_true(json_object_get(reply, "ok"));
	uint64_t version = (uint64_t)json_integer_value(json_object_get(result, "new_version"));

	if (done == is_broken) {
		hammer->wrong++;
		fprintf(stderr, "hammer: load of %s: ", source);
		json_dumpf(reply, stderr, 0);
		fputc('\n', stderr);
	} else if (is_broken) {
		hammer->refused++;
	} else {
		hammer->swaps++;
		hammer->wrong += hammer->version && version != hammer->version + 1;
		hammer->version = version;
	}
	json_decref(reply);
}

static void *swap_often(void *arg)
{
	struct hammer *hammer = arg;
	uint64_t at = now_ns();

	for (unsigned int i = 1, good = 0; at < hammer->until_ns; i++) {
		struct timespec when = {.tv_sec = (time_t)(at / NS_PER_S),
					.tv_nsec = (long)(at % NS_PER_S)};

		hammer->late += now_ns() > at + hammer->period_ns;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
		if (i % BROKEN_EVERY == 0)
			load(hammer, hammer->broken, true);
		else
			load(hammer, hammer->sources[good++ % 2], false);
		at += hammer->period_ns;
	}
	return NULL;
}

/* ---------------------------------------------------------------------------------------------- */

static void run(struct hammer *hammer, unsigned long seconds)
{
	pthread_t clients[CLIENTS], swapper;

	hammer->until_ns = now_ns() + seconds * NS_PER_S;
	if (pthread_create(&swapper, NULL, swap_often, hammer))
		die("thread");
	for (size_t i = 0; i < CLIENTS; i++)
		if (pthread_create(&clients[i], NULL, visit_often, hammer))
			die("thread");
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	pthread_join(swapper, NULL);
}

int main(int argc, char **argv)
{
	struct hammer hammer = {.server = {.sin_family = AF_INET}};
	json_t *report;

	if (argc != 12) {
		fprintf(stderr, "usage: hammer PORT CERTIFICATE KEY CA CONTROL POOL SECONDS SWAPS "
				"SOURCE SOURCE BROKEN\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	hammer.server.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	hammer.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hammer.files = argv + 2;
	connect_control(&hammer, argv[5]);
	hammer.pool = argv[6];
	hammer.period_ns = NS_PER_S / strtoul(argv[8], NULL, 10);
	hammer.sources[0] = argv[9];
	hammer.sources[1] = argv[10];
	hammer.broken = argv[11];
	run(&hammer, strtoul(argv[7], NULL, 10));
	report = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "handshakes",
			   (json_int_t)hammer.handshakes, "failures", (json_int_t)hammer.failures,
			   "swaps", (json_int_t)hammer.swaps, "refused", (json_int_t)hammer.refused,
			   "wrong", (json_int_t)hammer.wrong, "late", (json_int_t)hammer.late,
			   "version", (json_int_t)hammer.version);
	json_dumpf(report, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(report);
	fclose(hammer.ask);
	fclose(hammer.answer);
	return fflush(stdout) ? 2 : 0;
}
