/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control clients, a thread each.
 *
 * Threading: the main thread takes clients and ends the service; a client's thread owns its
 * connection and its place in `fds`. `lock` protects fds and live.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

struct kt_serving {
	struct kt_daemon *daemon;
	pthread_mutex_t lock;
	pthread_cond_t idle;	 /* live became 0 */
	unsigned int live;	 /* threads */
	int fds[KT_CLIENTS_MAX]; /* -1: a free place */
	/* Of the main thread: a file to give up when no other is left, so that a client hears why.
	 */
	int spare_fd; /* -1: it was given up and could not be had again */
	bool short_of_files;
};

struct client {
	struct kt_serving *serving;
	struct kt_control *control;
	unsigned int place;
};

int kt_serving_new(struct kt_daemon *daemon, struct kt_serving **ret_serving,
		   struct kt_error *error)
{
	struct kt_serving *serving = calloc(1, sizeof *serving);

	if (!serving)
		return kt_error_set(error, ENOMEM, "control clients", 0, "out of memory");
	serving->daemon = daemon;
	serving->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned int i = 0; i < KT_CLIENTS_MAX; i++)
		serving->fds[i] = -1;
	pthread_mutex_init(&serving->lock, NULL);
	pthread_cond_init(&serving->idle, NULL);
	*ret_serving = serving;
	return 0;
}

/* Receive one request and answer it; false: the connection is over. */
static bool exchange(struct client *client)
{
	struct kt_daemon *daemon = client->serving->daemon;
	json_t *request = NULL, *result = NULL, *reply;
	enum kt_control_refusal kind = KT_CONTROL_MISUSED;
	struct kt_question question;
	struct kt_error error = {0};
	int err = kt_control_receive(client->control, &request, &error);
	bool broken = err != 0;

	if (!err && !request)
		return false;
	if (!err)
		err = kt_daemon_understand(daemon, request, &question, &error);
	if (!err) {
		kind = KT_CONTROL_REFUSED;
		err = kt_daemon_answer(daemon, &question, client->control, &result, &error);
	}
	reply = err ? kt_control_failed(kind, &error) : kt_control_ok(result);
	err = kt_control_send(client->control, reply);
	json_decref(reply);
	json_decref(request);
	/* After a line that made no sense the next one would not either. */
	return !err && !broken;
}

static void *serve_client(void *arg)
{
	struct client *client = arg;
	struct kt_serving *serving = client->serving;

	while (exchange(client))
		;
	/* The place is given up before the socket is closed: nobody may shut down a reused fd. */
	pthread_mutex_lock(&serving->lock);
	serving->fds[client->place] = -1;
	pthread_mutex_unlock(&serving->lock);
	kt_control_free(client->control);
	free(client);
	pthread_mutex_lock(&serving->lock);
	if (--serving->live == 0)
		pthread_cond_signal(&serving->idle);
	pthread_mutex_unlock(&serving->lock);
	return NULL;
}

/* Enter fd into the table; -1: it is full. */
static int take_place(struct kt_serving *serving, int fd)
{
	int place = -1;

	pthread_mutex_lock(&serving->lock);
	for (int i = 0; i < KT_CLIENTS_MAX && place < 0; i++)
		if (serving->fds[i] < 0)
			place = i;
	if (serving->live == KT_CLIENTS_MAX)
		place = -1;
	if (place >= 0) {
		serving->fds[place] = fd;
		serving->live++;
	}
	pthread_mutex_unlock(&serving->lock);
	return place;
}

static void give_place(struct kt_serving *serving, int place)
{
	pthread_mutex_lock(&serving->lock);
	serving->fds[place] = -1;
	serving->live--;
	pthread_mutex_unlock(&serving->lock);
}

static int start(struct kt_serving *serving, struct kt_control *control, int place)
{
	struct client *client = malloc(sizeof *client);
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (!client)
		return ENOMEM;
	*client = (struct client){serving, control, (unsigned int)place};
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, serve_client, client);
	pthread_attr_destroy(&attr);
	if (err)
		free(client);
	return err;
}

static void refuse(struct kt_control *control, int err, const char *why)
{
	struct kt_error error;
	json_t *reply;

	kt_error_set(&error, err, "control socket", 0, "%s", why);
	reply = kt_control_failed(KT_CONTROL_REFUSED, &error);
	if (kt_control_send(control, reply))
		kt_log(LOG_WARNING, "control client: gone before it was refused: %s", why);
	json_decref(reply);
	kt_control_free(control);
}

/* A client for whom there is no file: with the spare one it is refused and told why. */
static int turn_away(struct kt_serving *serving, int listen_fd, int err)
{
	struct kt_control *control;
	int fd = -1;

	if (!serving->short_of_files)
		kt_log(LOG_WARNING,
		       "control socket: %s: clients are refused until files are free (raise "
		       "LimitNOFILE= or ulimit -n)",
		       strerror(err));
	serving->short_of_files = true;
	if (serving->spare_fd >= 0) {
		close(serving->spare_fd);
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	}
	/* One that may not ask anyway was told so. */
	if (fd >= 0 && !kt_control_accept(fd, &control, NULL))
		refuse(control, err, strerror(err));
	serving->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -err : 0;
}

static int accept_failed(struct kt_serving *serving, int listen_fd, int err)
{
	if (err == EMFILE || err == ENFILE)
		return turn_away(serving, listen_fd, err);
	if (err != EAGAIN && err != EINTR && err != ECONNABORTED)
		kt_log(LOG_WARNING, "control socket: accept: %s", strerror(err));
	return 0;
}

static void serve(struct kt_serving *serving, int fd)
{
	struct kt_control *control;
	struct kt_error error;
	int place, err;

	if (kt_control_accept(fd, &control, &error)) {
		kt_log_error("refused", &error);
		return;
	}
	place = take_place(serving, fd);
	if (place < 0) {
		refuse(control, EBUSY, "too many control clients (try again)");
		return;
	}
	err = start(serving, control, place);
	if (err) {
		give_place(serving, place);
		refuse(control, err, "no thread for this client");
	}
}

int kt_serving_take(struct kt_serving *serving, int listen_fd)
{
	int fd;

	/* Before the client: a spare file numbered above a limit that falls would be none. */
	if (serving->spare_fd < 0)
		serving->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return accept_failed(serving, listen_fd, errno);
	serving->short_of_files = false;
	serve(serving, fd);
	return 0;
}

void kt_serving_free(struct kt_serving *serving)
{
	if (!serving)
		return;
	pthread_mutex_lock(&serving->lock);
	for (unsigned int i = 0; i < KT_CLIENTS_MAX; i++)
		if (serving->fds[i] >= 0)
			shutdown(serving->fds[i], SHUT_RDWR);
	while (serving->live)
		pthread_cond_wait(&serving->idle, &serving->lock);
	pthread_mutex_unlock(&serving->lock);
	if (serving->spare_fd >= 0)
		close(serving->spare_fd);
	pthread_cond_destroy(&serving->idle);
	pthread_mutex_destroy(&serving->lock);
	free(serving);
}
