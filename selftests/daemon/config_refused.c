/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings that are refused, each with its place: values, sections, lines, flags. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/daemon/options.h"

TEST_F(config, bad_values_are_refused_and_change_nothing)
{
	static const struct {
		const char *section, *key, *value, *text;
	} cases[] = {
		{"ktrust", "workers", "0", "workers = 0: expected N"},
		{"ktrust", "workers", "1025", "expected N (from 1 to 1024)"},
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
		{"[listener web]\nlisten = :1\n[listener w]\n[listener web]\nlisten = :2\n", 4,
		 "[listener web] has begun in line 1 "},
		{"\n[pool p]\n[ pool   p ]\n", 3, "[pool p] has begun in line 2 "},
		{"[ktrust]\n[pool ktrust]\n[ktrust]\n", 3, "[ktrust] has begun in line 1 "},
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

TEST_HARNESS_MAIN
