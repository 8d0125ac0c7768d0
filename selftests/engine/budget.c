/* SPDX-License-Identifier: BSD-2-Clause */
/* Places for handshakes: how many there are, whose they are, and that each comes back. */
#include "../../src/engine/budget.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../harness.h"

FIXTURE(budget)
{
	struct kt_budget budget;
};

FIXTURE_SETUP(budget)
{
	struct kt_error error;

	ASSERT_EQ(0, kt_budget_init(&self->budget, 64, 3, &error));
}

FIXTURE_TEARDOWN(budget)
{
	kt_budget_fini(&self->budget);
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union address address_of(const char *text)
{
	union address made = {.sa.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET};

	ASSERT_EQ(1, inet_pton(made.sa.sa_family, text,
			       made.sa.sa_family == AF_INET6 ? (void *)&made.in6.sin6_addr
							     : (void *)&made.in.sin_addr));
	return made;
}

static bool take(FIXTURE_DATA(budget) * self, const char *text)
{
	const union address address = address_of(text);

	return kt_budget_take_address(&self->budget, &address.sa);
}

static void give(FIXTURE_DATA(budget) * self, const char *text)
{
	const union address address = address_of(text);

	kt_budget_give_address(&self->budget, &address.sa);
}

TEST_F(budget, ends_at_its_limit)
{
	for (int i = 0; i < 64; i++)
		ASSERT_TRUE(kt_budget_take(&self->budget));
	EXPECT_FALSE(kt_budget_take(&self->budget));
	kt_budget_give(&self->budget);
	EXPECT_TRUE(kt_budget_take(&self->budget));
	EXPECT_FALSE(kt_budget_take(&self->budget));
}

TEST_F(budget, of_an_address_is_its_own)
{
	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(take(self, "192.0.2.1"));
	EXPECT_FALSE(take(self, "192.0.2.1"));
	EXPECT_TRUE(take(self, "192.0.2.2"));
	give(self, "192.0.2.1");
	EXPECT_TRUE(take(self, "192.0.2.1"));
	EXPECT_FALSE(take(self, "192.0.2.1"));
}

TEST_F(budget, of_ipv6_is_a_networks_of_64_bits)
{
	EXPECT_TRUE(take(self, "2001:db8:0:1::1"));
	EXPECT_TRUE(take(self, "2001:db8:0:1:ffff::"));
	EXPECT_TRUE(take(self, "2001:db8:0:1::3"));
	EXPECT_FALSE(take(self, "2001:db8:0:1::4"));
	EXPECT_TRUE(take(self, "2001:db8:0:2::1"));
}

/* A socket of both families shows IPv4 clients in this form: not all of them as one. */
TEST_F(budget, of_mapped_ipv4_is_the_ipv4_addresses)
{
	EXPECT_TRUE(take(self, "::ffff:192.0.2.1"));
	EXPECT_TRUE(take(self, "192.0.2.1"));
	EXPECT_TRUE(take(self, "::ffff:192.0.2.1"));
	EXPECT_FALSE(take(self, "192.0.2.1"));
	EXPECT_TRUE(take(self, "::ffff:192.0.2.2"));
}

/* Against an array that cannot err: every address has what it took, in whatever order it comes and
 * goes. */
TEST_F(budget, stays_exact_through_many_comings_and_goings)
{
	enum { ADDRESSES = 48, TURNS = 200000 };
	unsigned int counts[ADDRESSES] = {0}, all = 0;
	uint32_t random = 1, rows = 0;

	for (int turn = 0; turn < TURNS; turn++) {
		union address address = {.sa.sa_family = AF_INET};
		unsigned int i;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % ADDRESSES;
		address.in.sin_addr.s_addr = htonl(0xc0000200 + i);
		if (random >> 31 && counts[i]) {
			kt_budget_give_address(&self->budget, &address.sa);
			counts[i]--;
			all--;
		} else if (all < 64) {
			bool taken = kt_budget_take_address(&self->budget, &address.sa);

			ASSERT_EQ(counts[i] < 3, taken);
			counts[i] += taken;
			all += taken;
		}
	}
	for (unsigned int i = 0; i < ADDRESSES; i++) {
		union address address = {.in.sin_family = AF_INET,
					 .in.sin_addr.s_addr = htonl(0xc0000200 + i)};

		while (counts[i]--)
			kt_budget_give_address(&self->budget, &address.sa);
	}
	for (uint32_t i = 0; i <= self->budget.mask; i++)
		rows += self->budget.rows[i].count != 0;
	EXPECT_EQ(0, rows);
}

TEST_HARNESS_MAIN
