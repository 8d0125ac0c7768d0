/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "clock.h"
#include "interrupt.h"
#include "load_in.h"

#define LIMIT_MS 20000 /* without an event */
#define EVENTS	 16

/* ---- Making ---------------------------------------------------------------------------------- */

static bool make_contexts(struct kt_bench_load *load, const struct kt_bench_parties *parties,
			  bool with_certificates)
{
	load->client_count = with_certificates ? KT_BENCH_CLIENTS : 1;
	for (unsigned int i = 0; i < load->client_count; i++) {
		load->clients[i] = with_certificates
					   ? kt_bench_client_context(&parties->clients[i],
								     &parties->intermediate)
					   : kt_bench_client_context(NULL, NULL);
		if (!load->clients[i])
			return false;
	}
	load->stranger = kt_bench_client_context(&parties->stranger, NULL);
	return load->stranger != NULL;
}

int kt_bench_load_new(const struct kt_bench_parties *parties, bool with_certificates,
		      struct kt_bench_load **ret_load, struct kt_error *error)
{
	struct kt_bench_load *load = calloc(1, sizeof *load);
	int ret = 0;

	if (!load)
		return kt_error_set(error, ENOMEM, "clients", 0, "out of memory");
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	kt_bench_backend_init(&load->backend, load->epoll);
	if (load->epoll < 0)
		ret = kt_error_set(error, errno, "epoll", 0, "%s", strerror(errno));
	else if (!make_contexts(load, parties, with_certificates))
		ret = kt_error_set(error, EIO, "clients", 0, "no TLS contexts for them");
	ERR_clear_error();
	if (ret) {
		kt_bench_load_free(load);
		return ret;
	}
	*ret_load = load;
	return 0;
}

void kt_bench_load_take_tickets(struct kt_bench_load *load)
{
	for (size_t i = 0; i < KT_BENCH_IN_FLIGHT; i++)
		load->lanes[i].client.takes_tickets = true;
}

void kt_bench_lane_end(struct kt_bench_lane *lane)
{
	kt_bench_client_end(&lane->client);
	lane->spot.is = KT_BENCH_FREE;
}

static void end_lanes(struct kt_bench_load *load)
{
	for (size_t i = 0; i < KT_BENCH_IN_FLIGHT; i++)
		kt_bench_lane_end(&load->lanes[i]);
}

static void end_held(struct kt_bench_load *load)
{
	for (unsigned int i = 0; i < load->held_count; i++)
		kt_bench_lane_end(&load->held[i]);
	free(load->held);
	load->held = NULL;
	load->held_count = 0;
}

void kt_bench_load_free(struct kt_bench_load *load)
{
	if (!load)
		return;
	end_lanes(load);
	end_held(load);
	kt_bench_backend_fini(&load->backend);
	for (unsigned int i = 0; i < load->client_count; i++)
		SSL_CTX_free(load->clients[i]);
	SSL_CTX_free(load->stranger);
	if (load->epoll >= 0)
		close(load->epoll);
	free(load);
}

int kt_bench_load_listen(struct kt_bench_load *load, uint16_t *ret_port, struct kt_error *error)
{
	return kt_bench_backend_listen(&load->backend, ret_port, error);
}

/* ---- Clients --------------------------------------------------------------------------------- */

int kt_bench_lane_begin(struct kt_bench_load *load, struct kt_bench_lane *lane, SSL_CTX *context,
			uint16_t port, struct kt_error *error)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = &lane->spot};
	int ret = kt_bench_client_begin(&lane->client, context, port, error);

	if (ret)
		return ret;
	lane->spot = (struct kt_bench_spot){.is = KT_BENCH_CLIENT, .fd = lane->client.fd};
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, lane->client.fd, &event))
		return kt_error_set(error, errno, "epoll", 0, "%s", strerror(errno));
	return 0;
}

SSL_CTX *kt_bench_load_next_client(struct kt_bench_load *load)
{
	load->next = (load->next + 1) % load->client_count;
	return load->clients[load->next];
}

static bool goes_on(const struct kt_bench_load_run *run)
{
	if (run->latencies_us)
		return false;
	if (run->count)
		return run->begun < run->count;
	/* At least one, however short the time. */
	return run->begun == 0 || kt_bench_now_ns() < run->until_ns;
}

static int begin_next(struct kt_bench_load *load, struct kt_bench_load_run *run,
		      struct kt_bench_lane *lane, struct kt_error *error)
{
	if (!goes_on(run))
		return 0;
	run->begun++;
	return kt_bench_lane_begin(load, lane, kt_bench_load_next_client(load), run->port, error);
}

/* It has got its byte: the server has let it in, and the backend has answered. */
static void note_latency(struct kt_bench_load_run *run, struct kt_bench_lane *lane)
{
	if (!lane->due_ns || lane->client.step < KT_BENCH_LEAVE)
		return;
	run->latencies_us[run->measured++] = (double)(kt_bench_now_ns() - lane->due_ns) / 1e3;
	lane->due_ns = 0;
}

static int go_on(struct kt_bench_load *load, struct kt_bench_load_run *run,
		 struct kt_bench_lane *lane, struct kt_error *error)
{
	bool stayed = lane->client.step == KT_BENCH_STAY;
	int ret = kt_bench_client_go_on(&lane->client, error);

	/* An event may come late. */
	if (ret == 0 && lane->client.step == KT_BENCH_STAY && !stayed)
		run->done++;
	if (ret == 0 && run->latencies_us)
		note_latency(run, lane);
	if (ret || lane->client.step != KT_BENCH_DONE)
		return ret;
	kt_bench_lane_end(lane);
	run->done++;
	return begin_next(load, run, lane, error);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static int handle(struct kt_bench_load *load, struct kt_bench_load_run *run,
		  struct kt_bench_spot *spot, struct kt_error *error)
{
	if (spot->is == KT_BENCH_CLIENT)
		return go_on(load, run, (struct kt_bench_lane *)spot, error);
	return kt_bench_backend_event(&load->backend, spot, error);
}

static int wait_for(struct kt_bench_load *load, uint64_t until_ns, struct epoll_event *events)
{
	uint64_t now = kt_bench_now_ns(), limit = LIMIT_MS * 1000000ull;
	struct timespec wait;

	if (until_ns)
		limit = until_ns > now ? until_ns - now : 0;
	wait.tv_sec = (time_t)(limit / 1000000000u);
	wait.tv_nsec = (long)(limit % 1000000000u);
	return epoll_pwait2(load->epoll, events, EVENTS, &wait, NULL);
}

int kt_bench_load_turn(struct kt_bench_load *load, struct kt_bench_load_run *run, uint64_t until_ns,
		       struct kt_error *error)
{
	struct epoll_event events[EVENTS];
	int ret = kt_bench_interrupted(error), count;

	if (ret)
		return ret;
	count = wait_for(load, until_ns, events);
	if (count < 0 && errno != EINTR)
		return kt_error_set(error, errno, "epoll", 0, "%s", strerror(errno));
	if (count == 0 && !until_ns)
		return kt_error_set(error, ETIMEDOUT, "", 0, "nothing happens for %d s",
				    LIMIT_MS / 1000);
	for (int i = 0; i < count && ret == 0; i++)
		ret = handle(load, run, events[i].data.ptr, error);
	return ret;
}

static int make_connections(struct kt_bench_load *load, struct kt_bench_load_run *run,
			    struct kt_error *error)
{
	int ret = 0;

	for (size_t i = 0; i < KT_BENCH_IN_FLIGHT && ret == 0; i++)
		ret = begin_next(load, run, &load->lanes[i], error);
	/* The servers' ends towards the backend too. */
	while (ret == 0 && (run->done < run->begun || load->backend.live))
		ret = kt_bench_load_turn(load, run, 0, error);
	end_lanes(load);
	return ret;
}

int kt_bench_load_compare(const struct kt_bench_load *load, const struct kt_bench_load_run *run,
			  struct kt_error *error)
{
	const struct kt_bench_backend *backend = &load->backend;

	if (backend->connections == run->done && backend->echoed == run->done)
		return 0;
	return kt_error_set(error, EPROTO, "", 0,
			    "of %" PRIu64 " connections the backend saw %" PRIu64
			    ", and a byte of %" PRIu64,
			    run->done, backend->connections, backend->echoed);
}

void kt_bench_load_count_anew(struct kt_bench_load *load)
{
	load->backend.connections = 0;
	load->backend.echoed = 0;
}

int kt_bench_load_run(struct kt_bench_load *load, uint16_t port, unsigned int count, double seconds,
		      uint64_t *ret_done, struct kt_error *error)
{
	struct kt_bench_load_run run = {.port = port,
					.count = count,
					.until_ns = kt_bench_now_ns() + (uint64_t)(seconds * 1e9)};
	int ret;

	kt_bench_load_count_anew(load);
	ret = make_connections(load, &run, error);
	if (ret == 0)
		ret = kt_bench_load_compare(load, &run, error);
	if (ret == 0)
		*ret_done = run.done;
	return ret;
}

/* Those under way are few, whatever is held: as on a real day. */
static int hold(struct kt_bench_load *load, struct kt_bench_load_run *run, struct kt_error *error)
{
	int ret = 0;

	while (ret == 0 && run->done < run->count) {
		if (run->begun < run->count && run->begun - run->done < KT_BENCH_IN_FLIGHT) {
			struct kt_bench_lane *lane = &load->held[run->begun++];

			ret = kt_bench_lane_begin(load, lane, kt_bench_load_next_client(load),
						  run->port, error);
			lane->client.stays = true;
		} else {
			ret = kt_bench_load_turn(load, run, 0, error);
		}
	}
	return ret;
}

int kt_bench_load_hold(struct kt_bench_load *load, uint16_t port, unsigned int count,
		       struct kt_error *error)
{
	struct kt_bench_load_run run = {.port = port, .count = count};
	int ret;

	kt_bench_load_count_anew(load);
	load->held = calloc(count, sizeof *load->held);
	if (!load->held)
		return kt_error_set(error, ENOMEM, "clients", 0, "out of memory");
	load->held_count = count;
	ret = hold(load, &run, error);
	if (ret == 0)
		ret = kt_bench_load_compare(load, &run, error);
	if (ret)
		end_held(load);
	return ret;
}

static uint64_t records_of(const struct kt_bench_load *load)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < load->held_count; i++)
		sum += load->held[i].client.records;
	return sum;
}

int kt_bench_load_move(struct kt_bench_load *load, enum kt_bench_bulk what, uint64_t len,
		       uint64_t *ret_records, struct kt_error *error)
{
	struct kt_bench_load_run run = {.count = load->held_count, .begun = load->held_count};
	uint64_t before = records_of(load);
	int ret = 0;

	for (unsigned int i = 0; i < load->held_count && ret == 0; i++) {
		kt_bench_client_order(&load->held[i].client, what, len);
		ret = go_on(load, &run, &load->held[i], error);
	}
	while (ret == 0 && run.done < run.count)
		ret = kt_bench_load_turn(load, &run, 0, error);
	if (ret == 0)
		*ret_records = records_of(load) - before;
	return ret;
}

int kt_bench_load_let_go(struct kt_bench_load *load, struct kt_error *error)
{
	struct kt_bench_load_run run = {.count = 0};
	int ret = 0;

	end_held(load);
	while (ret == 0 && load->backend.live)
		ret = kt_bench_load_turn(load, &run, 0, error);
	return ret;
}

/* 0: the stranger got its byte back; -ECONNREFUSED: it did not. */
static int let_stranger_try(struct kt_bench_load *load, struct kt_bench_load_run *run,
			    struct kt_error *error)
{
	int ret = 0, rest = 0;

	while (ret == 0 && run->done == 0)
		ret = kt_bench_load_turn(load, run, 0, error);
	end_lanes(load);
	while (rest == 0 && load->backend.live)
		rest = kt_bench_load_turn(load, run, 0, error);
	return rest ? rest : ret;
}

int kt_bench_load_is_refused(struct kt_bench_load *load, uint16_t port, struct kt_error *error)
{
	struct kt_bench_load_run run = {.port = port, .count = 1, .begun = 1};
	int ret = kt_bench_lane_begin(load, &load->lanes[0], load->stranger, port, error);

	/* Nobody there to refuse it is something else. */
	if (ret)
		return ret;
	ret = let_stranger_try(load, &run, error);
	if (ret == -ECONNREFUSED)
		return 0;
	if (ret == 0)
		return kt_error_set(error, EPERM, "", 0, "lets in a client of another CA");
	return ret;
}
