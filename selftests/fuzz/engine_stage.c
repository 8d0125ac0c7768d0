/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ktrust/handoff.h>

#include "../../src/engine/ring.h"
#include "require.h"

#define ROUNDS_MAX 20000 /* of a worker that is let go once */

static struct stage stages[STAGE_KINDS];
static struct world world;
static unsigned int rounds;
static int self = -1; /* a UDP socket that sends to itself */
static _Atomic uint64_t clock_ns;
static _Thread_local struct stage *mine; /* a worker's */

/* ---- In step --------------------------------------------------------------------------------- */

void __real_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns);
void __wrap_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);

static struct stage *stage_of(const struct kt_ring *ring)
{
	for (int i = 0; i < STAGE_KINDS; i++)
		if (stages[i].worker && ring == &stages[i].worker->ring)
			return &stages[i];
	abort();
}

struct stage *stage_mine(void)
{
	return mine;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		require(errno == EINTR);
}

/*
 * A busy machine leaves packets to a thread of the kernel. Those of one processor keep their order,
 * which is why all of this runs on one: what was sent before this one has arrived.
 */
static void await_packets(void)
{
	char byte = 0;

	require(send(self, &byte, 1, 0) == 1);
	require(recv(self, &byte, 1, 0) == 1);
}

static void keep_packets_in_order(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	require(!sched_setaffinity(0, sizeof one, &one));
	self = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	require(!bind(self, (struct sockaddr *)&address, len));
	require(!getsockname(self, (struct sockaddr *)&address, &len));
	require(!connect(self, (struct sockaddr *)&address, len));
}

void __wrap_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns)
{
	if (!mine)
		mine = stage_of(ring);
	if (mine->is_free) {
		__real_kt_ring_wait(ring, timeout_ns);
		return;
	}
	answers_shape(&ring->uring);
	__real_kt_ring_wait(ring, 0);
	require(++rounds < ROUNDS_MAX);
	if (io_uring_cq_ready(&ring->uring) || !timeout_ns)
		return;
	await_packets();
	__real_kt_ring_wait(ring, 0);
	if (io_uring_cq_ready(&ring->uring))
		return;
	sem_post(&mine->idle);
	wait_for(&mine->go);
}

void stage_run(struct stage *stage)
{
	rounds = 0;
	sem_post(&stage->go);
	wait_for(&stage->idle);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	uint64_t now = clock_ns;

	if (clock != CLOCK_MONOTONIC || !now)
		return __real_clock_gettime(clock, ret_time);
	ret_time->tv_sec = (time_t)(now / 1000000000u);
	ret_time->tv_nsec = (long)(now % 1000000000u);
	return 0;
}

void stage_pass(uint64_t ns)
{
	clock_ns += ns;
}

/* ---- Endings ------------------------------------------------------------------------------------
 */

/* In its own step again, it can be drained; all that engines and workers had is given back. */
static void end_stages(void)
{
	for (int i = 0; i < STAGE_KINDS; i++) {
		size_t cut;

		if (!stages[i].engine)
			continue;
		cut = stages[i].worker->cut_count;
		stages[i].is_free = true;
		sem_post(&stages[i].go);
		require(kt_engine_drain(stages[i].engine, 0) == cut);
		kt_engine_free(stages[i].engine);
	}
}

/* ---- The world ------------------------------------------------------------------------------- */

static void remove_files(const struct lab *lab)
{
	static const char *const suffixes[] = {".pem", ".key", ".chain.pem"};
	char path[96];

	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(path, sizeof path, "%s/server%s", lab->dir, suffixes[i]);
		unlink(path);
	}
}

static void remove_directory(void)
{
	unlink(world.rig.handoff_path);
	rmdir(world.rig.lab.dir);
}

static void listen_as_backend(void)
{
	const int size = 4096;

	require(!kt_address_parse("127.0.0.1:0", &world.rig.backend_address, NULL));
	world.backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	require(world.backend >= 0);
	setsockopt(world.backend, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	require(!bind(world.backend, (struct sockaddr *)&world.rig.backend_address.addr,
		      world.rig.backend_address.len));
	require(!listen(world.backend, 64));
	require(!getsockname(world.backend, (struct sockaddr *)&world.rig.backend_address.addr,
			     &world.rig.backend_address.len));
}

struct world *stage_world(void)
{
	struct timespec now;

	if (clock_ns)
		return &world;
	lab_init(&world.rig.lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	remove_files(&world.rig.lab);
	require(!kt_pool_new("targets", &world.origin_pool, NULL));
	pool_commit(world.origin_pool, &world.rig.lab.other_ca, 1);
	keep_packets_in_order();
	listen_as_backend();
	snprintf(world.rig.handoff_path, sizeof world.rig.handoff_path, "%s/handoff",
		 world.rig.lab.dir);
	require(!kt_handoff_listen(world.rig.handoff_path, 0600, &world.receiver, NULL));
	require(!fcntl(world.receiver, F_SETFL, O_NONBLOCK));
	atexit(remove_directory);
	atexit(end_stages);
	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	clock_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 1;
	return &world;
}

/* ---- Stages ---------------------------------------------------------------------------------- */

static int choose(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		  struct kt_error *error)
{
	(void)hello;
	(void)arg;
	if (answers.choose_error)
		return kt_error_set(error, answers.choose_error, "choose", 0, "as told");
	*ret_pool = world.rig.lab.pool;
	return 0;
}

static struct kt_address nowhere(void)
{
	struct kt_address address;

	require(!kt_address_parse("127.0.0.1:1", &address, NULL));
	return address;
}

static const struct rig_options of_kind[STAGE_KINDS] = {
	[STAGE_MUTUAL] = {.ktls = KT_KTLS_OFF, .client_auth = KT_CLIENT_AUTH_REQUIRE},
	[STAGE_OPEN] = {.ktls = KT_KTLS_OFF, .connections_max = 3},
	[STAGE_MUTUAL_OFFLOADED] = {.ktls = KT_KTLS_AUTO,
				    .client_auth = KT_CLIENT_AUTH_REQUIRE,
				    .key_records_max = 16},
	[STAGE_OPEN_OFFLOADED] = {.ktls = KT_KTLS_REQUIRE, .key_records_max = 16},
	[STAGE_PROXY] = {.ktls = KT_KTLS_OFF,
			 .client_auth = KT_CLIENT_AUTH_OPTIONAL,
			 .proxy_protocol = KT_PROXY_V2},
	[STAGE_TIGHT] = {.ktls = KT_KTLS_OFF,
			 .client_auth = KT_CLIENT_AUTH_NONE,
			 .connections_max = 4,
			 .handshakes_max = 3,
			 .handshakes_address_max = 2},
	[STAGE_CHOSEN] = {.ktls = KT_KTLS_AUTO,
			  .client_auth = KT_CLIENT_AUTH_REQUIRE,
			  .choose_pool = choose,
			  .ca_names = KT_CA_NAMES_OFF},
	[STAGE_ORIGIN] = {.ktls = KT_KTLS_OFF, .origin = true},
	[STAGE_ORIGIN_OFFLOADED] = {.ktls = KT_KTLS_REQUIRE, .origin = true, .key_records_max = 16},
	[STAGE_ORIGIN_HTTP] = {.ktls = KT_KTLS_OFF,
			       .origin = true,
			       .upstream = &(struct kt_upstream_options){.kind = KT_UPSTREAM_HTTP}},
	[STAGE_ORIGIN_SOCKS] = {.ktls = KT_KTLS_AUTO,
				.origin = true,
				.upstream =
					&(struct kt_upstream_options){.kind = KT_UPSTREAM_SOCKS5}},
	[STAGE_HANDOFF] = {.ktls = KT_KTLS_AUTO, .handoff = true, .handoff_queue = 1},
	[STAGE_HANDOFF_ALONE] = {.ktls = KT_KTLS_AUTO, .handoff = true, .handoff_queue = 1},
};

static void make(struct stage *stage)
{
	struct rig_options options = of_kind[stage->kind];
	struct kt_address backends[2];
	struct kt_pool_for names = {.pattern = "*.test", .pool = world.rig.lab.pool};
	struct kt_network network;
	struct rig rig = world.rig;
	struct kt_error error = {0};

	stage->offloads = options.ktls != KT_KTLS_OFF;
	answers_rekeys = stage->rekeys = stage->kind != STAGE_OPEN_OFFLOADED;
	options.handoff_user = getuid();
	if (options.origin)
		rig.lab.pool = world.origin_pool;
	if (stage->kind == STAGE_HANDOFF_ALONE)
		snprintf(rig.handoff_path, sizeof rig.handoff_path, "%s/nobody", rig.lab.dir);
	if (stage->kind == STAGE_MUTUAL) {
		options.pools = &names;
		options.pool_count = 1;
	}
	if (stage->kind == STAGE_PROXY) {
		require(!kt_network_parse("127.0.0.0/8", &network, NULL));
		options.proxy_from = &network;
		options.proxy_from_count = 1;
	}
	if (stage->kind == STAGE_TIGHT) {
		backends[0] = nowhere();
		backends[1].len = 0;
		options.backends = backends;
		options.backend_count = 2;
	}
	require(!rig_make_engine(&rig, &options, &stage->engine));
	require(!kt_engine_address(stage->engine, 0, &stage->address));
	stage->worker = &kt_engine_shared(stage->engine)->workers[0];
	sem_init(&stage->go, 0, 0);
	sem_init(&stage->idle, 0, 0);
	require(!kt_engine_start(stage->engine, &error));
	wait_for(&stage->idle);
}

struct stage *stage_get(enum stage_kind kind)
{
	struct stage *stage = &stages[kind];

	stage->kind = kind;
	if (!stage->engine)
		make(stage);
	return stage;
}
