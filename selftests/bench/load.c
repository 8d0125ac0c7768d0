/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients of `ktrust bench handshake` count what was asked for, and nothing else. */
#include "../harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "../../src/bench/clock.h"
#include "../../src/bench/interrupt.h"
#include "../../src/bench/load.h"
#include "../../src/bench/serve_stock.h"
#include "../../src/bench/server.h"
#include "../../src/bench/session.h"

#define HELD	50
#define BULKS	3u
#define PACED	12u
#define PACE_NS 2000000u
#define SLOW_NS 10000000l

FIXTURE(load)
{
	struct kt_bench_scratch scratch;
	struct kt_bench_parties *parties;
	struct kt_bench_load *load;
	struct kt_bench_values values;
	struct kt_bench_server server;
};

FIXTURE_VARIANT(load)
{
	bool mtls;
};

FIXTURE_VARIANT_ADD(load, mtls){.mtls = true};
FIXTURE_VARIANT_ADD(load, server_only){.mtls = false};

FIXTURE_SETUP(load)
{
	kt_bench_interrupt_begin();
	self->values.mtls = variant->mtls;
	ASSERT_EQ(0, kt_bench_scratch_make(&self->scratch, NULL));
	self->values.dir = self->scratch.path;
	ASSERT_EQ(0, kt_bench_parties_make(&self->parties, NULL));
	ASSERT_EQ(0, kt_bench_parties_write(self->parties, &self->scratch, NULL));
	ASSERT_EQ(0, kt_bench_load_new(self->parties, variant->mtls, &self->load, NULL));
	ASSERT_EQ(0, kt_bench_load_listen(self->load, &self->values.backend, NULL));
	ASSERT_EQ(0, kt_bench_free_port(&self->values.port, NULL));
	self->server.name = "fake";
	self->server.port = self->values.port;
	snprintf(self->server.log, sizeof self->server.log, "%s/log", self->scratch.path);
}

FIXTURE_TEARDOWN(load)
{
	kt_bench_server_stop(&self->server);
	kt_bench_load_free(self->load);
	kt_bench_parties_free(self->parties);
	kt_bench_scratch_remove(&self->scratch);
	kt_bench_interrupt_end();
}

static void start(struct kt_bench_server *server, int (*serve)(void *arg), void *arg)
{
	const struct kt_bench_command command = {.serve = serve, .arg = arg, .cpu = -1};
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_bench_server_start(server, &command, &error))
	{
		TH_LOG("%s", error.text);
	}
}

TEST_F(load, as_many_as_asked_are_made)
{
	struct kt_error error = {0};
	uint64_t done = 0;

	start(&self->server, kt_bench_serve_stock, &self->values);
	EXPECT_EQ(0, kt_bench_load_run(self->load, self->server.port, 20, 0, &done, &error))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_EQ(20, done);
	done = 0;
	EXPECT_EQ(0, kt_bench_load_run(self->load, self->server.port, 0, 0.01, &done, NULL));
	EXPECT_GE(done, KT_BENCH_IN_FLIGHT);
}

/* All at once, whatever the number of those under way; what they cost is the server's for so long.
 */
TEST_F(load, connections_are_held)
{
	struct kt_error error = {0};
	uint64_t before = 0, held = 0, done = 0;

	start(&self->server, kt_bench_serve_stock, &self->values);
	ASSERT_EQ(0, kt_bench_load_run(self->load, self->server.port, HELD, 0, &done, &error));
	ASSERT_EQ(0, kt_bench_session_memory(self->server.pid, &before));
	ASSERT_EQ(0, kt_bench_load_hold(self->load, self->server.port, HELD, &error))
	{
		TH_LOG("%s", error.text);
	}
	ASSERT_EQ(0, kt_bench_session_memory(self->server.pid, &held));
	EXPECT_LT(before + HELD * 4096, held);
	EXPECT_EQ(0, kt_bench_load_let_go(self->load, &error));
	/* And then it goes on as before. */
	EXPECT_EQ(0, kt_bench_load_run(self->load, self->server.port, 9, 0, &done, &error));
	EXPECT_EQ(9, done);
}

/* Again and again on the same connections; a MB takes 62 records at least (RFC 8446 §5.1). */
TEST_F(load, bulk_goes_both_ways)
{
	struct kt_error error = {0};
	uint64_t records = 0;

	start(&self->server, kt_bench_serve_stock, &self->values);
	ASSERT_EQ(0, kt_bench_load_hold(self->load, self->server.port, BULKS, &error));
	for (unsigned int i = 0; i < 5; i++) {
		EXPECT_EQ(0,
			  kt_bench_load_move(self->load, KT_BENCH_GIVE, 1000000, &records, &error))
		{
			TH_LOG("%s", error.text);
		}
		EXPECT_LE(BULKS * 62, records);
		EXPECT_EQ(0,
			  kt_bench_load_move(self->load, KT_BENCH_TAKE, 1000000, &records, &error))
		{
			TH_LOG("%s", error.text);
		}
		/* The answers. */
		EXPECT_EQ(BULKS, records);
	}
	EXPECT_EQ(0, kt_bench_load_let_go(self->load, &error));
}

TEST_F(load, paced_connections_begin_when_they_are_due)
{
	struct kt_error error = {0};
	double latencies[PACED] = {0};
	uint64_t begun = kt_bench_now_ns();

	start(&self->server, kt_bench_serve_stock, &self->values);
	EXPECT_EQ(0, kt_bench_load_pace(self->load, self->server.port, PACED, PACE_NS, latencies,
					&error))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_LE((PACED - 1) * PACE_NS, kt_bench_now_ns() - begun);
	for (unsigned int i = 0; i < PACED; i++)
		EXPECT_LT(0, latencies[i]);
}

TEST_F(load, memory_of_nobody_is_none)
{
	uint64_t bytes = 77;

	/* No session of that number. */
	EXPECT_EQ(-ESRCH, kt_bench_session_memory(getpid(), &bytes));
	EXPECT_EQ(77, bytes);
}

TEST_F(load, stranger_is_let_in_only_where_nobody_asks)
{
	struct kt_error error = {0};
	int ret;

	start(&self->server, kt_bench_serve_stock, &self->values);
	ret = kt_bench_load_is_refused(self->load, self->server.port, &error);
	EXPECT_EQ(variant->mtls ? 0 : -EPERM, ret)
	{
		TH_LOG("%s", error.text);
	}
}

TEST_F(load, nobody_there_is_no_refusal)
{
	struct kt_error error = {0};

	EXPECT_EQ(-ECONNREFUSED, kt_bench_load_is_refused(self->load, self->server.port, &error));
	EXPECT_NE(NULL, strstr(error.text, "cannot connect"));
}

/* ---- Servers that do something else ---------------------------------------------------------- */

enum fault { ANSWERS_ITSELF, OTHER_BYTE, TICKET, NO_BYTE, SLOW, OTHER_BULK };

struct faulty {
	const struct kt_bench_values *values;
	enum fault fault;
};

static SSL_CTX *make_context(const struct faulty *faulty)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/both.pem", faulty->values->dir);
	if (!context || !SSL_CTX_set_num_tickets(context, faulty->fault == TICKET ? 1 : 0) ||
	    SSL_CTX_use_certificate_chain_file(context, path) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1)
		_exit(1);
	return context;
}

/* What the order asks for, but for its last byte. */
static void answer_order(SSL *ssl)
{
	uint8_t order[KT_BENCH_ORDER_LEN], piece[KT_BENCH_PIECE];
	enum kt_bench_bulk what;
	uint64_t len;

	if (SSL_read(ssl, order, sizeof order) != sizeof order ||
	    !kt_bench_order_read(order, &what, &len) || len > sizeof piece)
		return;
	memcpy(piece, kt_bench_bulk_at(0), len);
	piece[len - 1] ^= 1;
	SSL_write(ssl, piece, (int)len);
}

/* So that the backend sees the connection, too. */
static void tell_backend(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte = 0;

	if (connect(fd, (struct sockaddr *)&address, sizeof address) || write(fd, &byte, 1) != 1 ||
	    read(fd, &byte, 1) != 1)
		_exit(1);
	close(fd);
}

static void answer(SSL *ssl, const struct faulty *faulty)
{
	const struct timespec slow = {.tv_nsec = SLOW_NS};
	enum fault fault = faulty->fault;
	char byte;

	if (SSL_accept(ssl) != 1 || fault == NO_BYTE || SSL_read(ssl, &byte, 1) != 1)
		return;
	if (fault == SLOW)
		nanosleep(&slow, NULL);
	if (fault == SLOW || fault == OTHER_BULK)
		tell_backend(faulty->values->backend);
	byte ^= fault == OTHER_BYTE;
	SSL_write(ssl, &byte, 1);
	if (fault == OTHER_BULK)
		answer_order(ssl);
	SSL_read(ssl, &byte, 1);
}

/* Answers by itself: no backend ever sees a byte. */
static int serve_faulty(void *arg)
{
	const struct faulty *faulty = arg;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(faulty->values->port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	SSL_CTX *context = make_context(faulty);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 16))
		return 1;
	for (;;) {
		int fd = accept(listening, NULL, NULL);
		SSL *ssl = SSL_new(context);

		if (fd < 0 || !ssl || SSL_set_fd(ssl, fd) != 1)
			return 1;
		answer(ssl, faulty);
		SSL_free(ssl);
		close(fd);
	}
}

static void expect_complaint(struct kt_bench_load *load, struct kt_bench_server *server,
			     const struct kt_bench_values *values, enum fault fault, int err,
			     const char *words)
{
	struct faulty faulty = {values, fault};
	struct kt_error error = {0};
	uint64_t done = 77;

	start(server, serve_faulty, &faulty);
	EXPECT_EQ(-err, kt_bench_load_run(load, server->port, 9, 0, &done, &error));
	EXPECT_NE(NULL, strstr(error.text, words))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_EQ(77, done);
}

TEST_F(load, what_the_backend_did_not_see_is_told)
{
	expect_complaint(self->load, &self->server, &self->values, ANSWERS_ITSELF, EPROTO,
			 "of 9 connections the backend saw 0");
}

TEST_F(load, another_byte_is_told)
{
	expect_complaint(self->load, &self->server, &self->values, OTHER_BYTE, EPROTO,
			 "another byte came back");
}

TEST_F(load, a_ticket_is_told)
{
	expect_complaint(self->load, &self->server, &self->values, TICKET, EPROTO,
			 "a session ticket came");
}

TEST_F(load, silence_is_told)
{
	expect_complaint(self->load, &self->server, &self->values, NO_BYTE, ECONNREFUSED,
			 "receiving failed");
}

TEST_F(load, bulk_that_was_not_sent_is_told)
{
	struct faulty faulty = {&self->values, OTHER_BULK};
	struct kt_error error = {0};
	uint64_t records = 77;

	start(&self->server, serve_faulty, &faulty);
	ASSERT_EQ(0, kt_bench_load_hold(self->load, self->server.port, 1, &error))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_EQ(-EPROTO, kt_bench_load_move(self->load, KT_BENCH_GIVE, 1000, &records, &error));
	EXPECT_NE(NULL, strstr(error.text, "other bytes came"))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_EQ(77, records);
	EXPECT_EQ(0, kt_bench_load_let_go(self->load, NULL));
}

/* It serves one after the other; those that had to wait for it have waited since they were due. */
TEST_F(load, waiting_for_a_slow_server_counts)
{
	struct faulty faulty = {&self->values, SLOW};
	double latencies[PACED] = {0}, most = 0;
	struct kt_error error = {0};

	start(&self->server, serve_faulty, &faulty);
	EXPECT_EQ(0, kt_bench_load_pace(self->load, self->server.port, PACED, PACE_NS, latencies,
					&error))
	{
		TH_LOG("%s", error.text);
	}
	for (unsigned int i = 0; i < PACED; i++)
		most = latencies[i] > most ? latencies[i] : most;
	EXPECT_LT((double)(PACED * SLOW_NS - PACED * PACE_NS) / 1e3, most);
}

TEST_HARNESS_MAIN
