/* SPDX-License-Identifier: BSD-2-Clause */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SUBMISSIONS 1024
#define COMPLETIONS 8192
#define PAUSE_NS    1000000 /* when the kernel has no memory for submissions */

const char *kt_ring_advice(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return " (allow it: sysctl kernel.io_uring_disabled=0; in a container, a seccomp "
		       "profile with the line of share/ktrust/seccomp-io_uring.json)";
	case -ENOSYS:
		return " (a kernel without CONFIG_IO_URING, or a container's seccomp profile "
		       "without the line of share/ktrust/seccomp-io_uring.json)";
	case -ENOMEM:
		return " (raise the limit of locked memory: ulimit -l)";
	default:
		return "";
	}
}

void kt_ring_fini(struct kt_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
}

/*
 * A seccomp profile may let rings be made, and forbid their use: the worker would find out when
 * nobody is there to hear it. A ring that is not enabled yet answers EBADFD.
 */
static int may_enter(const struct kt_ring *ring)
{
	if (syscall(__NR_io_uring_enter, ring->uring.ring_fd, 0, 0, 0, NULL, 0) < 0 &&
	    errno != EBADFD)
		return -errno;
	return 0;
}

/* Before Linux 5.15 the kernel's own limit stays. */
static void limit_threads(struct kt_ring *ring)
{
	unsigned int limits[2] = {0, KT_RING_THREADS}; /* of files: as it is; of sockets */

	io_uring_register_iowq_max_workers(&ring->uring, limits);
}

int kt_ring_init(struct kt_ring *ring, struct kt_error *error)
{
	/* From the newest kernel's way (6.1) to the one all have. */
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int err = -EINVAL;

	for (size_t i = 0; i < sizeof flags / sizeof flags[0] && err == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = COMPLETIONS,
		};

		err = io_uring_queue_init_params(SUBMISSIONS, &ring->uring, &params);
	}
	if (err)
		return kt_error_set(error, -err, "io_uring", 0, "cannot make a ring: %s%s",
				    strerror(-err), kt_ring_advice(err));
	limit_threads(ring);
	err = may_enter(ring);
	if (!err)
		return 0;
	kt_ring_fini(ring);
	return kt_error_set(error, -err, "io_uring", 0, "cannot use a ring: %s%s", strerror(-err),
			    kt_ring_advice(err));
}

int kt_ring_enable(struct kt_ring *ring)
{
	/* io_uring_enable_rings is declared by liburing 2.3, and not exported by its library. */
	if (syscall(__NR_io_uring_register, ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
		    0) < 0)
		return -errno;
	return 0;
}

/* One thread writes it. */
static void turn(struct kt_ring *ring)
{
	unsigned int now = atomic_load_explicit(&ring->turn, memory_order_relaxed);

	atomic_store_explicit(&ring->turn, now + 1, memory_order_release);
}

bool kt_ring_reserve(struct kt_ring *ring, unsigned int count)
{
	if (io_uring_sq_space_left(&ring->uring) < count) {
		turn(ring);
		io_uring_submit(&ring->uring);
		turn(ring);
	}
	return io_uring_sq_space_left(&ring->uring) >= count;
}

struct io_uring_sqe *kt_ring_sqe(struct kt_ring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	/* More than KT_RING_STEP for one event is a defect of the caller, not a condition. */
	if (!sqe)
		abort();
	memset(sqe, 0, sizeof *sqe);
	sqe->user_data = user_data;
	return sqe;
}

void kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns)
{
	struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / 1000000000),
					    .tv_nsec = (long long)(timeout_ns % 1000000000)};
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct io_uring_cqe *cqe = NULL;
	int done;

	turn(ring);
	if (timeout_ns == UINT64_MAX)
		done = io_uring_submit_and_wait(&ring->uring, 1);
	else
		done = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &timeout, NULL);
	turn(ring);
	/*
	 * EAGAIN, ENOMEM: no memory for requests; EBUSY: completions must be taken first. Anything
	 * unforeseen must not become a busy loop either.
	 */
	if (done < 0 && done != -ETIME && done != -EINTR && done != -EBUSY)
		nanosleep(&pause, NULL);
}
