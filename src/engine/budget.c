/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows by open addressing: a row lies where its hash says, or behind others without a gap. At most
 * half of them are taken, so that a search is short and ends.
 */
#include "budget.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint32_t rows_for(uint32_t max)
{
	uint32_t rows = 2;

	while (rows < 2 * max)
		rows *= 2;
	return rows;
}

int kt_budget_init(struct kt_budget *budget, uint32_t max, uint32_t address_max,
		   struct kt_error *error)
{
	uint32_t rows = rows_for(max);

	*budget = (struct kt_budget){.mask = rows - 1, .max = max, .address_max = address_max};
	if (getrandom(&budget->secret, sizeof budget->secret, 0) != sizeof budget->secret)
		return kt_error_set(error, errno, "engine", 0, "no random bytes: %s",
				    strerror(errno));
	budget->rows = calloc(rows, sizeof *budget->rows);
	if (!budget->rows)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	return 0;
}

void kt_budget_fini(struct kt_budget *budget)
{
	free(budget->rows);
	*budget = (struct kt_budget){0};
}

bool kt_budget_take(struct kt_budget *budget)
{
	if (budget->in_flight >= budget->max)
		return false;
	budget->in_flight++;
	return true;
}

void kt_budget_give(struct kt_budget *budget)
{
	budget->in_flight--;
}

/* ---- By address ------------------------------------------------------------------------------ */

static void make_key(const struct sockaddr *address, uint64_t ret_key[static 2])
{
	struct in6_addr in6 = IN6ADDR_ANY_INIT;

	if (address->sa_family == AF_INET6) {
		memcpy(&in6, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof in6);
		if (!IN6_IS_ADDR_V4MAPPED(&in6))
			memset(&in6.s6_addr[8], 0, 8);
	} else {
		in6.s6_addr[10] = in6.s6_addr[11] = 0xff;
		memcpy(&in6.s6_addr[12], &((const struct sockaddr_in *)address)->sin_addr, 4);
	}
	memcpy(ret_key, &in6, sizeof in6);
}

static uint32_t home_of(const struct kt_budget *budget, const uint64_t key[static 2])
{
	return (uint32_t)kt_siphash(&budget->secret, key, 2 * sizeof *key) & budget->mask;
}

/* The address's row, or the free one where it belongs. */
static uint32_t find(const struct kt_budget *budget, const uint64_t key[static 2])
{
	uint32_t i = home_of(budget, key);

	while (budget->rows[i].count &&
	       (budget->rows[i].key[0] != key[0] || budget->rows[i].key[1] != key[1]))
		i = (i + 1) & budget->mask;
	return i;
}

bool kt_budget_take_address(struct kt_budget *budget, const struct sockaddr *address)
{
	uint64_t key[2];
	struct kt_budget_row *row;

	make_key(address, key);
	row = &budget->rows[find(budget, key)];
	if (row->count >= budget->address_max)
		return false;
	memcpy(row->key, key, sizeof key);
	row->count++;
	return true;
}

/* Fill the gap from behind: whoever lies between its home and the gap would not be found else. */
static void close_gap(struct kt_budget *budget, uint32_t gap)
{
	uint32_t i = gap;

	while (budget->rows[i = (i + 1) & budget->mask].count) {
		uint32_t home = home_of(budget, budget->rows[i].key);

		if (((i - home) & budget->mask) < ((i - gap) & budget->mask))
			continue;
		budget->rows[gap] = budget->rows[i];
		budget->rows[i].count = 0;
		gap = i;
	}
}

void kt_budget_give_address(struct kt_budget *budget, const struct sockaddr *address)
{
	uint64_t key[2];
	uint32_t i;

	make_key(address, key);
	i = find(budget, key);
	if (budget->rows[i].count && !--budget->rows[i].count)
		close_gap(budget, i);
}
