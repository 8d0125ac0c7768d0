/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that do not start: which are left out, and which end the run. */
#include "../harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../src/bench/interrupt.h"
#include "../../src/bench/scratch.h"
#include "../../src/bench/sides.h"

#define NGINX	KT_BENCH_FIRST_PEER
#define HAPROXY (KT_BENCH_FIRST_PEER + 1)

FIXTURE(sides)
{
	struct kt_bench_scratch scratch;
	struct kt_bench_found found;
	struct kt_bench_values values;
	struct kt_bench_server server;
	struct kt_error error;
};

/* The program is a script that the tests write; settings are looked for beside it. */
FIXTURE_SETUP(sides)
{
	ASSERT_EQ(0, kt_bench_scratch_make(&self->scratch, NULL));
	snprintf(self->found.program, sizeof self->found.program, "%s/program", self->scratch.path);
	snprintf(self->found.peers, sizeof self->found.peers, "%s", self->scratch.path);
	self->values.dir = self->scratch.path;
	ASSERT_EQ(0, kt_bench_free_port(&self->values.port, NULL));
	for (size_t i = 0; i < 3; i++)
		ASSERT_EQ(0, kt_bench_scratch_write(&self->scratch,
						    (const char *const[]){"nginx.conf.in",
									  "haproxy.cfg.in",
									  "openssl.cnf.in"}[i],
						    "# @PORT@\n", NULL));
	kt_bench_interrupt_begin();
}

FIXTURE_TEARDOWN(sides)
{
	kt_bench_interrupt_end();
	kt_bench_server_stop(&self->server);
	kt_bench_scratch_remove(&self->scratch);
}

/* What starting a side ends with whose program says that. */
static int start(FIXTURE_DATA(sides) * self, size_t side, const char *words)
{
	char script[1024];

	snprintf(script, sizeof script, "#!/bin/sh\ncat >&2 <<'END'\n%s\nEND\nexit 1\n", words);
	if (kt_bench_scratch_write(&self->scratch, "program", script, NULL) ||
	    chmod(self->found.program, 0700))
		return -EIO;
	return kt_bench_side_start(side, &self->found, &self->scratch, &self->values, -1,
				   &self->server, &self->error);
}

TEST_F(sides, an_nginx_without_its_stream_module_is_left_out)
{
	self->found.named = true;
	EXPECT_EQ(-ENOTSUP, start(self, NGINX,
				  "2026/11/28 01:54:31 [emerg] 21616#21616: unknown directive "
				  "\"stream\" in /tmp/nginx.conf:15"));
	EXPECT_NE(NULL, strstr(self->found.note, "it has no stream module"));
	EXPECT_NE(NULL, strstr(self->found.note, "libnginx-mod-stream"));
	EXPECT_EQ(0, self->server.pid);
}

TEST_F(sides, a_haproxy_without_openssl_is_left_out)
{
	self->found.named = true;
	EXPECT_EQ(-ENOTSUP,
		  start(self, HAPROXY,
			"[NOTICE]   (1) : haproxy version is 2.6.12\n"
			"[ALERT]    (1) : config : parsing [/tmp/haproxy.cfg:6] : unknown "
			"keyword 'tune.ssl.cachesize' in 'global' section\n"
			"[ALERT]    (1) : config : Fatal errors found in configuration."));
	EXPECT_NE(NULL, strstr(self->found.note, "it is built without OpenSSL"));
}

TEST_F(sides, settings_of_the_user_that_are_refused_are_an_error)
{
	self->found.named = true;
	EXPECT_EQ(-ECHILD, start(self, NGINX, "no such setting"));
	EXPECT_STREQ("nginx", self->error.where);
	EXPECT_NE(NULL, strstr(self->error.text, "it said: no such setting"));
	EXPECT_STREQ("", self->found.note);
}

TEST_F(sides, settings_beside_the_program_that_are_refused_leave_the_peer_out)
{
	EXPECT_EQ(-ENOTSUP, start(self, NGINX, "no such setting"));
	EXPECT_STREQ("ended before it accepted, with status 1; it said: no such setting",
		     self->found.note);
}

/* Without ours, and stock, there is nothing to compare. */
TEST_F(sides, ours_is_never_left_out)
{
	EXPECT_EQ(-ECHILD, start(self, KT_BENCH_OURS, "unknown directive \"stream\""));
	EXPECT_STREQ("ours", self->error.where);
}

TEST_HARNESS_MAIN
