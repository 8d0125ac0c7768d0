/* SPDX-License-Identifier: BSD-2-Clause */
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"
#include "worker.h"

/*
 * Between looks, while workers work; twice as long again and again while all of them sleep.
 */
#define LOOK_NS	     UINT64_C(10000000)
#define LOOK_IDLE_NS UINT64_C(80000000)
/*
 * Of the worker's processor time, so that waiting for a processor does not count: in the kernel
 * without a break, until it is asked who keeps it there; then, in that one read. The longest honest
 * one, 16,384 records of one byte, takes some 16 ms where the processor knows AES.
 */
#define SUSPECT_NS UINT64_C(20000000)
#define LOCKED_NS  UINT64_C(80000000)

/* The watch over one worker. */
struct watch {
	struct kt_worker *worker;
	clockid_t clock; /* of its thread's processor time */
	/* As seen at the last look, and when this turn was seen first, or was asked about. */
	unsigned int turn;
	uint64_t used_ns;
	uint64_t turn_used_ns;

	pthread_t probe;
	bool probing;	     /* there is a probe to join */
	_Atomic bool probed; /* … which has come to its end */
	unsigned int probed_turn;
	uint64_t last; /* connection that was asked; the next probe goes on behind it */

	pthread_mutex_t lock; /* guards what follows; taken before the worker's */
	int fd;		      /* the socket that is asked; else another name for the wake_fd */
	uint64_t conn;	      /* whose it is; 0: none is asked */
	uint64_t asked;	      /* how many were */
	/* The one that was asked at the last look, in which turn, and when that was seen first. */
	uint64_t asked_seen;
	unsigned int asked_turn;
	uint64_t asked_used_ns;
};

struct kt_watchdog {
	pthread_t thread;
	sem_t stop;
	size_t count;
	struct watch watches[];
};

/* ---- Asking ---------------------------------------------------------------------------------- */

static bool is_in_turn(const struct watch *watch)
{
	return atomic_load(&watch->worker->ring.turn) == watch->probed_turn;
}

/* Neither this nor taking another name for it waits for the lock. */
static bool has_unread(int fd)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof info;

	return !getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) && info[SK_MEMINFO_RMEM_ALLOC];
}

static void set_asked(struct watch *watch, uint64_t conn)
{
	pthread_mutex_lock(&watch->lock);
	watch->conn = conn;
	watch->asked++;
	pthread_mutex_unlock(&watch->lock);
}

/* The connection may go meanwhile: the socket has its second name, and its first is not used. */
static void ask(struct watch *watch, uint64_t conn)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	set_asked(watch, conn);
	(void)!getsockopt(watch->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	set_asked(watch, 0);
	(void)!dup3(watch->worker->wake_fd, watch->fd, O_CLOEXEC);
}

/* Of those that have something unread, by their numbers; locked. */
static const struct kt_conn *next_unread(const struct watch *watch)
{
	const struct kt_conn *next = NULL;

	kt_list_for_each (link, &watch->worker->live) {
		const struct kt_conn *conn = kt_list_entry(link, struct kt_conn, live_link);

		if (conn->id > watch->last && (!next || conn->id < next->id) &&
		    conn->ktls & KT_KTLS_RX && has_unread(conn->fd))
			next = conn;
	}
	return next;
}

/* False: there are no more, and the next one is the first. */
static bool take_next(struct watch *watch)
{
	struct kt_worker *worker = watch->worker;
	const struct kt_conn *conn;

	pthread_mutex_lock(&worker->lock);
	conn = next_unread(watch);
	watch->last = conn ? conn->id : 0;
	if (conn)
		(void)!dup3(conn->fd, watch->fd, O_CLOEXEC);
	pthread_mutex_unlock(&worker->lock);
	return conn;
}

static void *probe(void *arg)
{
	struct watch *watch = arg;

	while (is_in_turn(watch) && take_next(watch))
		ask(watch, watch->last);
	atomic_store(&watch->probed, true);
	return NULL;
}

static void start_probe(struct watch *watch)
{
	watch->probed_turn = watch->turn;
	watch->asked_seen = 0;
	atomic_store(&watch->probed, false);
	/* Without a thread it is tried again at the next look. */
	watch->probing = !kt_thread_start(&watch->probe, probe, watch);
}

static void end_probe(struct watch *watch)
{
	pthread_join(watch->probe, NULL);
	watch->probing = false;
}

/* ---- Making deaf ----------------------------------------------------------------------------- */

/* Where it is of the other family, or is gone, one of them is refused, or both. */
static void set_least_ttl(int fd, int ttl)
{
	(void)!setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl);
	(void)!setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl, sizeof ttl);
}

/* Several may be, before the worker is back and judges them. */
static void accuse(struct watch *watch)
{
	struct kt_worker *worker = watch->worker;

	set_least_ttl(watch->fd, 255);
	pthread_mutex_lock(&worker->lock);
	kt_list_for_each (link, &worker->live) {
		struct kt_conn *conn = kt_list_entry(link, struct kt_conn, live_link);

		if (conn->id == watch->conn)
			atomic_store(&conn->suspect, true);
	}
	pthread_mutex_unlock(&worker->lock);
	atomic_store(&worker->has_suspects, true);
	kt_worker_wake(worker);
}

/*
 * Has one socket been asked for too long? In another turn it is another read of the worker's, which
 * took the lock before the probe could.
 */
static void look_at_probe(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	if (watch->asked != watch->asked_seen) {
		watch->asked_seen = watch->asked;
		watch->asked_turn = watch->turn;
		watch->asked_used_ns = watch->used_ns;
	} else if (watch->turn != watch->asked_turn) {
		watch->asked_turn = watch->turn;
		watch->asked_used_ns = watch->used_ns;
	}
	if (watch->conn && watch->used_ns - watch->asked_used_ns >= LOCKED_NS) {
		accuse(watch);
		watch->asked_used_ns = watch->used_ns;
	}
	pthread_mutex_unlock(&watch->lock);
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* otherwise: where the thread is gone. */
static uint64_t used_ns(clockid_t clock, uint64_t otherwise)
{
	struct timespec used;

	if (clock_gettime(clock, &used))
		return otherwise;
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Returns whether the worker does anything at all. */
static bool look(struct watch *watch)
{
	unsigned int turn = atomic_load(&watch->worker->ring.turn);
	uint64_t before_ns = watch->used_ns;
	bool moved = turn != watch->turn;

	watch->used_ns = used_ns(watch->clock, before_ns);
	if (moved) {
		watch->turn = turn;
		watch->turn_used_ns = watch->used_ns;
	}
	if (watch->probing && atomic_load(&watch->probed)) {
		end_probe(watch);
		watch->turn_used_ns = watch->used_ns;
	}
	if (watch->probing)
		look_at_probe(watch);
	else if (turn & 1 && watch->used_ns - watch->turn_used_ns >= SUSPECT_NS)
		start_probe(watch);
	return moved || watch->probing || watch->used_ns != before_ns;
}

/* Returns whether anybody does anything at all. */
static bool look_at_all(struct kt_watchdog *watchdog)
{
	bool moved = false;

	for (size_t i = 0; i < watchdog->count; i++)
		moved |= look(&watchdog->watches[i]);
	return moved;
}

static struct timespec later(uint64_t ns)
{
	uint64_t at = kt_monotonic_ns() + ns;

	return (struct timespec){.tv_sec = (time_t)(at / 1000000000),
				 .tv_nsec = (long)(at % 1000000000)};
}

static bool is_stopped(struct kt_watchdog *watchdog, uint64_t wait_ns)
{
	const struct timespec until = later(wait_ns);
	int rc;

	do {
		rc = sem_clockwait(&watchdog->stop, CLOCK_MONOTONIC, &until);
	} while (rc && errno == EINTR);
	return !rc;
}

static void *run(void *arg)
{
	struct kt_watchdog *watchdog = arg;
	uint64_t wait_ns = LOOK_NS;

	while (!is_stopped(watchdog, wait_ns)) {
		wait_ns = look_at_all(watchdog) ? LOOK_NS : 2 * wait_ns;
		if (wait_ns > LOOK_IDLE_NS)
			wait_ns = LOOK_IDLE_NS;
	}
	return NULL;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* The first use makes the kernel rewrite code of its own (a static key): not during a flood. */
static void use_least_ttl(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	set_least_ttl(fd, 1);
	close(fd);
}

static int begin_watch(struct watch *watch, struct kt_worker *worker)
{
	int err = pthread_getcpuclockid(worker->thread, &watch->clock);

	if (err)
		return -err;
	/* A name is kept ready for the sockets that are asked: there may be no descriptor then. */
	watch->fd = fcntl(worker->wake_fd, F_DUPFD_CLOEXEC, 0);
	if (watch->fd < 0)
		return -errno;
	watch->worker = worker;
	pthread_mutex_init(&watch->lock, NULL);
	return 0;
}

static void free_watchdog(struct kt_watchdog *watchdog)
{
	for (size_t i = 0; i < watchdog->count; i++) {
		if (watchdog->watches[i].probing)
			end_probe(&watchdog->watches[i]);
		close(watchdog->watches[i].fd);
		pthread_mutex_destroy(&watchdog->watches[i].lock);
	}
	sem_destroy(&watchdog->stop);
	free(watchdog);
}

int kt_watchdog_start(struct kt_shared *shared, struct kt_watchdog **ret_watchdog)
{
	struct kt_watchdog *watchdog =
		calloc(1, sizeof *watchdog + shared->worker_count * sizeof watchdog->watches[0]);
	int err = 0;

	if (!watchdog)
		return -ENOMEM;
	use_least_ttl(AF_INET);
	use_least_ttl(AF_INET6);
	sem_init(&watchdog->stop, 0, 0);
	while (watchdog->count < shared->worker_count && !err) {
		err = begin_watch(&watchdog->watches[watchdog->count],
				  &shared->workers[watchdog->count]);
		if (!err)
			watchdog->count++;
	}
	if (!err)
		err = kt_thread_start(&watchdog->thread, run, watchdog);
	if (err) {
		free_watchdog(watchdog);
		return err;
	}
	*ret_watchdog = watchdog;
	return 0;
}

void kt_watchdog_stop(struct kt_watchdog *watchdog)
{
	if (!watchdog)
		return;
	sem_post(&watchdog->stop);
	pthread_join(watchdog->thread, NULL);
	free_watchdog(watchdog);
}

/* ---- In the worker --------------------------------------------------------------------------- */

/*
 * Bytes that may come beside content, and of it half as many again: a handshake, and records of 44
 * bytes or more. Records that are filled up are not explained, nor crowds of smaller ones: alone
 * they keep no worker for so long.
 */
#define BESIDE_CONTENT (256u << 10)
#define BESIDE_LATER   (64u << 10) /* a record that came in part, a completion not seen yet */

/* What has explained bytes once does not explain others. */
static bool is_explained(struct kt_conn *conn)
{
	uint64_t content =
		kt_counted(&conn->bytes_in) + (conn->up.len - conn->up.off) + conn->dropped;
	uint64_t beside = conn->explained_bytes ? BESIDE_LATER : BESIDE_CONTENT;
	uint64_t fresh = content - conn->explained_content, known;
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	int unread = 0;

	if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    ioctl(conn->fd, SIOCINQ, &unread))
		return false;
	/* More may have become unread since. */
	known = conn->explained_bytes + (uint64_t)unread;
	if (info.tcpi_bytes_received > known + fresh + fresh / 2 + beside)
		return false;
	if (info.tcpi_bytes_received > (uint64_t)unread)
		conn->explained_bytes = info.tcpi_bytes_received - (uint64_t)unread;
	conn->explained_content = content;
	return true;
}

static void judge(struct kt_conn *conn)
{
	if (is_explained(conn)) {
		set_least_ttl(conn->fd, 0);
		return;
	}
	/* It hears no answer to a FIN. */
	kt_reset_when_closed(conn->fd);
	kt_conn_cut(conn, "empty_record_flood");
}

void kt_watchdog_heed(struct kt_worker *worker)
{
	if (!atomic_load(&worker->has_suspects))
		return;
	atomic_store(&worker->has_suspects, false);
	kt_list_for_each_safe (link, next, &worker->conns) {
		struct kt_conn *conn = kt_list_entry(link, struct kt_conn, link);

		if (!atomic_load(&conn->suspect))
			continue;
		if (!kt_ring_reserve(&worker->ring, KT_RING_STEP)) {
			atomic_store(&worker->has_suspects, true);
			return;
		}
		atomic_store(&conn->suspect, false);
		judge(conn);
	}
}
