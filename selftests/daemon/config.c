/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings: every one by flag, by file and by kt_config_set, and its default. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/daemon/options.h"

struct setting_case {
	const char *section; /* "origin": of a second listener, which is one */
	const char *key;
	const char *value;
};

static const struct setting_case full[] = {
	{"ktrust", "control", "/run/c.sock"},
	{"ktrust", "workers", "3"},
	{"ktrust", "ktls", "require"},
	{"ktrust", "handshake-timeout", "1500ms"},
	{"ktrust", "connect-timeout", "2s"},
	{"ktrust", "idle-timeout", "2h"},
	{"ktrust", "drain-timeout", "3m"},
	{"ktrust", "connections-max", "10000000"},
	{"ktrust", "handshakes-max", "1000000"},
	{"ktrust", "handshakes-max-per-address", "16"},
	{"ktrust", "state", "/var/lib/k"},
	{"ktrust", "start-from-state", "yes"},
	{"pool", "anchors-min", "20"},
	{"pool", "removed-max", "30"},
	{"pool", "manifest", "/m"},
	{"pool", "manifest-key", "/m.pub"},
	{"pool", "history", "0"},
	{"pool", "watch", "stage"},
	{"pool", "watch-debounce", "2s"},
	{"pool", "source", "file:/a.pem"},
	{"pool", "source", "file:/b with blank = and # sign.pem"},
	{"pool", "purpose", "any"},
	{"pool", "lenient", "yes"},
	{"pool", "crl-policy", "warn"},
	{"pool", "allow", "uri:spiffe://a.test/ns/*/web"},
	{"pool", "allow", "subject:O=A # B = C"},
	{"listener", "listen", "[::1]:8443"},
	{"listener", "backend", "unix:/run/b.sock"},
	{"listener", "backend", "127.0.0.1:8080"},
	{"listener", "proxy-protocol", "v2"},
	{"listener", "proxy-from", "10.0.0.0/8"},
	{"listener", "proxy-from", "::1"},
	{"listener", "certificate", "/c.pem"},
	{"listener", "key", "/k.pem"},
	{"listener", "ocsp", "/o b.der"},
	{"listener", "credentials", "/c2.pem /k2.pem"},
	{"listener", "credentials", "/c3.pem \t /k3.pem  /o3.der"},
	{"listener", "credentials-watch", "no"},
	{"listener", "alpn", "h2 , http/1.1"},
	{"listener", "client-auth", "optional"},
	{"listener", "client-pool", "clients"},
	{"listener", "client-pool-for", "a.test clients"},
	{"listener", "client-pool-for", "*.B.test \t clients"},
	{"listener", "ca-names", "off"},
	{"listener", "client-profile", "web"},
	{"origin", "listen", ":1"},
	{"origin", "mode", "origin"},
	{"origin", "target", "a.test:443"},
	{"origin", "target", "[::1]:444"},
	{"origin", "target-name", "b.test"},
	{"origin", "server-pool", "clients"},
	{"origin", "server-profile", "rfc5280"},
	{"origin", "proxy", "socks5://127.0.0.1:1080"},
	{"origin", "proxy-credentials", "/login"},
	{"ktrust", "verifier", "own"},
	{"ktrust", "verdicts-max", "0"},
	{"ktrust", "signatures-max", "16777216"},
	{"ktrust", "certificates-max", "0"},
	{"ktrust", "fast-keys-max", "0"},
	{"ktrust", "shortcuts", "no"},
};

/* What no listener has that has all of those. */
static const struct setting_case instead[] = {
	{"listener", "handoff", "unix:/run/app.sock"},
	{"listener", "handoff-user", "app"},
	{"listener", "handoff-queue", "0"},
};

#define INSTEAD (sizeof instead / sizeof instead[0])
#define FULL	(sizeof full / sizeof full[0])

static const char *kind_of(size_t i)
{
	return strcmp(full[i].section, "origin") ? full[i].section : "listener";
}

static const char *section_of(size_t i)
{
	if (!strcmp(full[i].section, "pool"))
		return "pool clients";
	if (!strcmp(full[i].section, "origin"))
		return "listener out";
	return strcmp(full[i].section, "listener") ? "ktrust" : "listener web";
}

static void expect_credentials(const struct kt_config_listener *listener)
{
	static const struct kt_config_credential wanted[] = {{"/c.pem", "/k.pem", "/o b.der"},
							     {"/c2.pem", "/k2.pem", NULL},
							     {"/c3.pem", "/k3.pem", "/o3.der"}};

	for (size_t i = 0; i < 3; i++) {
		const struct kt_config_credential *seen = kt_config_credential_at(listener, i);

		ASSERT_TRUE(seen);
		EXPECT_STREQ(wanted[i].certificate, seen->certificate);
		EXPECT_STREQ(wanted[i].key, seen->key);
		EXPECT_STREQ(wanted[i].ocsp ? wanted[i].ocsp : "", seen->ocsp ? seen->ocsp : "");
	}
	EXPECT_NULL(kt_config_credential_at(listener, 3));
	EXPECT_EQ(0, listener->watch_credentials);
	ASSERT_EQ(12, listener->alpn.len);
	EXPECT_EQ(0, memcmp("\x02h2\x08http/1.1", listener->alpn.list, 12));
}

static void expect_origin(const struct kt_config_listener *listener)
{
	EXPECT_STREQ("out", listener->name);
	EXPECT_STREQ(":1", listener->listen);
	EXPECT_EQ(KT_MODE_ORIGIN, listener->mode);
	ASSERT_EQ(2, listener->targets.count);
	EXPECT_STREQ("a.test:443", listener->targets.at[0]);
	EXPECT_STREQ("[::1]:444", listener->targets.at[1]);
	EXPECT_STREQ("b.test", listener->target_name);
	EXPECT_STREQ("clients", listener->server_pool);
	EXPECT_EQ(KT_PROFILE_RFC5280, listener->server_profile);
	EXPECT_STREQ("socks5://127.0.0.1:1080", listener->proxy);
	EXPECT_STREQ("/login", listener->proxy_credentials);
}

static void expect_full(const struct kt_config *config)
{
	const struct kt_config_listener *listener = &config->listeners[0];
	const struct kt_config_pool *pool = &config->pools[0];

	EXPECT_STREQ("/run/c.sock", config->control);
	EXPECT_EQ(3, config->workers);
	EXPECT_EQ(KT_KTLS_REQUIRE, config->ktls);
	EXPECT_EQ(1500, config->handshake_timeout_ms);
	EXPECT_EQ(2000, config->connect_timeout_ms);
	EXPECT_EQ(7200000, config->idle_timeout_ms);
	EXPECT_EQ(180000, config->drain_timeout_ms);
	EXPECT_EQ(10000000, config->connections_max);
	EXPECT_EQ(1000000, config->handshakes_max);
	EXPECT_EQ(16, config->handshakes_address_max);
	ASSERT_EQ(1, config->pool_count);
	EXPECT_STREQ("clients", pool->name);
	EXPECT_STREQ("/var/lib/k", config->state);
	EXPECT_EQ(1, config->start_from_state);
	EXPECT_EQ(20, pool->anchors_min);
	EXPECT_EQ(30, pool->removed_max);
	EXPECT_STREQ("/m", pool->manifest);
	EXPECT_STREQ("/m.pub", pool->manifest_key);
	EXPECT_EQ(0, pool->history);
	EXPECT_EQ(KT_WATCH_STAGE, pool->watch);
	EXPECT_EQ(2000, pool->watch_debounce_ms);
	ASSERT_EQ(2, pool->sources.count);
	EXPECT_STREQ("file:/a.pem", pool->sources.at[0]);
	EXPECT_STREQ("file:/b with blank = and # sign.pem", pool->sources.at[1]);
	EXPECT_EQ(KT_CONFIG_PURPOSE_ANY, pool->purpose);
	EXPECT_EQ(1, pool->lenient);
	EXPECT_EQ(KT_CRL_WARN, pool->crl_policy);
	ASSERT_EQ(2, pool->allow.count);
	EXPECT_STREQ("uri:spiffe://a.test/ns/*/web", pool->allow.at[0]);
	EXPECT_STREQ("subject:O=A # B = C", pool->allow.at[1]);
	ASSERT_EQ(2, config->listener_count);
	EXPECT_STREQ("web", listener->name);
	EXPECT_EQ(KT_MODE_SERVER, listener->mode);
	EXPECT_STREQ("[::1]:8443", listener->listen);
	ASSERT_EQ(2, listener->backends.count);
	EXPECT_STREQ("unix:/run/b.sock", listener->backends.at[0]);
	EXPECT_STREQ("127.0.0.1:8080", listener->backends.at[1]);
	EXPECT_EQ(KT_PROXY_V2, listener->proxy_protocol);
	ASSERT_EQ(2, listener->proxy_from.count);
	EXPECT_EQ(96 + 8, listener->proxy_from.at[0].bits);
	EXPECT_EQ(10, listener->proxy_from.at[0].addr[12]);
	EXPECT_EQ(128, listener->proxy_from.at[1].bits);
	EXPECT_EQ(1, listener->proxy_from.at[1].addr[15]);
	expect_origin(&config->listeners[1]);
	expect_credentials(listener);
	EXPECT_STREQ("clients", listener->pool);
	EXPECT_EQ(KT_CLIENT_AUTH_OPTIONAL, listener->client_auth);
	ASSERT_EQ(2, listener->names.count);
	EXPECT_STREQ("a.test", listener->names.at[0].pattern);
	EXPECT_STREQ("clients", listener->names.at[0].pool);
	EXPECT_STREQ("*.B.test", listener->names.at[1].pattern);
	EXPECT_STREQ("clients", listener->names.at[1].pool);
	EXPECT_EQ(KT_CA_NAMES_OFF, listener->ca_names);
	EXPECT_EQ(KT_PROFILE_WEB, listener->profile);
	EXPECT_EQ(KT_VERIFIER_OWN, config->verifier);
	EXPECT_EQ(0, config->verdicts_max);
	EXPECT_EQ(1u << 24, config->signatures_max);
	EXPECT_EQ(0, config->certificates_max);
	EXPECT_EQ(0, config->fast_keys_max);
	EXPECT_EQ(0, config->shortcuts);
}

TEST(the_cases_here_cover_every_setting)
{
	const struct kt_setting *setting;
	size_t settings = 0;

	for (; (setting = kt_config_setting(settings)); settings++) {
		bool found = false;

		for (size_t i = 0; i < FULL; i++)
			found |= !strcmp(kind_of(i), setting->section) &&
				 !strcmp(full[i].key, setting->key);
		for (size_t i = 0; i < INSTEAD; i++)
			found |= !strcmp(instead[i].section, setting->section) &&
				 !strcmp(instead[i].key, setting->key);
		EXPECT_TRUE(found)
		{
			TH_LOG("[%s] %s", setting->section, setting->key);
		}
		EXPECT_TRUE(setting->help[0] && setting->value[0]);
	}
	EXPECT_LT(0, settings);
}

TEST_F(config, every_setting_can_be_set)
{
	for (size_t i = 0; i < FULL; i++)
		EXPECT_EQ(0, set(self, section_of(i), full[i].key, full[i].value))
		{
			TH_LOG("%s: %s", full[i].key, self->error.text);
		}
	expect_full(self->config);
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
}

TEST_F(config, what_stands_instead_of_backends_can_be_set)
{
	const struct kt_config_listener *listener = &self->config->listeners[0];

	ASSERT_EQ(0, kt_config_add_section(self->config, "listener l", "here", 7, &self->error));
	EXPECT_EQ(128, listener->handoff_queue);
	for (size_t i = 0; i < INSTEAD; i++)
		ASSERT_EQ(0, set(self, "listener l", instead[i].key, instead[i].value));
	EXPECT_STREQ("unix:/run/app.sock", listener->handoff);
	EXPECT_STREQ("app", listener->handoff_user);
	EXPECT_EQ(0, listener->handoff_queue);
	EXPECT_EQ(-EINVAL, set(self, "listener l", "handoff-queue", "65537"));
}

static bool is_first_of_section(size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(section_of(i), section_of(index)))
			return false;
	return true;
}

/* The whole section that this setting is the first of. */
static void write_section(FILE *to, size_t first)
{
	fprintf(to, " [ %s ] \r\n", section_of(first));
	for (size_t i = first; i < FULL; i++)
		if (!strcmp(section_of(i), section_of(first)))
			fprintf(to, "\t%s=  %s \r\n", full[i].key, full[i].value);
}

TEST_F(config, every_setting_can_stand_in_a_file)
{
	char text[4096] = "";
	FILE *to = fmemopen(text, sizeof text, "w");

	ASSERT_TRUE(to);
	fputs("\n# a comment\n\t; another\n", to);
	for (size_t i = 0; i < FULL; i++)
		if (is_first_of_section(i))
			write_section(to, i);
	ASSERT_EQ(0, fclose(to));
	ASSERT_EQ(0, read_string(self, text))
	{
		TH_LOG("line %u: %s", self->error.line, self->error.text);
	}
	expect_full(self->config);
}

TEST_F(config, every_setting_has_a_flag)
{
	static char text[FULL][128];
	char *argv[FULL + 4] = {"ktrustd"};
	int argc = 1;
	bool check_only;

	for (size_t i = 0; i < FULL; i++) {
		bool of_pool = !strcmp(full[i].section, "pool");

		/* Of a pool, sources only; the rest is for the file. */
		if (of_pool && strcmp(full[i].key, "source")) {
			ASSERT_EQ(0, kt_config_set(self->config, "pool clients", full[i].key,
						   full[i].value, "", 0, &self->error));
			continue;
		}
		if (i && !strcmp(kind_of(i), "listener") &&
		    strcmp(section_of(i - 1), section_of(i)))
			argv[argc++] = strcmp(full[i].section, "origin") ? "--listener=web"
									 : "--listener=out";
		if (of_pool)
			snprintf(text[i], sizeof text[i], "--pool=clients=%s", full[i].value);
		else
			snprintf(text[i], sizeof text[i], "--%s=%s", full[i].key, full[i].value);
		argv[argc++] = text[i];
	}
	ASSERT_EQ(0, kt_options_parse(argc, argv, self->config, &check_only, &self->error))
	{
		TH_LOG("%s: %s", self->error.where, self->error.text);
	}
	EXPECT_FALSE(check_only);
	expect_full(self->config);
}

TEST_F(config, what_is_not_set_has_its_default)
{
	EXPECT_STREQ("/run/ktrust/control.sock", self->config->control);
	EXPECT_EQ(30000, self->config->drain_timeout_ms);
	EXPECT_EQ(KT_KTLS_AUTO, self->config->ktls);
	/* 0: the engine's own */
	EXPECT_EQ(0, self->config->workers);
	EXPECT_EQ(0, self->config->handshake_timeout_ms);
	EXPECT_EQ(0, self->config->connect_timeout_ms);
	EXPECT_EQ(65536, self->config->connections_max);
	EXPECT_EQ(0, self->config->handshakes_max);
	EXPECT_EQ(0, self->config->handshakes_address_max);
	ASSERT_EQ(0, set(self, "pool p", "source", "system"));
	EXPECT_EQ(KT_CONFIG_PURPOSE_SERVER, self->config->pools[0].purpose);
	EXPECT_EQ(0, self->config->pools[0].lenient);
	EXPECT_EQ(KT_CRL_REFUSE, self->config->pools[0].crl_policy);
	ASSERT_EQ(0, set(self, "listener l", "listen", ":1"));
	EXPECT_EQ(KT_CLIENT_AUTH_REQUIRE, self->config->listeners[0].client_auth);
	EXPECT_EQ(1, self->config->listeners[0].watch_credentials);
	EXPECT_NULL(self->config->listeners[0].alpn.list);
	EXPECT_EQ(KT_PROXY_OFF, self->config->listeners[0].proxy_protocol);
	EXPECT_EQ(0, self->config->listeners[0].proxy_from.count);
}

TEST_F(config, a_later_value_replaces_an_earlier_one)
{
	ASSERT_EQ(0, set(self, "listener l", "listen", ":1"));
	ASSERT_EQ(0, set(self, "listener   l", "listen", ":2"));
	EXPECT_EQ(1, self->config->listener_count);
	EXPECT_STREQ(":2", self->config->listeners[0].listen);
}

TEST_F(config, pool_flags_need_a_pool)
{
	char *argv[] = {"ktrustd", "--lenient=yes"};
	bool check_only;

	EXPECT_EQ(-EINVAL, kt_options_parse(2, argv, self->config, &check_only, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "of which pool?"));
}

TEST_F(config, flags_after_a_file_replace_what_it_says)
{
	char path[] = "/tmp/ktrust-config-XXXXXX", flag[64];
	char *argv[] = {"ktrustd", flag, "--workers=2", "--check"};
	int fd = mkstemp(path);
	bool check_only = false;

	ASSERT_LE(0, fd);
	ASSERT_EQ(21, write(fd, "[ktrust]\nworkers = 9\n", 21));
	close(fd);
	snprintf(flag, sizeof flag, "--config=%s", path);
	EXPECT_EQ(0, kt_options_parse(4, argv, self->config, &check_only, &self->error));
	unlink(path);
	EXPECT_EQ(2, self->config->workers);
	EXPECT_TRUE(check_only);
}

TEST_F(config, durations_have_units_and_a_limit)
{
	static const struct {
		const char *value;
		unsigned int ms;
	} good[] = {{"1ms", 1},		 {"86400000ms", 86400000}, {"86400s", 86400000},
		    {"1440m", 86400000}, {"24h", 86400000},	   {"007s", 7000}};
	static const char *const bad[] = {
		"",    "5",    "0s",	"-1s",	      "+1s",
		" 1s", "s",    "1 s",	"1sec",	      "1.5s",
		"25h", "0x1s", "1441m", "86400001ms", "99999999999999999999s"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		EXPECT_EQ(0, set(self, "ktrust", "drain-timeout", good[i].value));
		EXPECT_EQ(good[i].ms, self->config->drain_timeout_ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		EXPECT_EQ(-EINVAL, set(self, "ktrust", "drain-timeout", bad[i]))
		{
			TH_LOG("'%s'", bad[i]);
		}
		EXPECT_TRUE(strstr(self->error.text, "expected DURATION"));
	}
	EXPECT_EQ(7000, self->config->drain_timeout_ms);
}

TEST_HARNESS_MAIN
