/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ktrust/handoff.h>

#include "../../src/engine/door.h"
#include "../../src/engine/ring.h"
#include "../engine/stand_in.h"
#include "require.h"

#define CHUNKS_MAX 2	 /* of blocks */
#define ROUNDS_MAX 20000 /* of a worker that is let go once */
#define KEY_UPDATE 24	 /* RFC 8446 §4.6.3 */

struct answers answers;
struct watched watched;

static struct stage stages[STAGE_KINDS];
static struct world world;
static bool rekeys = true; /* what the next engine finds */
static unsigned int rounds;
static int self = -1; /* a UDP socket that sends to itself */
static _Atomic uint64_t clock_ns;
static _Thread_local struct stage *mine; /* a worker's */

/* ---- In step --------------------------------------------------------------------------------- */

void __real_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns);
void __wrap_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);

static struct stage *stage_of(const struct kt_ring *ring)
{
	for (int i = 0; i < STAGE_KINDS; i++)
		if (stages[i].worker && ring == &stages[i].worker->ring)
			return &stages[i];
	abort();
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

static void shape(struct io_uring_sqe *sqe);

static void shape_all(struct io_uring *ring)
{
	for (unsigned int i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		shape(&ring->sq.sqes[i & ring->sq.ring_mask]);
}

void __wrap_kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns)
{
	if (!mine)
		mine = stage_of(ring);
	if (mine->is_free) {
		__real_kt_ring_wait(ring, timeout_ns);
		return;
	}
	shape_all(&ring->uring);
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

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool is_refused(void)
{
	return mine && answers.allocation_fails && !--answers.allocation_fails;
}

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return is_refused() ? NULL : __real_realloc(at, size);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support);
int __wrap_kt_ktls_attach(int fd);
int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);

int __wrap_kt_ktls_probe(struct kt_ktls_support *ret_support)
{
	stand_in_support(rekeys, ret_support);
	return 0;
}

/* Not once the peer's FIN is here (net/tls/tls_main.c: tls_init). */
int __wrap_kt_ktls_attach(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (answers.attach_error)
		return -answers.attach_error;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return -errno;
	return info.tcpi_state == TCP_ESTABLISHED ? 0 : -ENOTCONN;
}

static void note_key(enum kt_direction direction, const struct kt_traffic_key *key)
{
	size_t *count = &watched.key_count[direction];

	if (*count < KEYS_MAX)
		watched.keys[direction][(*count)++] = *key;
	if (direction == KT_RX)
		watched.key_owed = false;
}

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key)
{
	const struct kt_conn *conn = stage_watched(mine);

	(void)version;
	(void)cipher;
	if (answers.install_fails && !--answers.install_fails)
		return -answers.install_error;
	if (conn && conn->fd == fd)
		note_key(direction, key);
	return 0;
}

/* ---- The stand-in for the kernel's records --------------------------------------------------- */

bool stage_record(uint8_t type, const uint8_t *content, size_t len, uint64_t at)
{
	if (watched.record_count == RECORDS_MAX)
		return false;
	watched.records[watched.record_count].at = at;
	watched.records[watched.record_count].left = len ? (uint32_t)len : 1;
	watched.records[watched.record_count].empty = !len;
	watched.records[watched.record_count].updates_key =
		type == KT_RECORD_HANDSHAKE && len && content[0] == KEY_UPDATE;
	watched.records[watched.record_count++].type = type;
	return true;
}

/* The next byte belongs to no record: it authenticates as nothing. */
static bool is_garbage(void)
{
	return watched.record_first == watched.record_count ||
	       watched.records[watched.record_first].at > watched.taken;
}

static bool is_plain_data(size_t record)
{
	return watched.records[record].type == KT_RECORD_DATA && !watched.records[record].empty;
}

/* Data of several records is read as one; of all others each by itself. */
static uint32_t readable(void)
{
	size_t at = watched.record_first;
	uint32_t len = 0;

	if (is_garbage())
		return KT_BLOCK_LEN;
	if (!is_plain_data(at))
		return watched.records[at].left;
	while (at < watched.record_count && is_plain_data(at) && len < KT_BLOCK_LEN)
		len += watched.records[at++].left;
	return len < KT_BLOCK_LEN ? len : KT_BLOCK_LEN;
}

/*
 * An empty data record was taken. If another of another type is there already, that ends the read.
 * Else io_uring asks on: data comes with its label cut then, and all others are refused (conn_io.c
 * of the engine, which has to ask again; here it does for data, too).
 */
static int took_nothing(void)
{
	size_t next = watched.record_first;

	if (next < watched.record_count && watched.records[next].type != KT_RECORD_DATA)
		return 0;
	watched.crowded = true;
	return -EIO;
}

static void cut_label(struct kt_conn *conn)
{
	conn->recv_msg.msg_controllen = 0;
	conn->recv_msg.msg_flags |= MSG_CTRUNC;
}

/* So many bytes were read; how many the record had, or what the kernel says of them. */
static int read_records(struct kt_conn *conn, int res)
{
	uint32_t left = (uint32_t)res;
	bool empty = false;
	uint8_t type;

	/* Kernels that know no next key see another's record, which the old one does not open. */
	if (watched.key_owed)
		return mine->rekeys ? -EKEYEXPIRED : -EBADMSG;
	if (is_garbage())
		return -EBADMSG;
	type = watched.records[watched.record_first].type;
	stand_in_label(conn, type);
	if (watched.crowded && type == KT_RECORD_DATA)
		cut_label(conn);
	watched.crowded = false;
	watched.key_owed = watched.records[watched.record_first].updates_key;
	watched.taken += left;
	while (left && watched.record_first < watched.record_count) {
		uint32_t *of_record = &watched.records[watched.record_first].left;
		uint32_t taken = left < *of_record ? left : *of_record;

		empty = watched.records[watched.record_first].empty;
		*of_record -= taken;
		watched.records[watched.record_first].at += taken;
		left -= taken;
		if (!*of_record)
			watched.record_first++;
	}
	if (left)
		return -EBADMSG;
	if (!empty)
		return res;
	return type == KT_RECORD_DATA ? took_nothing() : 0;
}

/* ---- Operations ------------------------------------------------------------------------------ */

void __real_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);
void __real_kt_door_accepted(struct kt_door *door, int res, bool more);
void __wrap_kt_door_accepted(struct kt_door *door, int res, bool more);
bool __real_kt_blocks_grow(struct kt_blocks *blocks);
bool __wrap_kt_blocks_grow(struct kt_blocks *blocks);

static struct {
	int error; /* 0: none */
	uint64_t conn;
} doomed[KT_OP_WAKE];

static void shorten(uint32_t *len, enum kt_op op)
{
	if (!answers.shorter[op].times || *len <= answers.shorter[op].len)
		return;
	answers.shorter[op].times--;
	*len = answers.shorter[op].len;
}

/* It fails as told, and nothing of it happens. */
static void doom(struct io_uring_sqe *sqe, enum kt_op op, uint64_t conn)
{
	uint64_t user_data = sqe->user_data;

	doomed[op].error = answers.errors[op];
	doomed[op].conn = conn;
	answers.errors[op] = 0;
	io_uring_prep_nop(sqe);
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->user_data = user_data;
}

/* An operation before the kernel sees it. */
static void shape(struct io_uring_sqe *sqe)
{
	enum kt_op op = sqe->user_data & KT_OP_MASK;
	struct kt_conn *conn =
		(struct kt_conn *)(uintptr_t)(sqe->user_data & ~(uint64_t)KT_OP_MASK);

	if (op >= KT_OP_ACCEPT)
		return;
	if (answers.errors[op] && !doomed[op].error)
		doom(sqe, op, conn->id);
	if (sqe->opcode == IORING_OP_SEND || sqe->opcode == IORING_OP_RECV)
		shorten(&sqe->len, op);
	if (conn->id != watched.id)
		return;
	if (op == KT_OP_CLIENT_SEND)
		watched.sends_control = sqe->opcode == IORING_OP_SENDMSG;
	if (op == KT_OP_CLIENT_RECV && sqe->opcode == IORING_OP_RECVMSG)
		conn->recv_iov.iov_len = readable();
}

static void gave(const struct kt_conn *conn, uint32_t len)
{
	if (conn->state == KT_CONN_REACH) {
		watched.before_given += len;
	} else if (!conn->ktls) {
		watched.tls_given += len;
	} else {
		require(watched.segment_count < SEGMENTS_MAX);
		watched.segments[watched.segment_count].control = watched.sends_control;
		watched.segments[watched.segment_count++].len = len;
	}
}

static int watch(struct kt_conn *conn, enum kt_op op, int res)
{
	if (res <= 0)
		return res;
	if (op == KT_OP_CLIENT_SEND)
		gave(conn, (uint32_t)res);
	if (op == KT_OP_CLIENT_RECV &&
	    (conn->state == KT_CONN_PROXY || conn->state == KT_CONN_REACH))
		watched.before_taken += (uint32_t)res;
	if (op == KT_OP_CLIENT_RECV && conn->ktls)
		return read_records(conn, res);
	if (op == KT_OP_CLIENT_RECV)
		watched.taken += (uint32_t)res;
	return res;
}

/*
 * What was begun before it was told to fail has happened, which not all errors can mean: a read
 * that finds no block has taken nothing from the socket, not even its error.
 */
static bool is_possible(enum kt_op op, int res, int error)
{
	if (op == KT_OP_CLIENT_CONNECT || op == KT_OP_BACKEND_CONNECT)
		return res < 0;
	if (op == KT_OP_CLIENT_RECV || op == KT_OP_BACKEND_RECV)
		return error != ENOBUFS || res == -ECANCELED;
	return true;
}

static int answer(struct kt_conn *conn, enum kt_op op, int res)
{
	int error = answers.errors[op];

	if (doomed[op].error && doomed[op].conn == conn->id) {
		res = -doomed[op].error;
		doomed[op].error = 0;
	} else if (error && is_possible(op, res, error)) {
		answers.errors[op] = 0;
		res = -error;
		/* A record that was labelled is given, or kept. */
		if (op == KT_OP_CLIENT_RECV)
			memset(conn->recv_control, 0, sizeof conn->recv_control);
	}
	return res;
}

void __wrap_kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags)
{
	if (conn->id == watched.id)
		res = watch(conn, op, res);
	res = answer(conn, op, res);
	__real_kt_conn_complete(conn, op, res, stand_in_flags(conn, res, flags));
}

/* A few blocks are enough here, and memory is not to grow with the number of inputs. */
bool __wrap_kt_blocks_grow(struct kt_blocks *blocks)
{
	return (!mine || blocks->chunk_count < CHUNKS_MAX) && __real_kt_blocks_grow(blocks);
}

void __wrap_kt_door_accepted(struct kt_door *door, int res, bool more)
{
	int error = answers.errors[KT_OP_ACCEPT];

	if (error && res >= 0) {
		answers.errors[KT_OP_ACCEPT] = 0;
		close(res);
		res = -error;
	}
	__real_kt_door_accepted(door, res, more);
}

void stage_watch_next(const struct stage *stage)
{
	memset(&watched, 0, sizeof watched);
	memset(doomed, 0, sizeof doomed);
	watched.id = stage->worker->shared->next_conn + 1;
}

void stage_watch_came(const struct stage *stage)
{
	if (stage->worker->shared->next_conn < watched.id)
		watched.id = 0;
}

const struct kt_conn *stage_watched(const struct stage *stage)
{
	for (const struct kt_list *at = stage->worker->conns.next; at != &stage->worker->conns;
	     at = at->next) {
		const struct kt_conn *conn = kt_list_entry(at, struct kt_conn, link);

		if (conn->id == watched.id)
			return conn;
	}
	return NULL;
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
	rekeys = stage->rekeys = stage->kind != STAGE_OPEN_OFFLOADED;
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
