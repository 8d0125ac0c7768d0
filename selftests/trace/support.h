/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of trace share: the program `fire` under control, and reading with a limit.
 *
 * Functions that cannot do their work end the test, but for those that say what they return.
 */
#ifndef KT_SELFTESTS_TRACE_SUPPORT_H
#define KT_SELFTESTS_TRACE_SUPPORT_H

#include <stddef.h>
#include <sys/types.h>

#include "../../src/trace/trace.h"
#include "fire.h"

#define KT_TEST_SEEN 4096

/* The path of `fire`, of the running test's build. Static storage. */
const char *kt_test_fire_path(void);

struct kt_test_fire {
	pid_t pid;
	int fd; /* both ways */
};

/* Starts the file at path, which is fire or a copy of it. */
void kt_test_fire_start(struct kt_test_fire *fire, const char *path);
void kt_test_fire_stop(struct kt_test_fire *fire);
/* One request, done when it returns. Returns the answer. */
unsigned char kt_test_fire_do(struct kt_test_fire *fire, const struct kt_fire *request);
/* Which probes have a listener: a bit each. */
unsigned char kt_test_fire_listeners(struct kt_test_fire *fire);

/* Requests with every byte of every field set, different for different seeds. */
struct kt_fire kt_test_handshake(unsigned int seed);
struct kt_fire kt_test_conn_end(unsigned int seed);
struct kt_fire kt_test_publish(unsigned int seed);
struct kt_fire kt_test_reclaim(unsigned int seed);
struct kt_fire kt_test_refuse(unsigned int seed);

/* Copies of what a tracer showed. */
struct kt_test_seen {
	size_t n;
	struct {
		enum kt_event_kind kind;
		int64_t time_ns;
		struct kt_event_header header;
		enum kt_trace_kernel kernel;
		uint8_t kernel_ktls;
		union {
			struct kt_probe_handshake handshake;
			struct kt_probe_conn_end conn_end;
			struct kt_probe_publish publish;
			struct kt_probe_reclaim reclaim;
			struct kt_probe_refuse refuse;
			struct kt_event_conn socket_end;
		};
	} of[KT_TEST_SEEN];
};

struct kt_test_seen *kt_test_seen_new(void); /* zeroed; freed with free() */
/* Read until seen->n is n or timeout_ms have passed. Returns seen->n. */
size_t kt_test_read(struct kt_trace *trace, struct kt_test_seen *seen, size_t n,
		    unsigned int timeout_ms);
/* Read all there is, after kt_trace_stop. */
void kt_test_drain(struct kt_trace *trace, struct kt_test_seen *seen);

/* Why tracing cannot be tried here, or NULL. */
const char *kt_test_no_tracing(void);

/* A connected TCP pair on loopback whose server end has its cookie. */
struct kt_test_pair {
	int client;
	int server;
	uint64_t cookie;
};

void kt_test_pair_open(struct kt_test_pair *pair);
void kt_test_pair_close(struct kt_test_pair *pair);

#endif
