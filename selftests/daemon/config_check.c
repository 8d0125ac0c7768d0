/* SPDX-License-Identifier: BSD-2-Clause */
/* What must fit together: listeners, origins, pools, and what vouches for whom. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>

static void set_up_listener(FIXTURE_DATA(config) * self)
{
	ASSERT_EQ(0, read_string(self, "[pool p]\nsource = file:p\n"
				       "[listener l]\nlisten = :1\nbackend = :2\n"
				       "certificate = c\nkey = k\nclient-pool = p\n"));
}

static void expect_unfit(FIXTURE_DATA(config) * self, const char *where, const char *text)
{
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_STREQ(where, self->error.where);
	EXPECT_TRUE(strstr(self->error.text, text))
	{
		TH_LOG("%s", self->error.text);
	}
}

TEST_F(config, what_fits_together_passes)
{
	set_up_listener(self);
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
}

TEST_F(config, a_listener_is_needed)
{
	expect_unfit(self, "configuration", "no listener");
}

TEST_F(config, a_listener_is_complete)
{
	struct kt_config_listener *listener = &self->config->listeners[0];
	char **const fields[] = {&listener->listen, &listener->own.certificate, &listener->own.key};
	static const char *const names[] = {"'listen'", "'certificate'", "'key'"};

	set_up_listener(self);
	for (size_t i = 0; i < 3; i++) {
		char *kept = *fields[i];

		*fields[i] = NULL;
		expect_unfit(self, "l", names[i]);
		*fields[i] = kept;
	}
	ASSERT_EQ(0, set(self, "listener l", "listen", "unix:/run/l.sock"));
	expect_unfit(self, "l", "no HOST:PORT");
}

TEST_F(config, credentials_are_needed_and_may_be_all_in_lines_of_their_own)
{
	ASSERT_EQ(0, read_string(self, "[listener l]\nlisten = :1\nbackend = :2\n"
				       "client-auth = none\n"));
	expect_unfit(self, "l", "no 'certificate' and 'key', nor 'credentials'");
	ASSERT_EQ(0, set(self, "listener l", "ocsp", "o"));
	expect_unfit(self, "l", "no 'certificate'");
	ASSERT_EQ(0, read_string(self, "[listener m]\nlisten = :1\nbackend = :2\n"
				       "client-auth = none\ncredentials = c k\n"));
	ASSERT_EQ(0, set(self, "listener l", "certificate", "c"));
	ASSERT_EQ(0, set(self, "listener l", "key", "k"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	for (size_t i = 0; i < KT_CREDENTIALS_MAX - 1; i++)
		ASSERT_EQ(0, set(self, "listener l", "credentials", "c k"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "credentials", "c k"));
	expect_unfit(self, "l", "more than 1024");
}

TEST_F(config, backends_have_a_limit)
{
	EXPECT_EQ(0, set(self, "listener l", "listen", ":1"));
	EXPECT_EQ(0, set(self, "listener l", "certificate", "/c"));
	EXPECT_EQ(0, set(self, "listener l", "key", "/k"));
	EXPECT_EQ(0, set(self, "listener l", "client-auth", "none"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "no 'backend'"));
	for (int i = 0; i < KT_BACKENDS_MAX; i++)
		ASSERT_EQ(0, set(self, "listener l", "backend", ":2"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "backend", ":2"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "9 backends (at most 8"));
}

TEST_F(config, handoff_stands_alone)
{
	EXPECT_EQ(0, set(self, "listener l", "listen", ":1"));
	EXPECT_EQ(0, set(self, "listener l", "certificate", "/c"));
	EXPECT_EQ(0, set(self, "listener l", "key", "/k"));
	EXPECT_EQ(0, set(self, "listener l", "client-auth", "none"));
	ASSERT_EQ(0, set(self, "listener l", "handoff-user", "app"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "a handoff-user but no 'handoff'"));
	ASSERT_EQ(0, set(self, "listener l", "handoff", "127.0.0.1:1"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "no unix:PATH"));
	ASSERT_EQ(0, set(self, "listener l", "handoff", "unix:/run/app.sock"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "ktrust", "ktls", "off"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "needs kTLS"));
	ASSERT_EQ(0, set(self, "ktrust", "ktls", "auto"));
	ASSERT_EQ(0, set(self, "listener l", "proxy-protocol", "v2"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "for backends"));
	ASSERT_EQ(0, set(self, "listener l", "proxy-protocol", "off"));
	ASSERT_EQ(0, set(self, "listener l", "backend", ":2"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "drop one of the two"));
}

/* ---- Origins --------------------------------------------------------------------------------- */

static void set_up_origin(FIXTURE_DATA(config) * self)
{
	ASSERT_EQ(0, read_string(self, "[pool p]\nsource = file:p\n[pool s]\nsource = system\n"
				       "[listener l]\nmode = origin\nlisten = :1\n"
				       "target = a.test:443\nserver-pool = s\n"));
}

/* Also with roots for servers: nobody verifies clients by them. */
TEST_F(config, origin_that_fits_together_passes)
{
	set_up_origin(self);
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "credentials", "c k"));
	ASSERT_EQ(0, set(self, "listener l", "proxy", "http://proxy.test:3128"));
	ASSERT_EQ(0, set(self, "listener l", "proxy-credentials", "/login"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
}

TEST_F(config, origin_has_nothing_of_a_server)
{
	static const char *const settings[][2] = {
		{"backend", ":2"},     {"client-pool", "p"},	 {"client-pool-for", "a.test p"},
		{"proxy-from", "::1"}, {"proxy-protocol", "v2"}, {"ocsp", "o"},
	};

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		kt_config_free(self->config);
		self->config = kt_config_new();
		set_up_origin(self);
		ASSERT_EQ(0, set(self, "listener l", settings[i][0], settings[i][1]));
		expect_unfit(self, "l", "not for mode = origin");
	}
}

TEST_F(config, server_has_nothing_of_an_origin)
{
	static const char *const settings[][2] = {
		{"target", "a.test:1"},	 {"target-name", "a.test"},  {"server-pool", "p"},
		{"proxy", "http://h:1"}, {"proxy-credentials", "f"},
	};

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		kt_config_free(self->config);
		self->config = kt_config_new();
		set_up_listener(self);
		ASSERT_EQ(0, set(self, "listener l", settings[i][0], settings[i][1]));
		expect_unfit(self, "l", "for mode = origin");
	}
}

TEST_F(config, origin_has_one_certificate_at_most)
{
	set_up_origin(self);
	ASSERT_EQ(0, set(self, "listener l", "certificate", "c"));
	expect_unfit(self, "l", "belong together");
	ASSERT_EQ(0, set(self, "listener l", "key", "k"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "credentials", "c k"));
	expect_unfit(self, "l", "one certificate at most");
}

TEST_F(config, targets_have_a_limit_and_a_port)
{
	set_up_origin(self);
	for (size_t i = 1; i < KT_BACKENDS_MAX; i++)
		ASSERT_EQ(0, set(self, "listener l", "target", "b.test:1"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "target", "b.test:1"));
	expect_unfit(self, "l", "at most 8");
	self->config->listeners[0].targets.count--;
	free(self->config->listeners[0].targets.at[KT_BACKENDS_MAX]);
	strcpy(self->config->listeners[0].targets.at[1], "b.test:0");
	expect_unfit(self, "b.test:0", "other than 0");
}

TEST_F(config, login_of_a_proxy_is_not_in_the_settings_nor_in_errors)
{
	set_up_origin(self);
	ASSERT_EQ(0, set(self, "listener l", "proxy", "http://user:secret@h:1"));
	expect_unfit(self, "l", "proxy-credentials");
	EXPECT_NULL(strstr(self->error.text, "secret"));
	ASSERT_EQ(0, set(self, "listener l", "proxy", "http://user:secret@h"));
	expect_unfit(self, "l", "HOST:PORT");
	EXPECT_NULL(strstr(self->error.text, "secret"));
}

TEST_F(config, a_pool_has_a_source)
{
	set_up_listener(self);
	ASSERT_EQ(0, kt_config_add_section(self->config, "pool empty", "x", 0, &self->error));
	expect_unfit(self, "empty", "no source");
}

TEST_F(config, client_auth_and_pool_go_together)
{
	set_up_listener(self);
	ASSERT_EQ(0, set(self, "listener l", "client-auth", "none"));
	expect_unfit(self, "l", "would never ask it");
	ASSERT_EQ(0, set(self, "listener l", "client-auth", "optional"));
	ASSERT_EQ(0, set(self, "listener l", "client-pool", "q"));
	expect_unfit(self, "l", "'q': there is no such pool");
	free(self->config->listeners[0].pool);
	self->config->listeners[0].pool = NULL;
	expect_unfit(self, "l", "has no client-pool");
	ASSERT_EQ(0, set(self, "listener l", "client-auth", "none"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "a.test p"));
	expect_unfit(self, "l", "would never ask it");
}

TEST_F(config, names_have_pools_that_exist)
{
	set_up_listener(self);
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "a.test p"));
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "*.a.test p"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "b.test q"));
	expect_unfit(self, "l", "client-pool-for b.test: there is no pool 'q'");
}

TEST_F(config, names_are_no_substitute_for_the_default_pool)
{
	set_up_listener(self);
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "a.test p"));
	free(self->config->listeners[0].pool);
	self->config->listeners[0].pool = NULL;
	expect_unfit(self, "l", "has no client-pool");
}

TEST_F(config, a_name_has_one_pool)
{
	set_up_listener(self);
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "*.a.test p"));
	ASSERT_EQ(0, set(self, "listener l", "client-pool-for", "*.A.test p"));
	expect_unfit(self, "l", "client-pool-for *.A.test is there twice");
}

/* ---- Roots for verifying servers ------------------------------------------------------------- */

TEST_F(config, clients_are_not_verified_by_roots_for_servers_unless_any_says_so)
{
	static const char *const words[] = {"system", "embedded", "certdata:/c.txt"};
	const struct kt_config_pool *pool = &self->config->pools[0];

	set_up_listener(self);
	ASSERT_EQ(0, set(self, "pool p", "source", "dir:/d"));
	ASSERT_EQ(0, set(self, "pool p", "source", "crl:/c"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	for (size_t i = 0; i < 3; i++)
		EXPECT_EQ(-EINVAL,
			  kt_config_check_source(self->config, pool, words[i], &self->error));
	ASSERT_EQ(0, set(self, "pool p", "source", "system"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_STREQ("p", self->error.where);
	EXPECT_TRUE(strstr(self->error.text, "set purpose = any in [pool p]"));
	ASSERT_EQ(0, set(self, "pool p", "purpose", "any"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	/* A pool that verifies no clients may have what it likes. */
	ASSERT_EQ(0, set(self, "pool upstream", "source", "system"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
}

TEST_HARNESS_MAIN
