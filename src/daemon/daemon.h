/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon's parts share. Made by main before any thread, torn down after the last. */
#ifndef KTRUST_DAEMON_H
#define KTRUST_DAEMON_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include <ktrust/version.h>

#include "../control/control.h"
#include "../engine/engine.h"
#include "config.h"
#include "identities.h"
#include "pools.h"

struct kt_daemon {
	const struct kt_config *config;
	struct kt_pools *pools;
	struct kt_identities *identities;
	struct kt_engine *engine;
	uint64_t started_ns; /* CLOCK_REALTIME */
};

/* ---- Answering requests (ops.c) -------------------------------------------------------------- */

struct kt_operation;

#define KT_QUESTION_SOURCES_MAX 64
#define KT_QUESTION_DIGEST_MIN	16

/* A request that makes sense. The sources are the JSON's own, so they live as long as that. */
struct kt_question {
	const struct kt_operation *operation;
	size_t pool; /* index, where the operation is on one */
	const char *sources[KT_QUESTION_SOURCES_MAX];
	size_t source_count; /* 0: what the configuration names */
	unsigned int flags;  /* KT_FORCE */
	uint64_t version;    /* 0: none is named */
	const char *digest;  /* hex, KT_QUESTION_DIGEST_MIN digits or more; NULL: none is named */
};

/*
 * What does a request ask for? An error is the asker's: -EPROTONOSUPPORT version, -EOPNOTSUPP
 * operation, -ENOENT pool, -EINVAL a member that is missing or of the wrong type. Any thread.
 */
KT_WARN_UNUSED int kt_daemon_understand(struct kt_daemon *daemon, json_t *request,
					struct kt_question *ret_question, struct kt_error *error);

/*
 * Answer it: items go out through control while it works; the result is a new reference. Any
 * thread.
 */
KT_WARN_UNUSED int kt_daemon_answer(struct kt_daemon *daemon, const struct kt_question *question,
				    struct kt_control *control, json_t **ret_result,
				    struct kt_error *error);

/*
 * Take all open files that this process may have (files.c), and lower connections_max to what they
 * can hold: connections that are let in must find a file for their backend, and the control socket
 * one for its client.
 */
void kt_files_raise(struct kt_config *config);

/* ---- Serving the control socket (serve.c) ---------------------------------------------------- */

struct kt_serving;

/*
 * Serve clients of the listener, each in a thread of its own, at most KT_CLIENTS_MAX at a time.
 * The daemon and the listener are borrowed.
 */
#define KT_CLIENTS_MAX 16
KT_WARN_UNUSED int kt_serving_new(struct kt_daemon *daemon, struct kt_serving **ret_serving,
				  struct kt_error *error);

/*
 * The listening socket is readable: take one client. -EMFILE, -ENFILE: no file is left, not even to
 * refuse the client, and the socket stays readable; try again after a while.
 */
KT_WARN_UNUSED int kt_serving_take(struct kt_serving *serving, int listen_fd);

/* Cut all clients off and wait for their threads. NULL is fine. */
void kt_serving_free(struct kt_serving *serving);

#endif
