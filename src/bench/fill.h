/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of servers, with places for what is known only when they are started:
 *
 *   @DIR@      the benchmark's directory; see parties.h for what lies in it
 *   @PORT@     where the server is to listen, on 127.0.0.1
 *   @BACKEND@  the port of the backend, on 127.0.0.1
 *   @MTLS@     in front of a line that counts only where clients show certificates
 *   @PLAIN@    in front of one that counts only where they do not
 *   @TICKETS@  in front of one that counts only where servers send what tickets they like
 *   @NONE@     in front of one that counts only where nobody sends any
 *   @ROOT@     in front of one that counts only where root runs the benchmark
 *
 * Pure functions.
 */
#ifndef KT_BENCH_FILL_H
#define KT_BENCH_FILL_H

#include <stdbool.h>
#include <stdint.h>

#include <ktrust/error.h>

struct kt_bench_values {
	const char *dir;
	uint16_t port, backend;
	bool mtls, root, tickets;
};

/*
 * The text with its places filled in, which the caller frees. where: for errors. -EINVAL: an @WORD@
 * that is none of these, in capitals.
 */
KT_WARN_UNUSED int kt_bench_fill(const char *text, const struct kt_bench_values *values,
				 const char *where, char **ret_text, struct kt_error *error);

#endif
