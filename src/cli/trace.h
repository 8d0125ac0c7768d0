/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the verb `ktrust trace`. One event in, one line out, as text or as JSON; and totals.
 *
 * Threads: one. Names come from peers' certificates: nothing that could drive a terminal, or break
 * a line or JSON, gets through (escape.c).
 */
#ifndef KT_CLI_TRACE_H
#define KT_CLI_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../trace/trace.h"

/* ---- Words (trace_words.c) ------------------------------------------------------------------- */

#define KT_CLI_TIME_LEN	   40
#define KT_CLI_WORD_LEN	   24
#define KT_CLI_ADDRESS_LEN 64

/* RFC 3339, UTC, nanoseconds. Returns buf. */
const char *kt_cli_trace_time(int64_t time_ns, char buf[static KT_CLI_TIME_LEN]);
/* "TLSv1.3", "TLS_AES_128_GCM_SHA256"; those not known as hexadecimal in buf; NULL for 0. */
const char *kt_cli_trace_protocol(uint16_t protocol, char buf[static KT_CLI_WORD_LEN]);
const char *kt_cli_trace_cipher(uint16_t cipher, char buf[static KT_CLI_WORD_LEN]);
/* "192.0.2.1:443", "[2001:db8::1]:443"; NULL for what is not an IP peer. */
const char *kt_cli_trace_address(const struct kt_probe_handshake *handshake,
				 char buf[static KT_CLI_ADDRESS_LEN]);
/* len bytes as 2 * len digits and NUL. Returns buf. */
const char *kt_cli_trace_hex(const uint8_t *bytes, size_t len, char *buf);
bool kt_cli_trace_has_anchor(const struct kt_probe_handshake *handshake);
/* Since the connection was accepted, for an end of either kind. */
uint64_t kt_cli_trace_age_ns(const struct kt_trace_event *event);

/* ---- Escaping (escape.c) --------------------------------------------------------------------- */

/* Any string of n bytes, NUL included, fits into so many. */
#define KT_CLI_ESCAPED(n) (4 * (n))

/*
 * For a terminal: printable UTF-8 as it is; controls, invisible and direction marks, quotes,
 * backslashes and bytes that are no UTF-8 as \xHH. Returns buf; size bounds it, NUL included.
 */
const char *kt_cli_escape(const char *text, char *buf, size_t size);
/* For JSON, which escapes the rest itself: only bytes that are no UTF-8 become \xHH. */
const char *kt_cli_escape_utf8(const char *text, char *buf, size_t size);

/* ---- Totals (trace_summary.c) ---------------------------------------------------------------- */

struct kt_cli_tally {
	char name[KT_PROBE_NAME_LEN]; /* outcome, or pool */
	uint64_t version;	      /* of a pool */
	uint64_t handshakes;
	uint64_t accepted;
};

struct kt_cli_tallies {
	struct kt_cli_tally *of;
	size_t n;
};

struct kt_cli_trace_summary {
	uint64_t handshakes;
	uint64_t accepted;
	uint64_t ktls_tx; /* of the accepted, as ktrustd claims */
	uint64_t ktls_rx;
	uint64_t ktls_both;
	uint64_t kernel_agrees; /* of those with kTLS */
	uint64_t kernel_differs;
	uint64_t publications;
	uint64_t ends;
	uint64_t ends_by_kernel; /* of the ends: only the kernel saw them */
	uint64_t bytes_in;
	uint64_t bytes_out;
	struct kt_cli_tallies outcomes;
	struct kt_cli_tallies versions;
};

/* -ENOMEM: the event is not counted. */
KT_WARN_UNUSED int kt_cli_trace_summary_add(struct kt_cli_trace_summary *summary,
					    const struct kt_trace_event *event);
void kt_cli_trace_summary_fini(struct kt_cli_trace_summary *summary);

/* ---- Output (trace_text.c, trace_json.c) ----------------------------------------------------- */

/* What was not shown, over all kinds. */
struct kt_cli_trace_lost {
	uint64_t lost;
	uint64_t unreadable;
};

struct kt_cli_trace_output {
	/* Once attached; binary and pid as asked for, pid 0: all. */
	void (*attached)(FILE *out, const char *binary, pid_t pid, const struct kt_trace *trace);
	void (*event)(FILE *out, const struct kt_trace_event *event);
	void (*lost)(FILE *out, const struct kt_cli_trace_lost *lost);
	void (*summary)(FILE *out, const struct kt_cli_trace_summary *summary,
			const struct kt_cli_trace_lost *lost);
};

extern const struct kt_cli_trace_output kt_cli_trace_text;
extern const struct kt_cli_trace_output kt_cli_trace_json;

#endif
