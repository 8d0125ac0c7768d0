/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handoff-server: takes connections over from ktrustd (handoff = unix:PATH) and echoes what clients
 * send. There is no TLS in here: ktrustd has verified the client, the kernel has the records.
 *
 *	cc handoff-server.c $(pkg-config --cflags --libs ktrust) -pthread -o handoff-server
 *	./handoff-server /run/app.sock
 *
 * A thread a connection, and blocking calls. A loop of events works as well: kt_recv and kt_send
 * say -EAGAIN on non-blocking sockets.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <ktrust/handoff.h>
#include <ktrust/stream.h>
#include <ktrust/traffic.h>

#define LINKS_MAX 64 /* workers of ktrustd */
#define MOST	  1024
#define IDLE_S	  60

static atomic_uint serving;

/* ---- One connection ------------------------------------------------------------------------- */

static const char *describe(ssize_t end, int alert)
{
	switch (-end) {
	case KT_ERR_TRUNCATED:
		return "truncated";
	case KT_ERR_PEER_ALERT:
		return kt_alert_name(alert);
	case KT_ERR_KEY_UPDATE:
		return "key update";
	case KT_ERR_BAD_RECORD:
		return "bad record";
	case KT_ERR_UNEXPECTED:
		return "unexpected record";
	case EAGAIN:
		return "idle";
	default:
		return strerror((int)-end);
	}
}

static ssize_t send_all(int fd, const char *at, size_t len)
{
	while (len) {
		ssize_t sent = kt_send(fd, at, len);

		if (sent < 0)
			return sent;
		at += sent;
		len -= (size_t)sent;
	}
	return 0;
}

static void *serve(void *arg)
{
	struct kt_handoff *handoff = arg;
	const struct timeval idle = {.tv_sec = IDLE_S};
	char buf[16384];
	int alert = 0, err;
	ssize_t got;

	setsockopt(handoff->fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
	setsockopt(handoff->fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof idle);
	while ((got = kt_recv(handoff->fd, buf, sizeof buf, &alert)) > 0) {
		got = send_all(handoff->fd, buf, (size_t)got);
		if (got < 0)
			break;
	}
	/* Ours is only whole if theirs was. */
	err = got ? close(handoff->fd) : kt_close(handoff->fd);
	printf("%llu ended: %s\n", (unsigned long long)handoff->conn,
	       got   ? describe(got, alert)
	       : err ? strerror(-err)
		     : "closed");
	free(handoff);
	atomic_fetch_sub(&serving, 1);
	return NULL;
}

static void begin(const struct kt_handoff *handoff)
{
	struct kt_handoff *own = malloc(sizeof *own);
	pthread_t thread;

	printf("%llu from %s: %s by %s version %llu, %s\n", (unsigned long long)handoff->conn,
	       handoff->peer_addr, handoff->verified ? handoff->peer : "nobody", handoff->pool,
	       (unsigned long long)handoff->pool_version,
	       handoff->version == KT_TLS_1_3 ? "TLSv1.3" : "TLSv1.2");
	if (own)
		*own = *handoff;
	if (atomic_fetch_add(&serving, 1) < MOST && own &&
	    !pthread_create(&thread, NULL, serve, own)) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&serving, 1);
	printf("%llu ended: no room\n", (unsigned long long)handoff->conn);
	close(handoff->fd);
	free(own);
}

/* ---- ktrustd's workers ---------------------------------------------------------------------- */

/* False: this worker has left. */
static bool take(int link)
{
	struct kt_handoff handoff;
	int got = kt_handoff_accept(link, &handoff, NULL);

	if (got == 1)
		begin(&handoff);
	else if (got == -EPROTO || got == -ENOTSOCK || got == -EBADMSG || got == -EPROTONOSUPPORT)
		printf("refused: %s\n", strerror(-got)); /* that one, not those that follow */
	else
		return got == -EINTR;
	return true;
}

static void run(int listening, uid_t sender)
{
	struct pollfd fds[1 + LINKS_MAX] = {{.fd = listening, .events = POLLIN}};
	nfds_t count = 1;

	for (;;) {
		/* With all places taken, the others wait in the backlog. */
		fds[0].events = count <= LINKS_MAX ? POLLIN : 0;
		if (poll(fds, count, -1) < 0)
			continue;
		for (nfds_t i = count - 1; i > 0; i--) {
			if (!fds[i].revents || take(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		if (!fds[0].revents)
			continue;
		fds[count] = (struct pollfd){.events = POLLIN};
		if (!kt_handoff_link(listening, sender, &fds[count].fd))
			count++;
	}
}

int main(int argc, char **argv)
{
	struct kt_error error;
	char text[600];
	int listening;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "Usage: handoff-server PATH [UID of ktrustd]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (kt_handoff_listen(argv[1], 0600, &listening, &error)) {
		fprintf(stderr, "handoff-server: %s\n", kt_error_format(&error, text, sizeof text));
		return 1;
	}
	printf("listening on %s\n", argv[1]);
	run(listening, argc > 2 ? (uid_t)strtoul(argv[2], NULL, 10) : geteuid());
}
