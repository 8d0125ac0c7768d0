/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of `system`, one by one, below a root prefix; and without a prefix in a mount namespace
 * of our own, where /etc is empty.
 */
#include "files.h"

#include <sys/wait.h>

#include <ktrust/roots.h>

#include "../lib/mounts.h"
#include <openssl/evp.h>

#define LIMIT_DATE 1776280000

#define BUNDLE "etc/ssl/certs/ca-certificates.crt"

FIXTURE(system)
{
	struct files f;
	const struct pki_cert *c; /* the embedded root */
	struct kt_root root;
	struct kt_roots roots;
};

static void clear_variables(void)
{
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
	unsetenv("KTRUST_EMBEDDED_ROOTS");
}

FIXTURE_SETUP(system)
{
	clear_variables();
	files_init(&self->f);
	self->c = pki_make_ca(self->f.pki, NULL, "Root C");
	self->root = (struct kt_root){.der = self->c->der,
				      .der_len = self->c->der_len,
				      .label = "Root C",
				      .constraints = {KT_PURPOSE_SERVER, LIMIT_DATE, "gov.tr"}};
	self->roots = (struct kt_roots){.version = "2.92", .roots = &self->root, .count = 1};
	self->f.options.embedded = &self->roots;
	self->f.options.system_root = self->f.dir;
}

FIXTURE_TEARDOWN(system)
{
	files_fini(&self->f);
}

static int add(FIXTURE_DATA(system) * self)
{
	memset(&self->f.error, 0, sizeof self->f.error);
	return kt_anchor_set_add_source(self->f.set, "system", &self->f.options, &self->f.error);
}

static bool has(FIXTURE_DATA(system) * self, const struct pki_cert *cert)
{
	return kt_anchor_set_count(self->f.set) && files_limits(&self->f, cert).purposes;
}

/* It succeeds and gives this root alone. */
static void expect_only(FIXTURE_DATA(system) * self, const struct pki_cert *cert)
{
	EXPECT_EQ(0, add(self))
	{
		TH_LOG("%s: %s", self->f.error.where, self->f.error.text);
	}
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
	EXPECT_TRUE(has(self, cert));
}

static void expect_refused(FIXTURE_DATA(system) * self, int err, const char *name)
{
	EXPECT_EQ(-err, add(self));
	EXPECT_STREQ(files_path(&self->f, name), self->f.error.where);
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
}

/* ---- Files ---------------------------------------------------------------------------------- */

static const char *const bundles[] = {"etc/ssl/certs/ca-certificates.crt",
				      "etc/pki/tls/certs/ca-bundle.crt",
				      "etc/ssl/ca-bundle.pem",
				      "etc/pki/tls/cacert.pem",
				      "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
				      "etc/ssl/cert.pem"};

#define BUNDLES (sizeof bundles / sizeof bundles[0])

/* From the last to the first: each that comes is the one taken. */
TEST_F(system, the_first_file_that_is_there_is_taken)
{
	for (size_t i = BUNDLES; i-- > 0;) {
		kt_anchor_set_free(self->f.set);
		self->f.set = kt_anchor_set_new();
		if (i + 1 < BUNDLES)
			files_text(&self->f, bundles[i + 1], self->f.b->pem);
		files_text(&self->f, bundles[i], self->f.a->pem);
		expect_only(self, self->f.a);
		ASSERT_LT(0, self->f.note_count);
		EXPECT_STREQ(files_path(&self->f, bundles[i]),
			     self->f.notes[self->f.note_count - 1].where);
		EXPECT_EQ(0, self->f.notes[self->f.note_count - 1].err);
	}
}

TEST_F(system, files_are_for_servers_unless_any_is_asked_for)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(KT_PURPOSE_SERVER, files_limits(&self->f, self->f.a).purposes);
	self->f.options.any_purpose = true;
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(KT_PURPOSE_ANY, files_limits(&self->f, self->f.a).purposes);
}

TEST_F(system, an_empty_file_counts_as_absent)
{
	files_text(&self->f, bundles[0], "");
	files_text(&self->f, bundles[3], self->f.a->pem);
	expect_only(self, self->f.a);
	EXPECT_NE(NULL, files_noted(&self->f, "no certificates of the system in it"));
}

TEST_F(system, a_malformed_file_is_an_error)
{
	files_text(&self->f, bundles[0], "-----BEGIN CERTIFICATE-----\n");
	files_text(&self->f, bundles[1], self->f.a->pem);
	expect_refused(self, EBADMSG, bundles[0]);
}

TEST_F(system, a_file_of_which_all_was_skipped_is_an_error)
{
	files_text(&self->f, bundles[0], "-----BEGIN CERTIFICATE-----\n");
	files_text(&self->f, bundles[1], self->f.a->pem);
	self->f.options.lenient = true;
	expect_refused(self, ENODATA, bundles[0]);
}

TEST_F(system, a_file_that_cannot_be_read_is_an_error)
{
	files_text(&self->f, bundles[0], self->f.a->pem);
	files_text(&self->f, bundles[1], self->f.a->pem);
	ASSERT_EQ(0, chmod(files_path(&self->f, bundles[0]), 0));
	if (geteuid() == 0)
		ASSERT_EQ(0, seteuid(65534));
	expect_refused(self, EACCES, bundles[0]);
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0));
}

TEST_F(system, a_directory_that_cannot_be_searched_is_an_error)
{
	files_text(&self->f, bundles[0], self->f.a->pem);
	ASSERT_EQ(0, chmod(files_path(&self->f, "etc/ssl/certs"), 0));
	if (geteuid() == 0)
		ASSERT_EQ(0, seteuid(65534));
	expect_refused(self, EACCES, bundles[0]);
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, chmod(files_path(&self->f, "etc/ssl/certs"), 0755));
}

TEST_F(system, a_link_that_leads_nowhere_is_an_error)
{
	files_text(&self->f, bundles[1], self->f.a->pem);
	files_make_dirs(&self->f, bundles[0]);
	ASSERT_EQ(0, symlink("nowhere", files_path(&self->f, bundles[0])));
	expect_refused(self, ENOENT, bundles[0]);
}

TEST_F(system, a_directory_in_place_of_a_file_is_an_error)
{
	files_make_dirs(&self->f, bundles[0]);
	ASSERT_EQ(0, mkdir(files_path(&self->f, bundles[0]), 0755));
	expect_refused(self, EINVAL, bundles[0]);
}

/* ---- Directories ---------------------------------------------------------------------------- */

TEST_F(system, directories_come_when_no_file_is_there_and_add_up)
{
	files_text(&self->f, "etc/ssl/certs/a.pem", self->f.a->pem);
	files_text(&self->f, "etc/pki/tls/certs/b.pem", self->f.b->pem);
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(KT_PURPOSE_SERVER, files_limits(&self->f, self->f.b).purposes);
}

TEST_F(system, directories_are_not_read_when_a_file_is_there)
{
	files_text(&self->f, "etc/ssl/cert.pem", self->f.a->pem);
	files_text(&self->f, "etc/ssl/certs/b.pem", self->f.b->pem);
	expect_only(self, self->f.a);
}

/* The directory of a bundle that is empty holds it, under a name that counts. */
TEST_F(system, a_directory_with_a_file_without_certificate_is_an_error)
{
	files_text(&self->f, "etc/ssl/certs/a.pem", self->f.a->pem);
	files_text(&self->f, "etc/ssl/certs/bad.pem", "");
	expect_refused(self, EBADMSG, "etc/ssl/certs/bad.pem");
	self->f.options.lenient = true;
	expect_only(self, self->f.a);
}

/* ---- Variables ------------------------------------------------------------------------------ */

TEST_F(system, ssl_cert_file_replaces_the_files)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	files_text(&self->f, "mine", self->f.b->pem);
	setenv("SSL_CERT_FILE", "/mine", 1);
	expect_only(self, self->f.b);
}

TEST_F(system, ssl_cert_file_leaves_the_directories)
{
	files_text(&self->f, "etc/ssl/cert.pem", self->f.a->pem);
	files_text(&self->f, "etc/ssl/certs/b.pem", self->f.b->pem);
	setenv("SSL_CERT_FILE", "/nowhere", 1);
	expect_only(self, self->f.b);
	EXPECT_NE(NULL, files_noted(&self->f, "SSL_CERT_FILE names it, but it is not there"));
}

TEST_F(system, ssl_cert_file_that_is_malformed_is_an_error)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	files_text(&self->f, "mine", "-----BEGIN CERTIFICATE-----\n");
	setenv("SSL_CERT_FILE", "/mine", 1);
	expect_refused(self, EBADMSG, "mine");
}

TEST_F(system, ssl_cert_dir_replaces_the_directories)
{
	files_text(&self->f, "etc/ssl/certs/c.pem", self->c->pem);
	files_text(&self->f, "one/a.pem", self->f.a->pem);
	files_text(&self->f, "two/b.pem", self->f.b->pem);
	setenv("SSL_CERT_DIR", ":/one::/nowhere:/two:", 1);
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_FALSE(has(self, self->c));
	EXPECT_NE(NULL, files_noted(&self->f, "SSL_CERT_DIR names it"));
}

TEST_F(system, ssl_cert_dir_leaves_the_files_and_is_said_to_be_unused)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	files_text(&self->f, "one/b.pem", self->f.b->pem);
	setenv("SSL_CERT_DIR", "/one", 1);
	expect_only(self, self->f.a);
	EXPECT_NE(NULL, files_noted(&self->f, "not looked at"));
}

TEST_F(system, empty_variables_count_as_unset)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	setenv("SSL_CERT_FILE", "", 1);
	setenv("SSL_CERT_DIR", "", 1);
	setenv("KTRUST_EMBEDDED_ROOTS", "", 1);
	expect_only(self, self->f.a);
	ASSERT_EQ(0, unlink(files_path(&self->f, BUNDLE)));
	files_text(&self->f, "etc/ssl/certs/a.pem", self->f.a->pem);
	expect_only(self, self->f.a);
}

/* ---- Embedded roots ------------------------------------------------------------------------- */

TEST_F(system, embedded_roots_step_in_where_there_is_nothing)
{
	expect_only(self, self->c);
	EXPECT_NE(NULL, files_noted(&self->f, "NSS 2.92, step in"));
	EXPECT_STREQ("gov.tr", files_limits(&self->f, self->c).permitted_dns);
}

TEST_F(system, embedded_roots_step_in_where_all_is_empty)
{
	files_text(&self->f, "etc/ssl/cert.pem", "");
	files_text(&self->f, "etc/ssl/certs/README", "");
	expect_only(self, self->c);
}

TEST_F(system, embedded_roots_do_not_step_in_otherwise)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	expect_only(self, self->f.a);
}

TEST_F(system, nothing_at_all_is_enoent)
{
	self->f.options.embedded = NULL;
	EXPECT_EQ(-ENOENT, add(self));
	EXPECT_NE(NULL, strstr(self->f.error.text, "install ca-certificates"));
}

TEST_F(system, embedded_roots_are_forced_by_exactly_1)
{
	static const char *const others[] = {"0", "yes", "true", "01", "1 ", " 1", "11"};

	files_text(&self->f, BUNDLE, self->f.a->pem);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		setenv("KTRUST_EMBEDDED_ROOTS", others[i], 1);
		expect_only(self, self->f.a);
	}
	kt_anchor_set_free(self->f.set);
	self->f.set = kt_anchor_set_new();
	setenv("KTRUST_EMBEDDED_ROOTS", "1", 1);
	expect_only(self, self->c);
}

TEST_F(system, embedded_roots_that_are_forced_must_be_there)
{
	files_text(&self->f, BUNDLE, self->f.a->pem);
	setenv("KTRUST_EMBEDDED_ROOTS", "1", 1);
	self->f.options.embedded = NULL;
	EXPECT_EQ(-ENOENT, add(self));
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
}

/* Distributions list Mozilla's roots without Mozilla's limits. */
TEST_F(system, embedded_limits_are_laid_over_the_same_certificates)
{
	char text[8192];

	snprintf(text, sizeof text, "%s%s", self->f.a->pem, self->c->pem);
	files_text(&self->f, BUNDLE, text);
	self->f.options.any_purpose = true;
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(LIMIT_DATE, files_limits(&self->f, self->c).distrust_after);
	EXPECT_STREQ("gov.tr", files_limits(&self->f, self->c).permitted_dns);
	EXPECT_EQ(KT_PURPOSE_ANY, files_limits(&self->f, self->c).purposes);
	EXPECT_EQ(KT_DISTRUST_NEVER, files_limits(&self->f, self->f.a).distrust_after);
	EXPECT_STREQ("", files_limits(&self->f, self->f.a).permitted_dns);
}

TEST_F(system, embedded_limits_are_laid_over_directories_too)
{
	files_text(&self->f, "etc/ssl/certs/c.pem", self->c->pem);
	expect_only(self, self->c);
	EXPECT_EQ(LIMIT_DATE, files_limits(&self->f, self->c).distrust_after);
}

TEST_F(system, embedded_limits_are_not_laid_over_other_sources)
{
	files_text(&self->f, "mine.pem", self->c->pem);
	EXPECT_EQ(0, files_add(&self->f, "file:", "mine.pem"));
	EXPECT_EQ(KT_DISTRUST_NEVER, files_limits(&self->f, self->c).distrust_after);
}

/* ---- Places, for those who watch them -------------------------------------------------------- */

static void append_place(const char *path, bool directory, void *arg)
{
	char *list = arg;

	snprintf(list + strlen(list), 2048 - strlen(list), "%s%s ", path, directory ? "/" : "");
}

static void expect_places(const char *root, const char *want)
{
	char list[2048] = "";

	EXPECT_EQ(0, kt_source_system_places(root, append_place, list));
	EXPECT_STREQ(want, list);
}

TEST_F(system, every_place_is_told_in_its_order)
{
	expect_places(NULL, "/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt "
			    "/etc/ssl/ca-bundle.pem /etc/pki/tls/cacert.pem "
			    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem "
			    "/etc/ssl/certs/ /etc/pki/tls/certs/ ");
}

TEST_F(system, places_follow_the_variables_and_the_prefix)
{
	setenv("SSL_CERT_FILE", "mine", 1);
	setenv("SSL_CERT_DIR", ":/one::two:", 1);
	expect_places("", "mine /one/ two/ ");
	expect_places("/root", "/root/mine /root/one/ /root/two/ ");
	unsetenv("SSL_CERT_FILE");
	setenv("SSL_CERT_DIR", ":", 1);
	expect_places("/r",
		      "/r/etc/ssl/certs/ca-certificates.crt /r/etc/pki/tls/certs/ca-bundle.crt "
		      "/r/etc/ssl/ca-bundle.pem /r/etc/pki/tls/cacert.pem "
		      "/r/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem "
		      "/r/etc/ssl/cert.pem ");
}

TEST_F(system, no_place_counts_where_embedded_roots_are_forced)
{
	setenv("KTRUST_EMBEDDED_ROOTS", "1", 1);
	expect_places(NULL, "");
}

/* ---- Without a prefix ----------------------------------------------------------------------- */

TEST_F(system, without_a_prefix_the_places_are_the_systems)
{
	const char *why = mounts_of_our_own();

	if (why)
		SKIP(return, "%s", why);
	self->f.options.system_root = NULL;
	ASSERT_EQ(0, mount("none", "/etc", "tmpfs", 0, NULL));
	expect_only(self, self->c);
	ASSERT_EQ(0, mkdir("/etc/ssl", 0755));
	ASSERT_EQ(0, symlink(files_path(&self->f, "a.pem"), "/etc/ssl/cert.pem"));
	EXPECT_EQ(-ENOENT, add(self));
	EXPECT_STREQ("/etc/ssl/cert.pem", self->f.error.where);
	files_text(&self->f, "a.pem", self->f.a->pem);
	EXPECT_EQ(0, add(self));
	EXPECT_TRUE(has(self, self->f.a));
}

TEST_F(system, without_a_prefix_variables_are_paths_as_they_are)
{
	files_text(&self->f, "mine/b.pem", self->f.b->pem);
	self->f.options.system_root = "";
	setenv("SSL_CERT_FILE", "/nonexistent/ktrust", 1);
	setenv("SSL_CERT_DIR", files_path(&self->f, "mine"), 1);
	expect_only(self, self->f.b);
}

/* ---- Embedded roots beside the system's ------------------------------------------------------ */

static void name(const struct kt_root *root, void *arg)
{
	*(const struct kt_root **)arg = root;
}

TEST_F(system, embedded_roots_that_the_system_lacks_are_told)
{
	const struct kt_root *missing = NULL;
	struct kt_error error = {0};
	unsigned int len = sizeof self->root.fingerprint;

	ASSERT_EQ(1, EVP_Digest(self->c->der, self->c->der_len, self->root.fingerprint, &len,
				EVP_sha256(), NULL));
	EXPECT_EQ(-ENOENT,
		  kt_roots_not_in_system(&self->roots, self->f.dir, name, &missing, &error));
	EXPECT_NULL(missing);
	files_text(&self->f, BUNDLE, self->f.a->pem);
	EXPECT_EQ(1, kt_roots_not_in_system(&self->roots, self->f.dir, name, &missing, &error));
	EXPECT_EQ(&self->root, missing);
	files_text(&self->f, BUNDLE, self->c->pem);
	EXPECT_EQ(0, kt_roots_not_in_system(&self->roots, self->f.dir, NULL, NULL, &error));
}

TEST_HARNESS_MAIN
