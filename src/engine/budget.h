/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many handshakes a worker has in flight, in all and from one address: what it refuses beyond
 * that costs it next to nothing.
 *
 * An address is an IPv4 address, also where it is mapped into IPv6, or the first 64 bits of an IPv6
 * one: a network that one customer gets whole (RFC 6177). The table has room for all that may be in
 * flight, is made once, and hashes under a secret key, so that nobody can choose what meets in it.
 *
 * Who took a place gives it back; nothing here knows for whom. Threads: the worker's own.
 */
#ifndef KTRUST_ENGINE_BUDGET_H
#define KTRUST_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ktrust/error.h>

#include "../verify/siphash.h"

#define KT_BUDGET_MAX 1000000u /* places at most */

struct kt_budget_row {
	uint64_t
		key[2]; /* IPv6, or IPv4-mapped; without its last 64 bits where they do not count */
	uint32_t count; /* in flight; 0: a free row */
};

struct kt_budget {
	struct kt_siphash_key secret;
	struct kt_budget_row *rows;
	uint32_t mask; /* rows less one, a power of two less one */
	uint32_t in_flight;
	uint32_t max;
	uint32_t address_max;
};

/* max: 1 to KT_BUDGET_MAX; address_max: from 1. -ENOMEM, or getrandom's errno. */
KT_WARN_UNUSED int kt_budget_init(struct kt_budget *budget, uint32_t max, uint32_t address_max,
				  struct kt_error *error);
/* Fine with zeros. */
void kt_budget_fini(struct kt_budget *budget);

/* False: there is no place. */
bool kt_budget_take(struct kt_budget *budget);
void kt_budget_give(struct kt_budget *budget);

/*
 * The same of an address of either family; only for who has a place already, so that there is a
 * row.
 */
bool kt_budget_take_address(struct kt_budget *budget, const struct sockaddr *address);
void kt_budget_give_address(struct kt_budget *budget, const struct sockaddr *address);

#endif
