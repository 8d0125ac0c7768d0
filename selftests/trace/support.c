/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../harness.h"

const char *kt_test_fire_path(void)
{
	static char path[PATH_MAX];
	char near[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", near, sizeof near - 32);

	ASSERT_GT(len, 0);
	near[len] = '\0';
	/* One up, since the tests of the verb are the cli's. */
	strcpy(strrchr(near, '/'), "/../trace/fire");
	ASSERT_TRUE(realpath(near, path));
	return path;
}

void kt_test_fire_start(struct kt_test_fire *fire, const char *path)
{
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	fire->pid = fork();
	ASSERT_GE(fire->pid, 0);
	if (!fire->pid) {
		dup2(ends[1], STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		execl(path, path, NULL);
		_exit(127);
	}
	close(ends[1]);
	fire->fd = ends[0];
	/* Its answer says that it is past its exec. */
	kt_test_fire_listeners(fire);
}

void kt_test_fire_stop(struct kt_test_fire *fire)
{
	int status;

	close(fire->fd);
	ASSERT_EQ(fire->pid, waitpid(fire->pid, &status, 0));
	EXPECT_EQ(0, status);
}

unsigned char kt_test_fire_do(struct kt_test_fire *fire, const struct kt_fire *request)
{
	unsigned char answer = 0;

	ASSERT_EQ((ssize_t)sizeof *request, write(fire->fd, request, sizeof *request));
	ASSERT_EQ(1, read(fire->fd, &answer, 1));
	return answer;
}

unsigned char kt_test_fire_listeners(struct kt_test_fire *fire)
{
	struct kt_fire request = {.what = KT_FIRE_NOTHING, .times = 1};

	return kt_test_fire_do(fire, &request);
}

/* ---- Contents -------------------------------------------------------------------------------- */

/* Never 0 but at the very end, so that strings are as long as they can be. */
static void fill(void *data, size_t size, unsigned int seed)
{
	unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(1 + (i * 7 + seed * 31) % 255);
}

#define END_STRING(string) ((string)[sizeof(string) - 1] = '\0')

struct kt_fire kt_test_handshake(unsigned int seed)
{
	struct kt_fire request = {.what = KT_FIRE_HANDSHAKE, .times = 1};

	fill(&request.handshake, sizeof request.handshake, seed);
	END_STRING(request.handshake.outcome);
	END_STRING(request.handshake.pool);
	END_STRING(request.handshake.listener);
	END_STRING(request.handshake.anchor_name);
	END_STRING(request.handshake.peer);
	END_STRING(request.handshake.sni);
	return request;
}

struct kt_fire kt_test_conn_end(unsigned int seed)
{
	struct kt_fire request = {.what = KT_FIRE_CONN_END, .times = 1};

	fill(&request.conn_end, sizeof request.conn_end, seed);
	END_STRING(request.conn_end.reason);
	END_STRING(request.conn_end.pool);
	return request;
}

struct kt_fire kt_test_publish(unsigned int seed)
{
	struct kt_fire request = {.what = KT_FIRE_PUBLISH, .times = 1};

	fill(&request.publish, sizeof request.publish, seed);
	END_STRING(request.publish.pool);
	END_STRING(request.publish.source);
	return request;
}

struct kt_fire kt_test_reclaim(unsigned int seed)
{
	struct kt_fire request = {.what = KT_FIRE_RECLAIM, .times = 1};

	fill(&request.reclaim, sizeof request.reclaim, seed);
	END_STRING(request.reclaim.pool);
	return request;
}

struct kt_fire kt_test_refuse(unsigned int seed)
{
	struct kt_fire request = {.what = KT_FIRE_REFUSE, .times = 1};

	fill(&request.refuse, sizeof request.refuse, seed);
	END_STRING(request.refuse.pool);
	END_STRING(request.refuse.source);
	END_STRING(request.refuse.why);
	return request;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct kt_test_seen *kt_test_seen_new(void)
{
	struct kt_test_seen *seen = calloc(1, sizeof *seen);

	ASSERT_TRUE(seen);
	return seen;
}

static bool keep(const struct kt_trace_event *event, void *arg)
{
	static const size_t sizes[KT_EVENT_KINDS] = {
		[KT_EVENT_HANDSHAKE] = sizeof(struct kt_probe_handshake),
		[KT_EVENT_CONN_END] = sizeof(struct kt_probe_conn_end),
		[KT_EVENT_PUBLISH] = sizeof(struct kt_probe_publish),
		[KT_EVENT_RECLAIM] = sizeof(struct kt_probe_reclaim),
		[KT_EVENT_REFUSE] = sizeof(struct kt_probe_refuse),
		[KT_EVENT_SOCKET_END] = sizeof(struct kt_event_conn),
	};
	struct kt_test_seen *seen = arg;

	ASSERT_LT(seen->n, KT_TEST_SEEN);
	seen->of[seen->n].kind = event->kind;
	seen->of[seen->n].time_ns = event->time_ns;
	seen->of[seen->n].header = *event->header;
	seen->of[seen->n].kernel = event->kernel;
	seen->of[seen->n].kernel_ktls = event->kernel_ktls;
	memcpy(&seen->of[seen->n].handshake, event->handshake, sizes[event->kind]);
	seen->n++;
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

size_t kt_test_read(struct kt_trace *trace, struct kt_test_seen *seen, size_t n,
		    unsigned int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms, left_ms = timeout_ms;
	struct pollfd pollfd = {.fd = kt_trace_fd(trace), .events = POLLIN};

	for (; seen->n < n && left_ms >= 0; left_ms = end_ms - now_ms()) {
		/* Ends that are held back come without the descriptor's being readable. */
		poll(&pollfd, 1, left_ms < 50 ? (int)left_ms : 50);
		ASSERT_GE(kt_trace_read(trace, keep, seen), 0);
	}
	return seen->n;
}

void kt_test_drain(struct kt_trace *trace, struct kt_test_seen *seen)
{
	int n;

	do {
		n = kt_trace_read(trace, keep, seen);
		ASSERT_GE(n, 0);
	} while (n > 0);
}

const char *kt_test_no_tracing(void)
{
	if (geteuid() != 0)
		return "needs root (CAP_SYS_ADMIN)";
	if (access("/sys/bus/event_source/devices/uprobe/type", F_OK))
		return "this kernel has no uprobes (CONFIG_UPROBE_EVENTS)";
	return NULL;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

void kt_test_pair_open(struct kt_test_pair *pair)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_GE(listener, 0);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&address, sizeof address));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&address, &len));
	pair->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(pair->client, (struct sockaddr *)&address, sizeof address));
	pair->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_GE(pair->server, 0);
	close(listener);
	len = sizeof pair->cookie;
	ASSERT_EQ(0, getsockopt(pair->server, SOL_SOCKET, SO_COOKIE, &pair->cookie, &len));
}

void kt_test_pair_close(struct kt_test_pair *pair)
{
	close(pair->client);
	close(pair->server);
}
