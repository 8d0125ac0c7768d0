/* SPDX-License-Identifier: BSD-2-Clause */
#include "../../src/trace/ends.h"

#include "../harness.h"

FIXTURE(ends)
{
	struct kt_trace_ends *ends;
};

FIXTURE_SETUP(ends)
{
	self->ends = kt_trace_ends_new();
	ASSERT_TRUE(self->ends);
}

FIXTURE_TEARDOWN(ends)
{
	kt_trace_ends_free(self->ends);
}

static void hold(struct kt_trace_ends *ends, uint32_t pid, uint64_t conn, uint64_t due_ns)
{
	struct kt_event_socket_end event = {.header.pid = pid, .conn.conn = conn};

	kt_trace_ends_hold(ends, &event, due_ns);
}

/* 0: none is due. */
static uint64_t due(struct kt_trace_ends *ends, uint64_t now_ns)
{
	const struct kt_event_socket_end *event = kt_trace_ends_due(ends, now_ns);

	return event ? event->conn.conn : 0;
}

TEST_F(ends, a_connection_nobody_held_is_shown)
{
	EXPECT_TRUE(kt_trace_ends_claim(self->ends, 1, 1));
}

TEST_F(ends, the_kernels_report_waits_for_its_time)
{
	hold(self->ends, 1, 7, 100);
	EXPECT_EQ(0, due(self->ends, 99));
	EXPECT_EQ(7, due(self->ends, 100));
	EXPECT_EQ(0, due(self->ends, 1000));
}

TEST_F(ends, the_programs_report_replaces_one_that_is_held)
{
	hold(self->ends, 1, 7, 100);
	EXPECT_TRUE(kt_trace_ends_claim(self->ends, 1, 7));
	EXPECT_EQ(0, due(self->ends, UINT64_MAX));
}

TEST_F(ends, the_programs_report_is_dropped_after_the_kernels_was_shown)
{
	hold(self->ends, 1, 7, 100);
	EXPECT_EQ(7, due(self->ends, 100));
	EXPECT_FALSE(kt_trace_ends_claim(self->ends, 1, 7));
}

TEST_F(ends, connections_of_one_number_in_two_processes_are_two)
{
	hold(self->ends, 1, 7, 100);
	EXPECT_TRUE(kt_trace_ends_claim(self->ends, 2, 7));
	EXPECT_EQ(7, due(self->ends, 100));
}

TEST_F(ends, a_claimed_one_does_not_hide_those_behind_it)
{
	hold(self->ends, 1, 7, 100);
	hold(self->ends, 1, 8, 101);
	EXPECT_TRUE(kt_trace_ends_claim(self->ends, 1, 7));
	EXPECT_EQ(8, due(self->ends, 101));
}

TEST_F(ends, a_pid_used_again_loses_no_report)
{
	hold(self->ends, 1, 7, 100);
	hold(self->ends, 1, 7, 200);
	EXPECT_EQ(7, due(self->ends, 100));
	EXPECT_EQ(7, due(self->ends, 200));
	EXPECT_FALSE(kt_trace_ends_claim(self->ends, 1, 7));
	EXPECT_FALSE(kt_trace_ends_claim(self->ends, 1, 7));
	EXPECT_TRUE(kt_trace_ends_claim(self->ends, 1, 7));
}

TEST_F(ends, a_full_ring_gives_its_oldest)
{
	for (uint64_t conn = 1; conn <= KT_TRACE_ENDS; conn++) {
		ASSERT_FALSE(kt_trace_ends_full(self->ends));
		hold(self->ends, 1, conn, UINT64_MAX);
	}
	EXPECT_TRUE(kt_trace_ends_full(self->ends));
	EXPECT_EQ(1, due(self->ends, UINT64_MAX));
	EXPECT_FALSE(kt_trace_ends_full(self->ends));
}

TEST_F(ends, those_shown_long_ago_are_forgotten_oldest_first)
{
	const uint64_t more = 100;

	for (uint64_t conn = 1; conn <= KT_TRACE_ENDS + more; conn++) {
		hold(self->ends, 1, conn, 0);
		ASSERT_EQ(conn, due(self->ends, 0));
	}
	for (uint64_t conn = 1; conn <= KT_TRACE_ENDS + more; conn++)
		EXPECT_EQ(conn <= more, kt_trace_ends_claim(self->ends, 1, conn));
}

/* Against a twin that keeps a state for each connection in an array and looks at all of them. */
TEST_F(ends, agrees_with_a_naive_twin_over_many_steps)
{
	enum { CONNS = 512, STEPS = 200000 };
	static struct {
		enum { NONE, HELD, SHOWN } state;
		uint64_t due_ns;
	} twin[CONNS + 1];
	uint64_t now_ns = 1, random = 88172645463325252u;

	for (int step = 0; step < STEPS; step++, now_ns++) {
		uint64_t conn, shown;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		conn = 1 + (random >> 8) % CONNS;
		if (random % 2 && twin[conn].state == NONE) {
			hold(self->ends, 9, conn, now_ns + 50);
			twin[conn].state = HELD;
			twin[conn].due_ns = now_ns + 50;
		} else if (twin[conn].state != NONE) {
			ASSERT_EQ(twin[conn].state == HELD,
				  kt_trace_ends_claim(self->ends, 9, conn));
			twin[conn].state = NONE;
		}
		while ((shown = due(self->ends, now_ns))) {
			ASSERT_EQ(HELD, twin[shown].state);
			ASSERT_LE(twin[shown].due_ns, now_ns);
			twin[shown].state = SHOWN;
		}
		for (int i = 1; i <= CONNS && step % 100 == 0; i++)
			ASSERT_FALSE(twin[i].state == HELD && twin[i].due_ns <= now_ns);
	}
}

TEST_HARNESS_MAIN
