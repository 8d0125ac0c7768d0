/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel whose answers a fuzzer may change, for the engines of engine_stage.h.
 *
 * Sends and reads may be made shorter before the kernel sees them; completions, accepts and
 * allocations of the worker fail as told. Where a stage offloads, the stand-in for the kernel's TLS
 * takes all keys (but those it is told to refuse), and from then on the socket carries the records'
 * contents; stage_record says what the next bytes are, as that kernel would.
 *
 * One connection is watched (stage_watch_next); answers are of all. Linked with --wrap (Makefile).
 * Threads: the fuzzer's or the worker's, in step.
 */
#ifndef KTRUST_FUZZ_ENGINE_ANSWERS_H
#define KTRUST_FUZZ_ENGINE_ANSWERS_H

#include "../../src/engine/worker.h"

struct stage;

/* ---- Answers --------------------------------------------------------------------------------- */

struct answers {
	int errors[KT_OP_WAKE]; /* errno of the next completion; 0: as it is */
	struct {
		uint32_t len; /* bytes at most … */
		uint32_t times;
	} shorter[KT_OP_WAKE];
	int attach_error, install_error;
	unsigned int install_fails; /* with the installation of this number, from 1; 0: none */
	unsigned int allocation_fails;
	int choose_error;
};

extern struct answers answers;

/* What the next probe of kernel TLS says of next keys. */
extern bool answers_rekeys;

/* The operations that are about to be submitted. */
void answers_shape(struct io_uring *uring);

/* ---- The watched connection ------------------------------------------------------------------ */

#define SEGMENTS_MAX 4096
#define RECORDS_MAX  256
#define KEYS_MAX     4 /* of one direction, that are kept */

struct watched {
	uint64_t id; /* 0: none */
	/* Bytes that it took and gave on the TLS side before the first of TLS. */
	uint64_t before_taken, before_given;
	uint64_t tls_given; /* bytes of TLS records */
	/* What it gave on an offloaded socket after these. */
	struct {
		uint32_t len;
		bool control;
	} segments[SEGMENTS_MAX];
	size_t segment_count;
	bool sends_control;
	uint64_t taken; /* bytes on the TLS side */
	struct {
		uint64_t at;   /* offset of what is left */
		uint32_t left; /* bytes */
		uint8_t type;
		bool empty;	  /* one byte stands for none */
		bool updates_key; /* as the kernel sees it: a handshake record that begins so */
	} records[RECORDS_MAX];
	size_t record_first, record_count;
	bool key_owed; /* nothing is read before the next key is there */
	/* What the kernel was given; [enum kt_direction] */
	struct kt_traffic_key keys[2][KEYS_MAX];
	size_t key_count[2];
};

extern struct watched watched;

/* It is the next that the engine takes in; and that has happened, or will not. */
void stage_watch_next(const struct stage *stage);
void stage_watch_came(const struct stage *stage);

/* While it is open; NULL. */
const struct kt_conn *stage_watched(const struct stage *stage);

/*
 * The len bytes that are sent to it from this offset on, this content, are a record of this type;
 * len 0: one byte is, for none. All others authenticate as nothing. False: there were too many.
 */
bool stage_record(uint8_t type, const uint8_t *content, size_t len, uint64_t at);

#endif
