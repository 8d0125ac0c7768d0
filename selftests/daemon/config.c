/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings: every one by flag, by file and by kt_config_set; every refusal with its place. */
#include "../../src/daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/daemon/options.h"
#include "../harness.h"

FIXTURE(config)
{
	struct kt_config *config;
	struct kt_error error;
};

FIXTURE_SETUP(config)
{
	self->config = kt_config_new();
	ASSERT_TRUE(self->config);
}

FIXTURE_TEARDOWN(config)
{
	kt_config_free(self->config);
}

static int set(FIXTURE_DATA(config) * self, const char *section, const char *key, const char *value)
{
	memset(&self->error, 0, sizeof self->error);
	return kt_config_set(self->config, section, key, value, "here", 7, &self->error);
}

static int read_text(FIXTURE_DATA(config) * self, const char *text, size_t len)
{
	FILE *file = fmemopen((void *)text, len, "r");
	int err;

	ASSERT_TRUE(file);
	memset(&self->error, 0, sizeof self->error);
	err = kt_config_read_file(self->config, file, "here", &self->error);
	fclose(file);
	return err;
}

static int read_string(FIXTURE_DATA(config) * self, const char *text)
{
	return read_text(self, text, strlen(text));
}

/* ---- Every setting --------------------------------------------------------------------------- */

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
#define FULL (sizeof full / sizeof full[0])

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

TEST_F(config, every_setting_can_stand_in_a_file)
{
	char text[4096] = "\n# a comment\n\t; another\n";
	const char *section = "";

	for (size_t i = 0; i < FULL; i++) {
		size_t used = strlen(text);

		if (strcmp(section, section_of(i)))
			used += (size_t)snprintf(text + used, sizeof text - used, " [ %s ] \r\n",
						 section_of(i));
		section = section_of(i);
		snprintf(text + used, sizeof text - used, "\t%s=  %s \r\n", full[i].key,
			 full[i].value);
	}
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

/* ---- Refusals -------------------------------------------------------------------------------- */

TEST_F(config, bad_values_are_refused_and_change_nothing)
{
	static const struct {
		const char *section, *key, *value, *text;
	} cases[] = {
		{"ktrust", "workers", "0", "workers = 0: expected N"},
		{"ktrust", "workers", "1025", "expected N"},
		{"ktrust", "workers", "two", "expected N"},
		{"ktrust", "workers", "-2", "expected N"},
		{"ktrust", "workers", "2x", "expected N"},
		{"ktrust", "workers", "99999999999999999999999", "expected N"},
		{"ktrust", "workers", "", "expected N"},
		{"ktrust", "connections-max", "0", "expected N"},
		{"ktrust", "handshakes-max", "1000001", "expected N"},
		{"ktrust", "handshakes-max-per-address", "0", "expected N"},
		{"ktrust", "ktls", "yes", "ktls = yes: expected auto|require|off"},
		{"ktrust", "control", "", "expected PATH"},
		{"listener l", "client-auth", "no", "expected none|optional|require"},
		{"listener l", "listen", "", "expected ADDRESS"},
		{"pool p", "source", "", "expected SOURCE"},
		{"listener l", "ca-names", "yes", "ca-names = yes: expected auto|off"},
		{"listener l", "client-pool-for", "", "expected NAME POOL"},
		{"listener l", "client-pool-for", "a.test", "expected NAME POOL"},
		{"listener l", "client-pool-for", "a.test ", "expected NAME POOL"},
		{"listener l", "client-pool-for", "a.test p q", "expected NAME POOL"},
		{"listener l", "client-pool-for", " a.test p", "expected NAME POOL"},
		{"listener l", "client-pool-for", "*a.test p", "expected NAME POOL"},
		{"listener l", "client-pool-for", "* p", "expected NAME POOL"},
		{"listener l", "client-pool-for", "a.*.test p", "expected NAME POOL"},
		{"listener l", "client-pool-for", "a.test. p", "expected NAME POOL"},
		{"listener l", "credentials", "", "expected CHAIN KEY [OCSP]"},
		{"listener l", "credentials", "c.pem", "expected CHAIN KEY [OCSP]"},
		{"listener l", "credentials", "c.pem k.pem o.der more",
		 "expected CHAIN KEY [OCSP]"},
		{"listener l", "credentials-watch", "1", "expected yes|no"},
		{"listener l", "alpn", "", "expected NAME"},
		{"listener l", "alpn", "h2,", "expected NAME"},
		{"listener l", "alpn", ",h2", "expected NAME"},
		{"listener l", "alpn", "h2, ,h3", "expected NAME"},
		{"listener l", "alpn", "h2 http/1.1", "commas between"},
		{"listener l", "alpn", "h2,http\t1.1", "commas between"},
		{"pool p", "purpose", "client", "expected server|any"},
		{"pool p", "lenient", "1", "expected no|yes"},
		{"pool p", "crl-policy", "", "expected refuse|warn"},
		{"pool p", "allow", "", "allow = : not a rule (write dns:NAME"},
		{"pool p", "allow", "web.test", "allow = web.test: not a rule (write dns:NAME"},
		{"pool p", "allow", "dns:a.*.test", "allow = dns:a.*.test: a '*' that is not"},
		{"ktrust", "worker", "1", "[ktrust] has no setting 'worker'"},
		{"ktrust", "source", "file:x", "[ktrust] has no setting 'source'"},
		{"pool p", "listen", ":1", "[pool] has no setting 'listen'"},
		{"listener l", "workers", "1", "[listener] has no setting 'workers'"},
	};

	ASSERT_EQ(0, set(self, "ktrust", "workers", "5"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		EXPECT_EQ(-EINVAL, set(self, cases[i].section, cases[i].key, cases[i].value));
		EXPECT_TRUE(strstr(self->error.text, cases[i].text))
		{
			TH_LOG("%s", self->error.text);
		}
		EXPECT_STREQ("here", self->error.where);
		EXPECT_EQ(7, self->error.line);
	}
	EXPECT_EQ(5, self->config->workers);
	EXPECT_EQ(0, self->config->pools[0].sources.count);
	EXPECT_EQ(0, self->config->pools[0].allow.count);
	EXPECT_EQ(0, self->config->listeners[0].names.count);
	EXPECT_EQ(0, self->config->listeners[0].more.count);
	EXPECT_NULL(self->config->listeners[0].alpn.list);
}

TEST_F(config, names_of_protocols_are_short)
{
	char name[258] = "";

	memset(name, 'a', 255);
	EXPECT_EQ(0, set(self, "listener l", "alpn", name));
	EXPECT_EQ(256, self->config->listeners[0].alpn.len);
	name[255] = 'a';
	EXPECT_EQ(-EINVAL, set(self, "listener l", "alpn", name));
	EXPECT_EQ(0, set(self, "listener l", "alpn", "h3"));
	EXPECT_EQ(3, self->config->listeners[0].alpn.len);
}

TEST_F(config, sections_that_are_none_are_refused)
{
	static const struct {
		const char *section, *text;
	} cases[] = {
		{"", "no such section"},
		{"server", "[server]: no such section"},
		{"ktrust x", "no such section"},
		{"pools", "no such section"},
		{"listener", "a name is"},
		{"listener ", "a name is"},
		{"pool", "a name is"},
		{"pool a b", "a name is"},
		{"pool .a", "a name is"},
		{"listener -a", "a name is"},
		{"listener \xff", "a name is"},
		{"listener 0123456789012345678901234567890_", "a name is"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		EXPECT_EQ(-EINVAL, kt_config_add_section(self->config, cases[i].section, "here", 7,
							 &self->error));
		EXPECT_TRUE(strstr(self->error.text, cases[i].text))
		{
			TH_LOG("'%s': %s", cases[i].section, self->error.text);
		}
		EXPECT_EQ(7, self->error.line);
	}
	EXPECT_EQ(0, self->config->pool_count + self->config->listener_count);
}

TEST_F(config, too_many_sections_are_refused)
{
	static const char *const kinds[] = {"pool", "listener"};
	char section[64];

	for (size_t k = 0; k < 2; k++) {
		for (unsigned int i = 0; i <= 64; i++) {
			snprintf(section, sizeof section, "%s n%u", kinds[k], i);
			EXPECT_EQ(i < 64 ? 0 : -E2BIG,
				  kt_config_add_section(self->config, section, "here", 1,
							&self->error));
		}
		EXPECT_TRUE(strstr(self->error.text, "at most 64"));
	}
}

TEST_F(config, allow_rules_have_a_limit)
{
	EXPECT_EQ(0, set(self, "listener l", "listen", ":1"));
	EXPECT_EQ(0, set(self, "listener l", "backend", ":2"));
	EXPECT_EQ(0, set(self, "listener l", "certificate", "/c"));
	EXPECT_EQ(0, set(self, "listener l", "key", "/k"));
	EXPECT_EQ(0, set(self, "listener l", "client-pool", "p"));
	EXPECT_EQ(0, set(self, "pool p", "source", "file:/a"));
	for (int i = 0; i < KT_ALLOW_RULES_MAX; i++)
		ASSERT_EQ(0, set(self, "pool p", "allow", "dns:a.test"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "pool p", "allow", "dns:a.test"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_STREQ("p", self->error.where);
	EXPECT_TRUE(strstr(self->error.text, "257 allow rules (at most 256"));
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
	EXPECT_EQ(128, self->config->listeners[0].handoff_queue);
	ASSERT_EQ(0, set(self, "listener l", "handoff-user", "app"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "a handoff-user but no 'handoff'"));
	ASSERT_EQ(0, set(self, "listener l", "handoff", "127.0.0.1:1"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "no unix:PATH"));
	for (size_t i = 0; i < INSTEAD; i++)
		ASSERT_EQ(0, set(self, "listener l", instead[i].key, instead[i].value));
	EXPECT_STREQ("unix:/run/app.sock", self->config->listeners[0].handoff);
	EXPECT_STREQ("app", self->config->listeners[0].handoff_user);
	EXPECT_EQ(0, self->config->listeners[0].handoff_queue);
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
	EXPECT_EQ(-EINVAL, set(self, "listener l", "handoff-queue", "65537"));
}

TEST_F(config, networks_have_a_limit_and_a_form)
{
	EXPECT_EQ(-EINVAL, set(self, "listener l", "proxy-from", "10.0.0.1/8"));
	EXPECT_TRUE(strstr(self->error.text, "more in the address"));
	EXPECT_EQ(-EINVAL, set(self, "listener l", "proxy-from", "a.test"));
	EXPECT_TRUE(strstr(self->error.text, "not a network"));
	EXPECT_EQ(-EINVAL, set(self, "listener l", "proxy-protocol", "v1"));
	EXPECT_EQ(0, set(self, "listener l", "listen", ":1"));
	EXPECT_EQ(0, set(self, "listener l", "backend", ":2"));
	EXPECT_EQ(0, set(self, "listener l", "certificate", "/c"));
	EXPECT_EQ(0, set(self, "listener l", "key", "/k"));
	EXPECT_EQ(0, set(self, "listener l", "client-auth", "none"));
	for (int i = 0; i < KT_PROXY_FROM_MAX; i++)
		ASSERT_EQ(0, set(self, "listener l", "proxy-from", "10.0.0.0/8"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	ASSERT_EQ(0, set(self, "listener l", "proxy-from", "10.0.0.0/8"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "65 proxy-from (at most 64"));
}

TEST_F(config, bad_lines_are_refused_with_their_number)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{"workers = 1\n", 1, "before the first [section]"},
		{"[ktrust]\n\nworkers\n", 3, "neither [section] nor key = value"},
		{"[ktrust]\nworkers 1", 2, "neither [section] nor key = value"},
		{"[ktrust\nworkers = 1\n", 1, "'[' without ']'"},
		{"[ktrust] x\n", 1, "'[' without ']'"},
		{"[ktrust]\n# c\n\nworkers = x\n", 4, "workers = x: expected N"},
		{"[ktrust]\nworkers = 1 ; one\n", 2, "expected N"},
		{"[ktrust]\n = 1\n", 2, "has no setting ''"},
		{"[listener]\n", 1, "a name is"},
		{"[nonsense]\n", 1, "no such section"},
		{"[]\n", 1, "no such section"},
		{"[ktrust]\n[listener web]\nport = 1\n", 3, "[listener] has no setting 'port'"},
		{"[pool 0123456789012345678901234567890123456789012345678901234567890123456789]\n",
		 1, "too long"},
		/* a file that was cut */
		{"[ktrust]\nworkers = 1\n[listen", 3, "'[' without ']'"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		EXPECT_EQ(-EINVAL, read_string(self, cases[i].text))
		{
			TH_LOG("%s", cases[i].text);
		}
		EXPECT_STREQ("here", self->error.where);
		EXPECT_EQ(cases[i].line, self->error.line);
		EXPECT_TRUE(strstr(self->error.text, cases[i].why))
		{
			TH_LOG("%s: %s", cases[i].text, self->error.text);
		}
	}
}

TEST_F(config, nul_bytes_are_refused)
{
	static const char middle[] = "[ktrust]\nworkers = 1\0\nktls = off\n";
	static const char last[] = "[ktrust]\nworkers = 1\0x";

	EXPECT_EQ(-EINVAL, read_text(self, middle, sizeof middle - 1));
	EXPECT_EQ(2, self->error.line);
	EXPECT_TRUE(strstr(self->error.text, "NUL"));
	EXPECT_EQ(-EINVAL, read_text(self, last, sizeof last - 1));
	EXPECT_TRUE(strstr(self->error.text, "NUL"));
	EXPECT_EQ(0, self->config->workers);
}

TEST_F(config, lines_have_a_limit)
{
	char text[KT_CONFIG_LINE_MAX + 32] = "[pool p]\nsource = file:";
	size_t start = strlen("[pool p]\n");

	memset(text + strlen(text), 'x', sizeof text - strlen(text));
	text[start + KT_CONFIG_LINE_MAX] = '\n';
	text[start + KT_CONFIG_LINE_MAX + 1] = '\0';
	EXPECT_EQ(0, read_string(self, text));
	text[start + KT_CONFIG_LINE_MAX] = 'x';
	text[start + KT_CONFIG_LINE_MAX + 1] = '\n';
	text[start + KT_CONFIG_LINE_MAX + 2] = '\0';
	EXPECT_EQ(-EINVAL, read_string(self, text));
	EXPECT_EQ(2, self->error.line);
	EXPECT_TRUE(strstr(self->error.text, "too long"));
	text[start + KT_CONFIG_LINE_MAX + 1] = '\0'; /* the same at the end of the file */
	EXPECT_EQ(-EINVAL, read_string(self, text));
	EXPECT_TRUE(strstr(self->error.text, "too long"));
}

TEST_F(config, files_that_cannot_be_read_are_named)
{
	EXPECT_EQ(-ENOENT, kt_config_read(self->config, "/nonexistent", &self->error));
	EXPECT_STREQ("/nonexistent", self->error.where);
	EXPECT_EQ(-EISDIR, kt_config_read(self->config, "/tmp", &self->error));
	EXPECT_STREQ("/tmp", self->error.where);
}

TEST_F(config, an_empty_file_sets_nothing)
{
	char path[] = "/tmp/ktrust-config-XXXXXX";

	close(mkstemp(path));
	EXPECT_EQ(0, kt_config_read(self->config, path, &self->error));
	unlink(path);
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
}

TEST_F(config, flags_that_do_not_fit_are_refused)
{
	static const struct {
		const char *flag, *where, *text;
	} cases[] = {
		{"--workers=x", "--workers", "workers = x: expected N"},
		{"--pool=clients", "--pool", "expected NAME=SOURCE"},
		{"--pool==file:x", "--pool", "expected NAME=SOURCE"},
		{"--pool=x=", "--pool", "expected SOURCE"},
		{"--pool=0123456789012345678901234567890123456789=file:x", "--pool",
		 "expected NAME=SOURCE"},
		{"--listener=", "--listener", "a name is"},
		{"--listener=a b", "--listener", "a name is"},
		{"--config=/nonexistent", "/nonexistent", "No such file"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *argv[] = {"ktrustd", (char *)cases[i].flag};
		bool check_only;

		EXPECT_GT(0, kt_options_parse(2, argv, self->config, &check_only, &self->error));
		EXPECT_STREQ(cases[i].where, self->error.where);
		EXPECT_TRUE(strstr(self->error.text, cases[i].text))
		{
			TH_LOG("%s: %s", cases[i].flag, self->error.text);
		}
	}
}

/* ---- Does it fit together? ------------------------------------------------------------------- */

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

	for (size_t i = 0; i < FULL; i++)
		ASSERT_EQ(0, set(self, section_of(i), full[i].key, full[i].value));
	ASSERT_EQ(0, set(self, "pool clients", "source", "dir:/d"));
	ASSERT_EQ(0, set(self, "pool clients", "source", "crl:/c"));
	ASSERT_EQ(0, set(self, "pool clients", "purpose", "server"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	for (size_t i = 0; i < 3; i++)
		EXPECT_EQ(-EINVAL,
			  kt_config_check_source(self->config, pool, words[i], &self->error));
	ASSERT_EQ(0, set(self, "pool clients", "source", "system"));
	EXPECT_EQ(-EINVAL, kt_config_check(self->config, &self->error));
	EXPECT_STREQ("clients", self->error.where);
	EXPECT_TRUE(strstr(self->error.text, "set purpose = any in [pool clients]"));
	ASSERT_EQ(0, set(self, "pool clients", "purpose", "any"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
	/* A pool that verifies no clients may have what it likes. */
	ASSERT_EQ(0, set(self, "pool upstream", "source", "system"));
	EXPECT_EQ(0, kt_config_check(self->config, &self->error));
}

TEST_HARNESS_MAIN
