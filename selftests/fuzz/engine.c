/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the engine: workers, rings and sockets as they are (engine_stage.h), one connection a
 * script (engine_play.h). Three bytes choose who takes part,
 *
 *   0  the engine: enum stage_kind
 *   1  who shows what: version (2 bits), certificate (2 bits), small buffers, a proper end
 *   2  which allocation fails, counted from the connection's first; 0: none
 *
 * and then each byte does something, with the bytes that follow; see enum act. Beside not reading
 * astray: every connection ends and is counted once; each side hears nothing but what the other
 * said, in its order, and an end only if there was one, after all that was said before it; all of
 * it, where nothing stood in its way; the plain side hears nothing before the TLS side's Finished;
 * who was accepted was to be trusted, and what he sent arrived as he meant it; kernels are given
 * the keys that he has; no descriptor, no block and no timer is left.
 *
 * What an input does: KT_FUZZ_ACTS=1 build/fuzz/engine FILE says each act, and its bytes in hex.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACTS_MAX   256	       /* of a script */
#define CALM_BYTES (16u << 10) /* of each side: no key is used up, small buffers are emptied */
#define CALM_ODD   16	       /* KeyUpdates or empty records are no flood */

enum act {
	ACT_PUMP,
	ACT_TURN,
	ACT_SEND,	/* bytes; 0: 256 */
	ACT_FLIP,	/* of what is pending: offset (2 bytes), bit */
	ACT_DROP,	/* offset (2), bytes */
	ACT_REPEAT,	/* offset (2), bytes */
	ACT_RAW,	/* type, bytes, content: a record that nobody has sealed */
	ACT_BYTES,	/* bytes, content */
	ACT_SAY,	/* length, in 64 bytes */
	ACT_KEY_UPDATE, /* does it ask for one? */
	ACT_CLOSE_NOTIFY,
	ACT_RECORD, /* type, bytes, content: one that is sealed */
	ACT_FIN,
	ACT_RESET,
	ACT_PLAIN_READ,
	ACT_PLAIN_SAY, /* length, in 256 bytes */
	ACT_PLAIN_CLOSE,
	ACT_PLAIN_RESET,
	ACT_ERROR,   /* operation, which errno */
	ACT_SHORTER, /* operation, bytes, times */
	ACT_KEYS,    /* which installation fails (0: attaching), errno */
	ACT_MEMORY,  /* which allocation fails */
	ACT_CHOOSE,  /* errno */
	ACT_PASS,    /* which time */
	ACT_ANSWER,  /* how: as a proxy, or with a PROXY header */
	ACT_TAKE_OVER,
	ACT_SWAP,
	ACT_CUT, /* as a drain does in the end */
	ACT_LOOK,
	ACT_EXTRA,	 /* another client: which, bytes, content */
	ACT_EXTRA_RESET, /* which */
	ACTS
};

/* ---- Scripts --------------------------------------------------------------------------------- */

struct script {
	const uint8_t *at, *end;
};

static uint8_t take(struct script *script)
{
	return script->at < script->end ? *script->at++ : 0;
}

static size_t take_two(struct script *script)
{
	size_t high = take(script);

	return high << 8 | take(script);
}

/* So many bytes, or those that there are. */
static const uint8_t *take_bytes(struct script *script, size_t *len)
{
	const uint8_t *at = script->at;

	*len = take(script);
	if (at < script->end)
		at++;
	if (*len > (size_t)(script->end - at))
		*len = (size_t)(script->end - at);
	script->at = at + *len;
	return at;
}

static int take_errno(struct script *script)
{
	static const int errors[] = {
		EIO,	      EBADMSG,	 EINVAL,       EMSGSIZE, EKEYEXPIRED, ENOMEM,  EBUSY,
		ECONNRESET,   ETIMEDOUT, ECONNABORTED, EPIPE,	 EAGAIN,      ENOBUFS, ECONNREFUSED,
		EHOSTUNREACH, ECANCELED, ETOOMANYREFS, EMFILE,	 EOPNOTSUPP,  ENOENT,
	};

	return errors[take(script) % (sizeof errors / sizeof errors[0])];
}

/* ---- What is done to what is pending --------------------------------------------------------- */

static void flip(struct play *play, struct script *script)
{
	struct wire *pending = &play->pending;
	size_t left = pending->len - pending->read, at = take_two(script);
	unsigned int bit = take(script) & 7;

	if (left)
		pending->data[pending->read + at % left] ^= (uint8_t)(1u << bit);
}

static void drop(struct play *play, struct script *script)
{
	struct wire *pending = &play->pending;
	size_t left = pending->len - pending->read, at = take_two(script), len = take(script);
	uint8_t *from;

	if (!left)
		return;
	at %= left;
	if (len > left - at)
		len = left - at;
	from = pending->data + pending->read + at;
	memmove(from, from + len, left - at - len);
	pending->len -= len;
}

static void repeat(struct play *play, struct script *script)
{
	struct wire *pending = &play->pending;
	size_t left = pending->len - pending->read, at = take_two(script), len = take(script);
	uint8_t copy[255];

	if (!left)
		return;
	at %= left;
	if (len > left - at)
		len = left - at;
	memcpy(copy, pending->data + pending->read + at, len);
	play_add(play, copy, len);
}

static void add_raw(struct play *play, struct script *script)
{
	uint8_t header[5] = {take(script), 3, 3};
	const uint8_t *content;
	size_t len;

	content = take_bytes(script, &len);
	header[4] = (uint8_t)len;
	play_add(play, header, sizeof header);
	play_add(play, content, len);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void fail_operation(struct script *script)
{
	int op = take(script) % KT_OP_WAKE;

	answers.errors[op] = take_errno(script);
}

static void shorten_operation(struct script *script)
{
	int op = take(script) % KT_OP_WAKE;

	answers.shorter[op].len = 1u + take(script);
	answers.shorter[op].times = take(script) & 31;
}

static void refuse_keys(struct script *script)
{
	unsigned int which = take(script);
	int error = take_errno(script);

	answers.install_fails = which;
	if (which)
		answers.install_error = error;
	else
		answers.attach_error = error;
}

static void pass(struct script *script)
{
	static const unsigned int ms[] = {1, 101, 700, 2100, 5100, 10100, 3600100, 30};

	stage_pass((uint64_t)ms[take(script) & 7] * 1000000u);
}

/* ---- Others ---------------------------------------------------------------------------------- */

static void cut(struct play *play)
{
	play->stage->worker->cutting = true;
	play_settle(play);
	play->stage->worker->cutting = false;
}

static void see(const struct kt_conn_info *info, void *arg)
{
	*(uint64_t *)arg += info->bytes_in + info->bytes_out;
}

static void see_version(const char *pool, uint64_t version, uint64_t count, void *arg)
{
	(void)pool;
	*(uint64_t *)arg += version + count;
}

static void look(const struct play *play)
{
	struct kt_verify_cache_stats stats;
	uint64_t sum = 0;

	if (kt_engine_each_conn(play->stage->engine, see, &sum))
		abort();
	kt_engine_each_version(play->stage->engine, see_version, &sum);
	kt_engine_get_cache_stats(play->stage->engine, &stats);
}

static void extra(struct play *play, struct script *script)
{
	int *fd = &play->extras[take(script) % EXTRAS_MAX];
	const uint8_t *content;
	size_t len;

	content = take_bytes(script, &len);
	if (*fd < 0)
		*fd = tcp_connect(&play->stage->address);
	(void)!send(*fd, content, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void reset_extra(struct play *play, struct script *script)
{
	int *fd = &play->extras[take(script) % EXTRAS_MAX];

	if (*fd >= 0)
		abort_fd(*fd);
	*fd = -1;
}

/* ---- Acts ------------------------------------------------------------------------------------ */

static void say_record(struct play *play, struct script *script)
{
	uint8_t type = take(script);
	const uint8_t *content;
	size_t len;

	content = take_bytes(script, &len);
	/* In TLS 1.3 zeros are padding, and the type is what stands before them (RFC 8446 §5.4). */
	while (!type && len && play->version == VERSION_1_3)
		type = content[--len];
	play_record(play, type, content, len);
}

static void say_bytes(struct play *play, struct script *script)
{
	const uint8_t *content;
	size_t len;

	content = take_bytes(script, &len);
	play_add(play, content, len);
}

static bool act_of_tls(struct play *play, struct script *script, enum act act)
{
	static const uint8_t close_notify[] = {1, 0};
	uint8_t key_update[] = {24, 0, 0, 1, 0};

	switch (act) {
	case ACT_PUMP:
		play_pump(play);
		return true;
	case ACT_TURN:
		play_turn(play);
		return true;
	case ACT_SEND:
		play_send(play, (size_t)(uint8_t)(take(script) - 1) + 1);
		return true;
	case ACT_SAY:
		play_record(play, KT_RECORD_DATA, NULL, 64u * take(script));
		return true;
	case ACT_KEY_UPDATE:
		key_update[4] = take(script);
		play_record(play, KT_RECORD_HANDSHAKE, key_update, sizeof key_update);
		return true;
	case ACT_CLOSE_NOTIFY:
		play_record(play, KT_RECORD_ALERT, close_notify, sizeof close_notify);
		return true;
	case ACT_RECORD:
		say_record(play, script);
		return true;
	case ACT_FIN:
		shutdown(play->tls, SHUT_WR);
		return true;
	case ACT_RESET:
		play_tls_reset(play);
		return true;
	case ACT_ANSWER:
		play_answer(play, take(script));
		return true;
	default:
		return false;
	}
}

static bool act_on_pending(struct play *play, struct script *script, enum act act)
{
	switch (act) {
	case ACT_FLIP:
		flip(play, script);
		return true;
	case ACT_DROP:
		drop(play, script);
		return true;
	case ACT_REPEAT:
		repeat(play, script);
		return true;
	case ACT_RAW:
		add_raw(play, script);
		return true;
	case ACT_BYTES:
		say_bytes(play, script);
		return true;
	default:
		return false;
	}
}

static bool act_of_plain(struct play *play, struct script *script, enum act act)
{
	switch (act) {
	case ACT_PLAIN_READ:
		play_plain_read(play);
		return true;
	case ACT_PLAIN_SAY:
		play_plain_say(play, 256u * take(script));
		return true;
	case ACT_PLAIN_CLOSE:
		play_plain_close(play);
		return true;
	case ACT_PLAIN_RESET:
		play_plain_reset(play);
		return true;
	case ACT_TAKE_OVER:
		play_take_over();
		return true;
	default:
		return false;
	}
}

static bool act_of_kernel(struct script *script, enum act act)
{
	switch (act) {
	case ACT_ERROR:
		fail_operation(script);
		return true;
	case ACT_SHORTER:
		shorten_operation(script);
		return true;
	case ACT_KEYS:
		refuse_keys(script);
		return true;
	case ACT_MEMORY:
		answers.allocation_fails = take(script);
		return true;
	case ACT_CHOOSE:
		answers.choose_error = take_errno(script);
		return true;
	case ACT_PASS:
		pass(script);
		return true;
	default:
		return false;
	}
}

static void act_of_others(struct play *play, struct script *script, enum act act)
{
	switch (act) {
	case ACT_SWAP:
		play_swap(play);
		break;
	case ACT_CUT:
		cut(play);
		break;
	case ACT_LOOK:
		look(play);
		break;
	case ACT_EXTRA:
		extra(play, script);
		break;
	case ACT_EXTRA_RESET:
		reset_extra(play, script);
		break;
	default:
		break;
	}
}

/* Whether an act stands in nobody's way: it is said and read, by pieces. */
static bool is_calm(const struct play *play, const struct script *script, enum act act)
{
	switch (act) {
	case ACT_PUMP:
	case ACT_PLAIN_READ:
	case ACT_PLAIN_SAY:
	case ACT_PLAIN_CLOSE:
	case ACT_SHORTER:
	case ACT_LOOK:
		return true;
	case ACT_TURN:
	case ACT_SEND:
		/* A ClientHello comes behind the header. */
		return play->answered || play->stage->kind != STAGE_PROXY;
	case ACT_SAY:
		return !play->up_closed;
	case ACT_RECORD:
		return !play->up_closed && script->at < script->end &&
		       *script->at == KT_RECORD_DATA;
	case ACT_KEY_UPDATE:
		return play->version == VERSION_1_3 && !play->up_closed &&
		       script->at < script->end && *script->at <= 1 &&
		       play->stage->kind != STAGE_OPEN_OFFLOADED;
	default:
		return false;
	}
}

/* Whether what takes part can only agree. */
static bool is_calm_start(const struct play *play)
{
	const struct stage *stage = play->stage;

	if (stage->kind == STAGE_HANDOFF || stage->kind == STAGE_HANDOFF_ALONE)
		return false;
	return !answers.allocation_fails && play->cert == CERT_GOOD;
}

/* In the order of enum act. */
static const char *const act_names[] = {
	"pump",	      "turn",	   "send",	  "flip",	 "drop",      "repeat",	 "raw",
	"bytes",      "say",	   "key_update",  "close",	 "record",    "fin",	 "reset",
	"plain_read", "plain_say", "plain_close", "plain_reset", "error",     "shorter", "keys",
	"memory",     "choose",	   "pass",	  "answer",	 "take_over", "swap",	 "cut",
	"look",	      "extra",	   "extra_reset",
};
_Static_assert(sizeof act_names / sizeof act_names[0] == ACTS, "each has its name");

static bool is_told(void)
{
	return getenv("KT_FUZZ_ACTS");
}

/* Bytes that an act took, and what was heard of what was said since the beginning. */
static void tell(const struct play *play, const uint8_t *from, const uint8_t *to)
{
	while (from < to)
		fprintf(stderr, " %02x", *from++);
	fprintf(stderr, "\tup %" PRIu64 "/%" PRIu64 " down %" PRIu64 "/%" PRIu64 "\n",
		play->up_heard, play->up_said, play->down_heard, play->down_said);
}

static void act_on(struct play *play, struct script *script, enum act act)
{
	if (!is_calm(play, script, act))
		play->is_disturbed = true;
	play->oddities += act == ACT_KEY_UPDATE || act == ACT_RECORD;
	if (act_on_pending(play, script, act))
		return;
	if (!act_of_tls(play, script, act) && !act_of_plain(play, script, act) &&
	    !act_of_kernel(script, act))
		act_of_others(play, script, act);
	play_settle(play);
}

static void perform(struct play *play, struct script *script)
{
	enum act act = take(script) % ACTS;
	const uint8_t *from = script->at;

	if (is_told())
		fputs(act_names[act], stderr);
	act_on(play, script, act);
	if (is_told())
		tell(play, from, script->at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {data, data + size};
	static struct play play;
	uint8_t who;

	if (size < 3)
		return 0;
	memset(&play, 0, sizeof play);
	stage_world();
	play.stage = stage_get(take(&script) % STAGE_KINDS);
	who = take(&script);
	play.version = (who & 3) % VERSIONS;
	play.cert = who >> 2 & 3;
	play.small_buffers = who & 16;
	answers.allocation_fails = take(&script);
	play.is_disturbed = !is_calm_start(&play);
	if (is_told())
		fprintf(stderr, "engine %d version %d certificate %d\n", (int)play.stage->kind,
			(int)play.version, (int)play.cert);
	play_begin(&play, play.stage);
	for (int i = 0; i < ACTS_MAX && script.at < script.end; i++)
		perform(&play, &script);
	if (who & 32)
		play_end_properly(&play, !play.is_disturbed && play.oddities <= CALM_ODD &&
						 play.up_said <= CALM_BYTES &&
						 play.down_said <= CALM_BYTES);
	play_end(&play);
	return 0;
}
