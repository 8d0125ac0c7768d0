/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepting. One multishot accept a door is pending while the engine has room. It is cancelled when
 * the engine is full; what it brought in the meantime is parked. A lack of descriptors or memory
 * ends it, and it is tried again after a pause: the cause is not ours to wait for. Clients wait in
 * the kernel's queue meanwhile. Each pause is counted by its cause.
 */
#include "door.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ring.h"

#define RETRY_NS 100000000u /* after EMFILE and the like */

/* The listener's own way of choosing: by its patterns. */
static int choose_by_name(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
			  struct kt_error *error)
{
	const struct kt_listener *listener = arg;
	struct kt_pool *pool = kt_names_find(&listener->names, hello->name);

	(void)error;
	*ret_pool = pool ? pool : listener->pool;
	return 0;
}

/* Has a pool that judges here rules of whom it allows? Those it does not are told so. */
static bool may_deny(const struct kt_listener *listener)
{
	bool may = listener->choose_pool || (listener->pool && kt_pool_allow(listener->pool));

	for (size_t i = 0; i < listener->names.count; i++)
		may = may || kt_pool_allow(listener->names.rows[i].pool);
	return may;
}

static bool offloads(const struct kt_shared *shared)
{
	return shared->ktls != KT_KTLS_OFF && shared->support.attach;
}

static int init_origin(struct kt_door *door, struct kt_error *error)
{
	const struct kt_listener *listener = door->listener;
	const struct kt_shared *shared = door->worker->shared;
	const struct kt_tls_context_options options = {
		.peer_role = KT_ROLE_SERVER,
		.credentials = listener->credentials,
		.credentials_slot = listener->credentials_slot,
		.pool = listener->pool,
		.verifier = &shared->verifier,
		.certificates = shared->certificates,
		.policy = listener->policy,
		.no_export = !offloads(shared),
	};

	return kt_tls_context_new(&options, &door->context, error);
}

int kt_door_init(struct kt_door *door, struct kt_worker *worker, const struct kt_listener *listener,
		 struct kt_error *error)
{
	struct kt_tls_context_options options = {
		.credentials = listener->credentials,
		.credentials_slot = listener->credentials_slot,
		.alpn = listener->alpn,
		.alpn_len = listener->alpn_len,
		.client_auth = listener->client_auth,
		.ca_names = listener->ca_names,
		.pool = listener->pool,
		.choose_pool = listener->choose_pool,
		.choose_arg = listener->choose_arg,
		.verifier = &worker->shared->verifier,
		.certificates = worker->shared->certificates,
		.key_records_max = worker->shared->key_records_max,
		.policy = listener->policy,
		.no_export = !offloads(worker->shared) && !may_deny(listener),
	};

	if (listener->names.count) {
		options.choose_pool = choose_by_name;
		options.choose_arg = (void *)listener;
	}
	door->worker = worker;
	door->listener = listener;
	if (listener->mode == KT_MODE_ORIGIN)
		return init_origin(door, error);
	return kt_tls_context_new(&options, &door->context, error);
}

static void turn_away(struct kt_door *door)
{
	while (door->parked_count)
		close(door->parked[--door->parked_count]);
}

void kt_door_fini(struct kt_door *door)
{
	turn_away(door);
	free(door->parked);
	if (door->fd >= 0)
		close(door->fd);
	kt_link_fini(&door->link);
	kt_tls_context_free(door->context);
}

static bool full(const struct kt_worker *worker)
{
	return atomic_load(&worker->shared->open) >= worker->shared->connections_max;
}

static bool take_place(struct kt_worker *worker)
{
	struct kt_shared *shared = worker->shared;
	unsigned int open = atomic_load(&shared->open);

	do {
		if (open >= shared->connections_max)
			return false;
	} while (!atomic_compare_exchange_weak(&shared->open, &open, open + 1));
	return true;
}

static void park(struct kt_door *door, int fd)
{
	if (door->parked_count == door->parked_size) {
		size_t size = door->parked_size ? 2 * door->parked_size : 16;
		int *parked = realloc(door->parked, size * sizeof *parked);

		if (!parked) {
			close(fd);
			return;
		}
		door->parked = parked;
		door->parked_size = size;
	}
	door->parked[door->parked_count++] = fd;
}

static void arm(struct kt_door *door)
{
	struct io_uring_sqe *sqe = kt_ring_sqe(&door->worker->ring, kt_op_data(door, KT_OP_ACCEPT));

	io_uring_prep_multishot_accept(sqe, door->fd, NULL, NULL, SOCK_CLOEXEC);
	door->armed = true;
}

static void stop(struct kt_door *door)
{
	struct io_uring_sqe *sqe;

	if (!door->armed || door->stopping)
		return;
	sqe = kt_ring_sqe(&door->worker->ring, kt_op_data(door, KT_OP_ACCEPT_CANCEL));
	io_uring_prep_cancel64(sqe, kt_op_data(door, KT_OP_ACCEPT), 0);
	door->stopping = true;
}

static void pause_full(struct kt_door *door)
{
	if (door->armed && !door->stopping)
		kt_count(&door->worker->stats.pauses[KT_PAUSE_FULL], 1);
	stop(door);
}

static void came_in(struct kt_door *door, int fd)
{
	struct kt_worker *worker = door->worker;

	if (atomic_load(&worker->cutting))
		close(fd);
	else if (take_place(worker))
		kt_conn_new(worker, door, fd);
	else
		park(door, fd);
	if (full(worker))
		pause_full(door);
}

/* Errors of the connection that was to be accepted, not of accepting (accept(2)). */
static bool is_passing(int err)
{
	return err == -ECONNABORTED || err == -EINTR || err == -EPROTO || err == -ECANCELED;
}

static enum kt_pause cause(int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
		return KT_PAUSE_NO_DESCRIPTORS;
	case -ENOMEM:
	case -ENOBUFS:
		return KT_PAUSE_NO_MEMORY;
	default:
		return KT_PAUSE_OTHER;
	}
}

static void rest(struct kt_worker *worker, int err)
{
	worker->accept_after_ns = worker->now_ns + RETRY_NS;
	kt_count(&worker->stats.pauses[cause(err)], 1);
}

void kt_door_accepted(struct kt_door *door, int res, bool more)
{
	if (!more) {
		door->armed = false;
		door->stopping = false;
	}
	if (res >= 0)
		came_in(door, res);
	else if (!is_passing(res))
		rest(door->worker, res);
}

/* First come, first served: they are the longest here. */
static void unpark(struct kt_door *door)
{
	size_t taken = 0;

	while (taken < door->parked_count && kt_ring_reserve(&door->worker->ring, KT_RING_STEP) &&
	       take_place(door->worker))
		kt_conn_new(door->worker, door, door->parked[taken++]);
	door->parked_count -= taken;
	for (size_t i = 0; taken && i < door->parked_count; i++)
		door->parked[i] = door->parked[i + taken];
}

static void tend_draining(struct kt_door *door)
{
	stop(door);
	if (!door->armed && door->fd >= 0) {
		close(door->fd);
		door->fd = -1;
	}
	if (atomic_load(&door->worker->cutting))
		turn_away(door);
	else
		unpark(door);
}

static void tend(struct kt_door *door)
{
	struct kt_worker *worker = door->worker;

	if (!kt_ring_reserve(&worker->ring, KT_RING_STEP))
		return;
	if (atomic_load(&worker->draining)) {
		tend_draining(door);
		return;
	}
	unpark(door);
	if (full(worker))
		pause_full(door);
	else if (!door->armed && worker->now_ns >= worker->accept_after_ns)
		arm(door);
}

/* True: there is room, or nobody is kept out. Else the worker is woken when there is room. */
static bool settle_waiting(struct kt_worker *worker)
{
	bool waits = false;

	for (size_t i = 0; i < worker->shared->listener_count; i++)
		waits = waits || worker->doors[i].parked_count ||
			(!worker->doors[i].armed && worker->doors[i].fd >= 0);
	waits = waits && full(worker);
	if (waits != worker->waits)
		atomic_fetch_add(&worker->shared->waiting, waits ? 1u : -1u);
	worker->waits = waits;
	/* Looked at again after the others can see us wait: one of them may just have left. */
	return !waits || full(worker);
}

void kt_doors_tend(struct kt_worker *worker)
{
	do {
		for (size_t i = 0; i < worker->shared->listener_count; i++)
			tend(&worker->doors[i]);
	} while (!settle_waiting(worker));
}

uint64_t kt_doors_retry_ns(const struct kt_worker *worker)
{
	if (atomic_load(&worker->draining) || worker->accept_after_ns <= worker->now_ns)
		return UINT64_MAX;
	return worker->accept_after_ns;
}

bool kt_doors_closed(const struct kt_worker *worker)
{
	for (size_t i = 0; i < worker->shared->listener_count; i++)
		if (worker->doors[i].fd >= 0 || worker->doors[i].parked_count)
			return false;
	return true;
}
