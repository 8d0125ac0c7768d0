/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watchdog on every kernel. Records are the kernel's by a stand-in (offloaded.h). A read that
 * does not end is made of two: the worker is kept in the call that enters the kernel, and asking
 * its socket for TCP_INFO waits, as if for its lock, until the socket is made deaf. The real one is
 * in flood.c.
 */
#include "../../src/engine/worker.h"
#include "offloaded.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int count, struct __kernel_timespec *timeout,
					    sigset_t *mask);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int count, struct __kernel_timespec *timeout,
					    sigset_t *mask);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);

/* ---- The kernel ------------------------------------------------------------------------------ */

static struct {
	_Atomic bool kept;	      /* the worker, in the call */
	_Atomic unsigned int passes;  /* … but may leave it once */
	_Atomic bool computes;	      /* or when it judges somebody */
	_Atomic bool is_in;	      /* … and it is there */
	_Atomic bool sleeps;	      /* … and uses no processor */
	_Atomic uint64_t cookie;      /* of the socket … */
	_Atomic bool locked;	      /* … whose lock is taken, … */
	_Atomic unsigned int held_us; /* or for so long, each time it is asked, … */
	_Atomic bool waits;	      /* somebody waits for it */
	_Atomic uint64_t beside;      /* … and to which so many bytes have come besides content */
	_Atomic uint64_t next;	      /* once it is deaf, it is this one's instead; 0: nobody's */
	_Atomic uint64_t before;      /* that came before */
	_Atomic unsigned int asked;   /* sockets, while the worker was kept */
	_Atomic unsigned int deafened; /* this socket, or any other */
	_Atomic unsigned int refused;  /* threads that there shall not be, … */
	_Atomic unsigned int granted;  /* … after so many */
	_Atomic unsigned int refusals; /* … and were not */
	_Atomic unsigned int threads;  /* that were made */
} lock;

static _Thread_local bool is_test;

static void keep(void)
{
	while (lock.kept && !lock.passes) {
		lock.is_in = true;
		if (lock.sleeps)
			usleep(20000);
	}
	lock.passes = 0;
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	keep();
	return __real_io_uring_submit_and_wait(ring, count);
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
					    unsigned int count, struct __kernel_timespec *timeout,
					    sigset_t *mask)
{
	keep();
	return __real_io_uring_submit_and_wait_timeout(ring, cqe, count, timeout, mask);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;

	return __real_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

static bool is_the_one(int fd)
{
	return cookie_of(fd) == lock.cookie;
}

static bool was_the_one(int fd)
{
	return lock.before && cookie_of(fd) == lock.before;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int rc;

	if (is_test || level != IPPROTO_TCP || name != TCP_INFO)
		return __real_getsockopt(fd, level, name, value, len);
	while (lock.computes)
		lock.is_in = true;
	if (lock.kept)
		lock.asked++;
	while (is_the_one(fd) && lock.locked) {
		lock.waits = true;
		usleep(1000);
	}
	if (is_the_one(fd) && lock.kept)
		usleep(lock.held_us);
	rc = __real_getsockopt(fd, level, name, value, len);
	if (is_the_one(fd) || was_the_one(fd))
		((struct tcp_info *)value)->tcpi_bytes_received += lock.beside;
	return rc;
}

static void run_dry(void)
{
	if (lock.next) {
		lock.before = lock.cookie;
		lock.cookie = lock.next;
		lock.next = 0;
		return;
	}
	lock.locked = false;
	lock.kept = false;
}

/* What runs dry ends, and gives the lock back. */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int rc = __real_setsockopt(fd, level, name, value, len);

	if (level == IPPROTO_IP && name == IP_MINTTL && *(const int *)value == 255) {
		lock.deafened++;
		run_dry();
	}
	return rc;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	if (lock.refused && lock.threads >= lock.granted) {
		lock.refused--;
		lock.refusals++;
		return EAGAIN;
	}
	lock.threads++;
	return __real_pthread_create(thread, attr, run, arg);
}

/* ---- A worker with two connections ----------------------------------------------------------- */

#define BESIDE (1u << 20) /* more than a handshake */
#define OTHERS 2	  /* probes at most for what this thread and the watchdog's use */

FIXTURE(watchdog)
{
	struct setting setting;
	struct peer other;
	int backend_of_other;
};

static void remember_cookie(const struct kt_conn_info *info, void *arg)
{
	*(_Atomic uint64_t *)arg = info->cookie; /* the last one's */
}

FIXTURE_SETUP(watchdog)
{
	char byte;

	is_test = true;
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	ASSERT_EQ(0, kt_engine_each_conn(self->setting.rig.engine, remember_cookie, &lock.cookie));
	peer_connect(&self->other, &self->setting.rig, self->setting.context);
	ASSERT_EQ(1, peer_handshake(&self->other));
	self->backend_of_other = rig_accept(&self->setting.rig);
	send_all(self->other.fd, "u", 1);
	recv_exactly(self->backend_of_other, &byte, 1);
}

FIXTURE_TEARDOWN(watchdog)
{
	peer_fini(&self->other);
	close(self->backend_of_other);
	close_setting(&self->setting);
}

/* The worker goes into the call, and does not come back; then both clients send. */
static void keep_worker(FIXTURE_DATA(watchdog) * self, bool locked, uint64_t beside)
{
	lock.beside = beside;
	lock.locked = locked;
	lock.kept = true;
	send_all(self->other.fd, "1", 1);
	WAIT_UNTIL(lock.is_in);
	send_all(self->other.fd, "2", 1);
	send_all(self->setting.peer.fd, "3", 1);
}

/* What was sent meanwhile comes. */
static void expect_served(int backend, char expected)
{
	char byte;

	recv_exactly(backend, &byte, 1);
	EXPECT_EQ(expected, byte);
}

/* The worker leaves the call, and goes into it again. */
static void let_go_for_a_moment(FIXTURE_DATA(watchdog) * self)
{
	send_all(self->other.fd, "4", 1);
	lock.is_in = false;
	lock.passes = 1;
	WAIT_UNTIL(lock.is_in);
}

static int least_ttl(uint64_t cookie)
{
	uint64_t found = 0;
	socklen_t len = sizeof found;
	int ttl = -1;

	for (int fd = 0; fd < 256; fd++)
		if (!__real_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found, &len) && found == cookie)
			__real_getsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl,
					  &(socklen_t){sizeof ttl});
	return ttl;
}

TEST_F(watchdog, read_that_does_not_end_ends_its_connection)
{
	keep_worker(self, true, BESIDE);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
	EXPECT_EQ(1, +lock.deafened);
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.peer.fd));
	EXPECT_EQ(1, rig_stats(&self->setting.rig).live);
}

TEST_F(watchdog, who_has_said_what_came_hears_again)
{
	keep_worker(self, true, 0);
	WAIT_UNTIL(lock.deafened);
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	expect_served(self->setting.backend, '3');
	WAIT_UNTIL(!least_ttl(lock.cookie));
	exchange(&self->setting);
	EXPECT_EQ(0, rig_ends(&self->setting.rig, "empty_record_flood"));
}

/* Content explains half as many bytes again, and what is not read yet explains itself. */
TEST_F(watchdog, what_content_explains_is_no_flood)
{
	static uint8_t data[1u << 20], back[sizeof data];

	send_all(self->setting.peer.fd, data, sizeof data / 2);
	recv_exactly(self->setting.backend, back, sizeof data / 2);
	keep_worker(self, true, sizeof data / 4 + (200u << 10));
	WAIT_UNTIL(lock.deafened);
	expect_served(self->setting.backend, '3');
	WAIT_UNTIL(!least_ttl(lock.cookie));
	exchange(&self->setting);
	EXPECT_EQ(0, rig_ends(&self->setting.rig, "empty_record_flood"));
}

/* Who has sent much has not paid for floods by that. */
TEST_F(watchdog, content_explains_once)
{
	static uint8_t data[1u << 19], back[sizeof data];

	send_all(self->setting.peer.fd, data, sizeof data);
	recv_exactly(self->setting.backend, back, sizeof data);
	keep_worker(self, true, 350u << 10);
	WAIT_UNTIL(lock.deafened);
	expect_served(self->setting.backend, '3');
	WAIT_UNTIL(!least_ttl(lock.cookie));
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	lock.is_in = false;
	keep_worker(self, true, 480u << 10);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
}

/* It computes, or reads of many: none of its sockets is locked for long. */
TEST_F(watchdog, worker_that_is_busy_with_others_is_left_alone)
{
	lock.held_us = 25000;
	keep_worker(self, false, BESIDE);
	/* both, and again */
	WAIT_UNTIL(lock.asked >= 6);
	lock.kept = false;
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	expect_served(self->setting.backend, '3');
	exchange(&self->setting);
	EXPECT_EQ(0, +lock.deafened);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

/* The probe waits, but the worker was elsewhere in between. */
TEST_F(watchdog, reads_that_follow_each_other_are_several)
{
	keep_worker(self, true, BESIDE);
	WAIT_UNTIL(lock.waits);
	for (int i = 0; i < 50; i++) {
		let_go_for_a_moment(self);
		usleep(5000);
	}
	EXPECT_EQ(0, +lock.deafened);
	lock.locked = false;
	lock.kept = false;
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	expect_served(self->setting.backend, '3');
	exchange(&self->setting);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

/* The kernel goes from one such read to the next: its worker has no moment in between. */
TEST_F(watchdog, several_reads_that_do_not_end_end_all_their_connections)
{
	ASSERT_EQ(0, kt_engine_each_conn(self->setting.rig.engine, remember_cookie, &lock.next));
	keep_worker(self, true, BESIDE);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 2);
	EXPECT_EQ(2, +lock.deafened);
	EXPECT_EQ(-ECONNRESET, recv_end(self->setting.peer.fd));
	EXPECT_EQ(-ECONNRESET, recv_end(self->other.fd));
	EXPECT_EQ(0, rig_stats(&self->setting.rig).live);
}

/* … and so is the last of them, which does not end. */
TEST_F(watchdog, read_that_follows_and_does_not_end_ends_its_connection)
{
	keep_worker(self, true, BESIDE);
	WAIT_UNTIL(lock.waits);
	let_go_for_a_moment(self);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
	EXPECT_EQ(1, +lock.deafened);
}

/* It has worked in its call, and waits there now: nothing is new. */
TEST_F(watchdog, worker_that_sleeps_is_not_asked_about_again)
{
	unsigned int threads;

	keep_worker(self, false, BESIDE);
	WAIT_UNTIL(lock.asked);
	lock.sleeps = true;
	usleep(100000);
	threads = lock.threads;
	usleep(400000);
	EXPECT_GE(threads + OTHERS, +lock.threads);
	lock.kept = false;
	expect_served(self->backend_of_other, '1');
	expect_served(self->backend_of_other, '2');
	expect_served(self->setting.backend, '3');
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

TEST_F(watchdog, needs_no_descriptor)
{
	struct rlimit before, few;
	int fds[256], count = 0;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	few = before;
	few.rlim_cur = 128;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	while (count < 256 && (fds[count] = dup(0)) >= 0)
		count++;
	keep_worker(self, true, BESIDE);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
	while (count)
		close(fds[--count]);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
}

TEST_F(watchdog, thread_that_cannot_be_made_is_made_later)
{
	lock.refused = 2;
	keep_worker(self, true, BESIDE);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
	EXPECT_EQ(2, +lock.refusals);
}

static void suspect_all(struct kt_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	kt_list_for_each (link, &worker->live)
		atomic_store(&kt_list_entry(link, struct kt_conn, live_link)->suspect, true);
	pthread_mutex_unlock(&worker->lock);
	atomic_store(&worker->has_suspects, true);
}

TEST_F(watchdog, worker_that_computes_is_not_asked_about)
{
	struct kt_shared *shared = kt_engine_shared(self->setting.rig.engine);
	unsigned int threads;

	lock.computes = true;
	suspect_all(&shared->workers[0]);
	kt_worker_wake(&shared->workers[0]);
	WAIT_UNTIL(lock.is_in);
	threads = lock.threads;
	usleep(600000);
	EXPECT_GE(threads + OTHERS, +lock.threads);
	lock.computes = false;
	exchange(&self->setting);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

/* It left in the same moment, or was ended for something else. */
TEST_F(watchdog, who_is_gone_is_not_looked_for)
{
	struct kt_shared *shared = kt_engine_shared(self->setting.rig.engine);

	lock.beside = BESIDE;
	atomic_store(&shared->workers[0].has_suspects, true);
	kt_worker_wake(&shared->workers[0]);
	WAIT_UNTIL(!atomic_load(&shared->workers[0].has_suspects));
	exchange(&self->setting);
	EXPECT_EQ(0, rig_stats(&self->setting.rig).ended);
}

/* A worker that is kept so until the engine has gone on without it. */
TEST_F(watchdog, engine_ends_while_it_asks)
{
	keep_worker(self, false, BESIDE);
	WAIT_UNTIL(lock.asked);
	lock.kept = false;
}

TEST(engine_needs_its_watchdog)
{
	struct kt_error error = {0};
	struct rig rig;

	is_test = true;
	rig_init(&rig, &(struct rig_options){.ktls = KT_KTLS_REQUIRE, .no_start = true});
	/* the first is the worker's */
	lock.threads = 0;
	lock.granted = 1;
	lock.refused = 1;
	EXPECT_EQ(-EAGAIN, kt_engine_start(rig.engine, &error));
	EXPECT_STREQ("cannot start the watchdog: Resource temporarily unavailable", error.text);
	rig_fini(&rig);
}

TEST_HARNESS_MAIN
