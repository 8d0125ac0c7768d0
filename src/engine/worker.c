/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's thread: its rounds, its timers, its orders. Accepting is in door.c. */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "door.h"
#include "ring.h"
#include "thread.h"
#include "watchdog.h"

uint64_t kt_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

void kt_worker_disarm(struct kt_conn *conn)
{
	kt_list_remove(&conn->timer_link);
}

void kt_worker_arm(struct kt_worker *worker, struct kt_conn *conn, enum kt_timer timer)
{
	kt_worker_disarm(conn);
	conn->deadline_ns = worker->now_ns + worker->shared->timeout_ns[timer];
	kt_list_append(&worker->timers[timer], &conn->timer_link);
}

static struct kt_conn *first_due(const struct kt_worker *worker, enum kt_timer timer)
{
	const struct kt_list *head = &worker->timers[timer];

	return kt_list_empty(head) ? NULL : kt_list_entry(head->next, struct kt_conn, timer_link);
}

static void expire(struct kt_worker *worker)
{
	struct kt_conn *conn;

	for (int timer = 0; timer < KT_TIMER_COUNT; timer++) {
		while ((conn = first_due(worker, timer)) && conn->deadline_ns <= worker->now_ns &&
		       kt_ring_reserve(&worker->ring, KT_RING_STEP)) {
			kt_worker_disarm(conn);
			kt_conn_expire(conn);
		}
	}
}

/* When somebody is to be ended so that others can read; UINT64_MAX: nobody waits. */
static uint64_t stalled_due_ns(const struct kt_worker *worker)
{
	uint64_t since_ns;

	if (kt_list_empty(&worker->starved) || kt_blocks_free(&worker->blocks))
		return UINT64_MAX;
	if (!kt_blocks_longest(&worker->blocks, &since_ns))
		return UINT64_MAX;
	return since_ns + worker->shared->hold_ns;
}

static uint64_t wait_ns(const struct kt_worker *worker)
{
	uint64_t next = kt_doors_retry_ns(worker), now = kt_monotonic_ns();
	uint64_t stalled_ns = stalled_due_ns(worker);
	const struct kt_conn *conn;

	for (int timer = 0; timer < KT_TIMER_COUNT; timer++) {
		conn = first_due(worker, timer);
		if (conn && conn->deadline_ns < next)
			next = conn->deadline_ns;
	}
	for (size_t i = 0; i < worker->shared->listener_count; i++) {
		uint64_t link_ns = kt_link_due_ns(&worker->doors[i].link);
		uint64_t backends_ns = kt_backends_due_ns(&worker->doors[i]);

		if (link_ns < next)
			next = link_ns;
		if (backends_ns < next)
			next = backends_ns;
	}
	if (stalled_ns < next)
		next = stalled_ns;
	if (next == UINT64_MAX)
		return UINT64_MAX;
	return next > now ? next - now : 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void await_wake(struct kt_worker *worker)
{
	struct io_uring_sqe *sqe = kt_ring_sqe(&worker->ring, kt_op_data(worker, KT_OP_WAKE));

	io_uring_prep_read(sqe, worker->wake_fd, &worker->wake_value, sizeof worker->wake_value, 0);
}

void kt_worker_wake(struct kt_worker *worker)
{
	/* EAGAIN: the counter is full, so it is awake. */
	(void)!write(worker->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void dispatch(struct kt_worker *worker, uint64_t data, int res, uint32_t flags)
{
	void *object = (void *)(uintptr_t)(data & ~(uint64_t)KT_OP_MASK);
	enum kt_op op = data & KT_OP_MASK;

	switch (op) {
	case KT_OP_WAKE:
		await_wake(worker);
		break;
	case KT_OP_ACCEPT:
		kt_door_accepted(object, res, flags & IORING_CQE_F_MORE);
		break;
	case KT_OP_ACCEPT_CANCEL:
		break;
	default:
		kt_conn_complete(object, op, res, flags);
		break;
	}
}

/* At most so many events a round, so that a busy ring keeps neither timers nor orders waiting. */
#define REAP_MAX 512

static void reap(struct kt_worker *worker)
{
	struct io_uring_cqe *cqe;

	for (unsigned int i = 0; i < REAP_MAX && kt_ring_reserve(&worker->ring, KT_RING_STEP) &&
				 !io_uring_peek_cqe(&worker->ring.uring, &cqe);
	     i++) {
		uint64_t data = cqe->user_data;
		uint32_t flags = cqe->flags;
		int res = cqe->res;

		io_uring_cqe_seen(&worker->ring.uring, cqe);
		dispatch(worker, data, res, flags);
	}
}

/* Who waits longest comes first; who finds nothing waits on, behind the others. */
static void feed(struct kt_worker *worker)
{
	unsigned int blocks = kt_blocks_free(&worker->blocks);

	while (blocks-- && !kt_list_empty(&worker->starved) &&
	       kt_ring_reserve(&worker->ring, KT_RING_STEP))
		kt_conn_feed(kt_list_entry(worker->starved.next, struct kt_conn, wait_link));
}

/* One a round: its block may come with the next. */
static void end_stalled(struct kt_worker *worker)
{
	uint64_t since_ns;

	if (stalled_due_ns(worker) <= worker->now_ns &&
	    kt_ring_reserve(&worker->ring, KT_RING_STEP))
		kt_conn_cut(kt_blocks_longest(&worker->blocks, &since_ns), "stalled");
}

static void tend_waiting(struct kt_worker *worker)
{
	for (size_t i = 0; i < worker->shared->listener_count; i++) {
		kt_link_tend(&worker->doors[i]);
		kt_backends_tend(&worker->doors[i]);
	}
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static void cut_all(struct kt_worker *worker)
{
	kt_list_for_each_safe (link, next, &worker->conns) {
		if (!kt_ring_reserve(&worker->ring, KT_RING_STEP))
			return;
		if (kt_conn_cut(kt_list_entry(link, struct kt_conn, link), "drained"))
			worker->cut_count++;
	}
}

void kt_worker_released(struct kt_worker *worker)
{
	struct kt_shared *shared = worker->shared;

	atomic_fetch_sub(&shared->open, 1);
	if (!atomic_load(&shared->waiting))
		return;
	for (unsigned int i = 0; i < shared->worker_count; i++)
		kt_worker_wake(&shared->workers[i]);
}

static bool done(const struct kt_worker *worker)
{
	return atomic_load(&worker->draining) && kt_list_empty(&worker->conns) &&
	       kt_doors_closed(worker);
}

static void *run(void *arg)
{
	struct kt_worker *worker = arg;

	worker->start_err = kt_ring_enable(&worker->ring);
	sem_post(&worker->running);
	if (worker->start_err)
		return NULL;
	await_wake(worker);
	worker->now_ns = kt_monotonic_ns();
	kt_doors_tend(worker);
	while (!done(worker)) {
		kt_ring_wait(&worker->ring, wait_ns(worker));
		worker->now_ns = kt_monotonic_ns();
		reap(worker);
		feed(worker);
		end_stalled(worker);
		kt_watchdog_heed(worker);
		expire(worker);
		tend_waiting(worker);
		if (atomic_load(&worker->cutting))
			cut_all(worker);
		kt_doors_tend(worker);
	}
	sem_post(&worker->stopped);
	return NULL;
}

int kt_worker_start(struct kt_worker *worker)
{
	int err = kt_thread_start(&worker->thread, run, worker);

	if (err)
		return err;
	while (sem_wait(&worker->running))
		;
	if (worker->start_err) {
		pthread_join(worker->thread, NULL);
		return worker->start_err;
	}
	worker->started = true;
	return 0;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static int make_doors(struct kt_worker *worker, struct kt_error *error)
{
	const struct kt_shared *shared = worker->shared;
	int err = 0;

	worker->doors = calloc(shared->listener_count, sizeof *worker->doors);
	if (!worker->doors)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	for (size_t i = 0; i < shared->listener_count; i++) {
		worker->doors[i].fd = -1;
		kt_link_init(&worker->doors[i].link);
		for (size_t j = 0; j < KT_BACKENDS_MAX; j++)
			kt_list_init(&worker->doors[i].queues[j].waiting);
	}
	for (size_t i = 0; i < shared->listener_count && !err; i++)
		err = kt_door_init(&worker->doors[i], worker, &shared->listeners[i], error);
	return err;
}

int kt_worker_init(struct kt_worker *worker, struct kt_shared *shared, unsigned int index,
		   struct kt_error *error)
{
	int err;

	worker->shared = shared;
	worker->index = index;
	pthread_mutex_init(&worker->lock, NULL);
	sem_init(&worker->running, 0, 0);
	sem_init(&worker->stopped, 0, 0);
	kt_slab_init(&worker->conn_memory, sizeof(struct kt_conn));
	kt_list_init(&worker->starved);
	kt_list_init(&worker->conns);
	kt_list_init(&worker->live);
	for (int timer = 0; timer < KT_TIMER_COUNT; timer++)
		kt_list_init(&worker->timers[timer]);
	worker->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (worker->wake_fd < 0)
		return kt_error_set(error, errno, "eventfd", 0, "%s", strerror(errno));
	err = kt_budget_init(&worker->budget, shared->handshakes_max,
			     shared->handshakes_address_max, error);
	if (err)
		return err;
	err = kt_ring_init(&worker->ring, error);
	if (err)
		return err;
	worker->has_ring = true;
	err = kt_blocks_init(&worker->blocks, &worker->ring.uring, error);
	return err ? err : make_doors(worker, error);
}

void kt_worker_fini(struct kt_worker *worker)
{
	/* First the ring: pending reads and accepts use what is freed below. */
	if (worker->has_ring)
		kt_ring_fini(&worker->ring);
	kt_blocks_fini(&worker->blocks);
	kt_slab_fini(&worker->conn_memory);
	kt_budget_fini(&worker->budget);
	for (size_t i = 0; worker->doors && i < worker->shared->listener_count; i++)
		kt_door_fini(&worker->doors[i]);
	free(worker->doors);
	kt_stats_fini(&worker->stats);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
	sem_destroy(&worker->running);
	sem_destroy(&worker->stopped);
	pthread_mutex_destroy(&worker->lock);
}
