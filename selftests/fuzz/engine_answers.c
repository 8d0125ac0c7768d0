/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_stage.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../src/engine/door.h"
#include "../../src/engine/ring.h"
#include "../engine/stand_in.h"
#include "require.h"

#define CHUNKS_MAX 2  /* of blocks */
#define KEY_UPDATE 24 /* RFC 8446 §4.6.3 */

struct answers answers;
struct watched watched;
bool answers_rekeys = true;

/* ---- Memory ---------------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);

static bool is_refused(void)
{
	return stage_mine() && answers.allocation_fails && !--answers.allocation_fails;
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
	stand_in_support(answers_rekeys, ret_support);
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
	const struct kt_conn *conn = stage_watched(stage_mine());

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
 * An empty data record was taken. One of another type behind it ends the read; here all do, for
 * whoever heard EAGAIN is told of what is new alone.
 */
static int took_nothing(const struct kt_conn *conn)
{
	int unread = 0;

	return !ioctl(conn->fd, SIOCINQ, &unread) && unread ? 0 : -EAGAIN;
}

/* So many bytes were read; how many the record had, or what the kernel says of them. */
static int read_records(struct kt_conn *conn, int res)
{
	uint32_t left = (uint32_t)res;
	bool empty = false;
	uint8_t type;

	/* Kernels that know no next key see another's record, which the old one does not open. */
	if (watched.key_owed)
		return stage_mine()->rekeys ? -EKEYEXPIRED : -EBADMSG;
	if (is_garbage())
		return -EBADMSG;
	type = watched.records[watched.record_first].type;
	stand_in_label(conn, type);
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
	return type == KT_RECORD_DATA ? took_nothing(conn) : 0;
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

/* An operation before the kernel sees it. Cancelling finds what is there, whatever it says. */
static void shape(struct io_uring_sqe *sqe)
{
	enum kt_op op = sqe->user_data & KT_OP_MASK;
	struct kt_conn *conn =
		(struct kt_conn *)(uintptr_t)(sqe->user_data & ~(uint64_t)KT_OP_MASK);

	if (op >= KT_OP_ACCEPT)
		return;
	if (answers.errors[op] && !doomed[op].error && sqe->opcode != IORING_OP_ASYNC_CANCEL)
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

void answers_shape(struct io_uring *uring)
{
	for (unsigned int i = uring->sq.sqe_head; i != uring->sq.sqe_tail; i++)
		shape(&uring->sq.sqes[i & uring->sq.ring_mask]);
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
 * that finds no block, or nothing to read, has taken nothing from the socket, not even its error.
 */
static bool is_possible(enum kt_op op, int res, int error)
{
	if (op == KT_OP_CLIENT_CONNECT || op == KT_OP_BACKEND_CONNECT)
		return res < 0;
	if (op == KT_OP_CLIENT_RECV || op == KT_OP_BACKEND_RECV)
		return (error != ENOBUFS && error != EAGAIN) || res == -ECANCELED;
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
	return (!stage_mine() || blocks->chunk_count < CHUNKS_MAX) && __real_kt_blocks_grow(blocks);
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
