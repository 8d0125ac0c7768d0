/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cases of `ktrust bench relay`: bulk data through a server, "down" from the backend to clients
 * and "up" the other way, on LANES connections at the same time whose handshakes are over before
 * anything is counted. A MB is 1,000,000 bytes of data.
 *
 *   …-mb                       MB per CPU second of the server's processes
 *   …-system-calls-per-mb      that they make (calls.h)
 *   down-records-per-mb        of TLS, that the clients receive: counted there. Those that clients
 *                              send are not the server's doing
 *   …-copies                   of ours: bytes that its sockets gave and took (`ktrust stats`:
 *                              bytes_copied) for each byte of data. It is two where each byte is
 *                              copied out of the kernel once and into it once; what is more is
 *                              records' overhead where they are made in userspace, orders and
 *                              answers. Copies within a process do not count
 */
#include <errno.h>
#include <string.h>

#include "../control/control.h"
#include "ask.h"
#include "calls.h"
#include "clock.h"
#include "stage.h"

#define LANES 4u
#define EACH  1000000u /* bytes for one connection at a time */
#define MB    1e6

enum figure { SPEED, CALLS, RECORDS, COPIES };

#define VARIANT(figure, what) ((unsigned int)(figure) << 8 | (unsigned int)(what))

static enum figure figure_of(const struct kt_bench_case *of)
{
	return (enum figure)(of->variant >> 8);
}

static enum kt_bench_bulk what_of(const struct kt_bench_case *of)
{
	return (enum kt_bench_bulk)(of->variant & 0xff);
}

/* ---- Moving ---------------------------------------------------------------------------------- */

struct moved {
	double mb;
	uint64_t records;
};

/* For so long, at least once. */
static int move(struct kt_bench_stage *stage, const struct kt_bench_case *of, double seconds,
		struct moved *moved, struct kt_error *error)
{
	uint64_t end = kt_bench_now_ns() + (uint64_t)(seconds * 1e9), records;
	int ret;

	*moved = (struct moved){0};
	do {
		ret = kt_bench_load_move(stage->load, what_of(of), EACH, &records, error);
		if (ret)
			return ret;
		moved->mb += LANES * EACH / MB;
		moved->records += records;
	} while (kt_bench_now_ns() < end);
	return 0;
}

/* ---- What it took ---------------------------------------------------------------------------- */

static int cpu_per_mb(struct kt_bench_stage *stage, const struct kt_bench_case *of,
		      const struct kt_bench_server *server, double seconds, double *ret_value,
		      struct kt_error *error)
{
	uint64_t before, after;
	struct moved moved;
	int ret = kt_bench_server_cpu_ns(server, &before, error);

	if (ret == 0)
		ret = move(stage, of, seconds, &moved, error);
	if (ret == 0)
		ret = kt_bench_server_cpu_ns(server, &after, error);
	if (ret)
		return ret;
	if (after <= before)
		return kt_error_set(error, ENODATA, server->name, 0,
				    "the kernel counts no CPU time for it");
	*ret_value = moved.mb * 1e9 / (double)(after - before);
	return 0;
}

static int calls_per_mb(struct kt_bench_stage *stage, const struct kt_bench_case *of,
			const struct kt_bench_server *server, double seconds, double *ret_value,
			struct kt_error *error)
{
	struct kt_bench_calls calls;
	struct moved moved;
	uint64_t count;
	int ret = kt_bench_calls_begin(server->pid, &calls, error), end;

	if (ret)
		return ret;
	ret = move(stage, of, seconds, &moved, error);
	end = kt_bench_calls_end(&calls, &count, error);
	if (ret || end)
		return ret ? ret : end;
	*ret_value = (double)count / moved.mb;
	return 0;
}

static int records_per_mb(struct kt_bench_stage *stage, const struct kt_bench_case *of,
			  double seconds, double *ret_value, struct kt_error *error)
{
	struct moved moved;
	int ret = move(stage, of, seconds, &moved, error);

	if (ret == 0)
		*ret_value = (double)moved.records / moved.mb;
	return ret;
}

static int copies(struct kt_bench_stage *stage, const struct kt_bench_case *of,
		  const struct kt_bench_server *server, double seconds, double *ret_value,
		  struct kt_error *error)
{
	uint64_t before, after, rested_ns;
	struct kt_control *control;
	struct moved moved;
	int ret = kt_bench_ask_begin(stage->scratch.path, &control, error);

	if (ret)
		return ret;
	ret = kt_bench_ask_number(control, "bytes_copied", &before, error);
	if (ret == 0)
		ret = move(stage, of, seconds, &moved, error);
	/* What it has sent last, it may have to count yet. */
	if (ret == 0)
		ret = kt_bench_server_cpu_ns(server, &rested_ns, error);
	if (ret == 0)
		ret = kt_bench_ask_number(control, "bytes_copied", &after, error);
	if (ret == 0)
		*ret_value = (double)(after - before) / (moved.mb * MB);
	kt_control_free(control);
	return ret;
}

static int figure(struct kt_bench_stage *stage, const struct kt_bench_case *of,
		  const struct kt_bench_server *server, double seconds, double *ret_value,
		  struct kt_error *error)
{
	switch (figure_of(of)) {
	case SPEED:
		return cpu_per_mb(stage, of, server, seconds, ret_value, error);
	case CALLS:
		return calls_per_mb(stage, of, server, seconds, ret_value, error);
	case RECORDS:
		return records_per_mb(stage, of, seconds, ret_value, error);
	case COPIES:
		return copies(stage, of, server, seconds, ret_value, error);
	}
	return -EINVAL;
}

static int measure(const struct kt_bench_case *of, struct kt_bench_stage *stage, size_t side,
		   const struct kt_bench_options *options, double *ret_value,
		   struct kt_error *error)
{
	const struct kt_bench_server *server = &stage->servers[side];
	struct moved warm;
	int ret = kt_bench_load_hold(stage->load, server->port, LANES, error), end;

	if (ret)
		return kt_bench_server_blame(server, error);
	/* Windows and buffers grow first. */
	ret = move(stage, of, 0, &warm, error);
	if (ret == 0)
		ret = figure(stage, of, server, options->seconds, ret_value, error);
	if (ret)
		kt_bench_server_blame(server, error);
	end = kt_bench_load_let_go(stage->load, ret ? NULL : error);
	return ret ? ret : end;
}

KT_BENCH_STAGE_SIDES(measure)

static bool can_count(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX])
{
	struct kt_error error = {0};

	if (!kt_bench_stage_is_there(state, side, note))
		return false;
	if (kt_bench_calls_check(&error) == 0)
		return true;
	snprintf(note, KT_BENCH_NOTE_MAX, "%.*s", KT_BENCH_NOTE_MAX - 1, error.text);
	return false;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

#define CASE_OF(text, of_unit, more, there, figure, what, ...)                                     \
	{                                                                                          \
		.name = (text), .unit = (of_unit), .threads = 1, .more_is_better = (more),         \
		.prepare = kt_bench_stage_prepare, .finish = kt_bench_stage_finish,                \
		.is_there = (there), .size = KT_BENCH_SERVER_ONLY,                                 \
		.variant = VARIANT(figure, what), .measure = __VA_ARGS__, .peers = {               \
			KT_BENCH_PEER_NAMES                                                        \
		}                                                                                  \
	}
#define ALL(text, unit, more, figure, what)                                                        \
	CASE_OF(text, unit, more, kt_bench_stage_is_there, figure, what, KT_BENCH_STAGE_MEASURES)
#define COUNTED(text, what)                                                                        \
	CASE_OF(text, "1/MB", false, can_count, CALLS, what, KT_BENCH_STAGE_MEASURES)
#define OURS(text, unit, figure, what)                                                             \
	CASE_OF(text, unit, false, kt_bench_stage_is_there, figure, what, {ours})

static const struct kt_bench_case cases[] = {
	ALL("down-mb", "MB/cpu-s", true, SPEED, KT_BENCH_GIVE),
	ALL("up-mb", "MB/cpu-s", true, SPEED, KT_BENCH_TAKE),
	COUNTED("down-system-calls-per-mb", KT_BENCH_GIVE),
	COUNTED("up-system-calls-per-mb", KT_BENCH_TAKE),
	ALL("down-records-per-mb", "1/MB", false, RECORDS, KT_BENCH_GIVE),
	OURS("down-copies", "B/B", COPIES, KT_BENCH_GIVE),
	OURS("up-copies", "B/B", COPIES, KT_BENCH_TAKE),
};

const struct kt_bench_suite kt_bench_relay = {
	.name = "relay",
	.title = "Bulk data through a relay, of 4 connections at a time",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 0.5,
};
