/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call that reading a source makes is made to fail, one after the other. Whatever fails:
 * either the source is refused, with an error that says so, and has added nothing; or all of it is
 * there. A root that went missing without a word would be the worst of both. Nothing else is left
 * behind, and the next try succeeds.
 */
#include "files.h"

#include <dirent.h>

#include "injected.h"

WRAP(void *, reallocarray, NULL, (void *old, size_t count, size_t len), (old, count, len))
WRAP(char *, strdup, NULL, (const char *text), (text))
WRAP(int, open, -1, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(int, openat, -1, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
WRAP(int, fstat, -1, (int fd, struct stat *st), (fd, st))
WRAP(int, lstat, -1, (const char *path, struct stat *st), (path, st))
WRAP(int, fstatat, -1, (int dir, const char *path, struct stat *st, int flags),
     (dir, path, st, flags))
WRAP(ssize_t, read, -1, (int fd, void *to, size_t len), (fd, to, len))
WRAP(DIR *, fdopendir, NULL, (int fd), (fd))
WRAP(struct dirent *, readdir, NULL, (DIR * dir), (dir))

FIXTURE(source_faults)
{
	struct files files;
};

FIXTURE_SETUP(source_faults)
{
	struct files *files = &self->files;
	struct pki_der crl;

	files_init(files);
	files_text(files, "dir/a.pem", files->a->pem);
	files_text(files, "dir/b.crt", files->b->pem);
	ASSERT_EQ(0, symlink("b.crt", files_path(files, "dir/01234567.0")));
	files_text(files, "etc/ssl/certs/ca-certificates.crt", files->a->pem);
	crl = pki_make_crl(files->a, &(struct pki_crl){0});
	files_write(files, "crl.der", crl.data, crl.len);
	free(crl.data);
}

FIXTURE_TEARDOWN(source_faults)
{
	files_fini(&self->files);
}

struct count {
	size_t anchors, crls;
};

static int try(struct files *files, const char *source, struct count *ret_count)
{
	int ret;

	kt_anchor_set_free(files->set);
	files->set = kt_anchor_set_new();
	ASSERT_NE(NULL, files->set);
	files->note_count = 0;
	memset(&files->error, 0, sizeof files->error);
	calls = 0;
	armed = true;
	ret = kt_anchor_set_add_source(files->set, source, &files->options, &files->error);
	armed = false;
	*ret_count =
		(struct count){kt_anchor_set_count(files->set), kt_anchor_set_crls(files->set)};
	return ret;
}

static void fail_each_call(struct files *files, const char *source, struct count whole,
			   unsigned int at_least)
{
	int descriptor, ret;
	struct count count;

	/* The first is without a fault, to warm up what is made once. */
	failing = 0;
	ASSERT_EQ(0, try(files, source, &count));
	descriptor = lowest_descriptor();
	do {
		failing++;
		ret = try(files, source, &count);
		EXPECT_EQ(-ret, files->error.err);
		EXPECT_EQ(ret ? 0 : whole.anchors, count.anchors)
		{
			TH_LOG("call %u failed, the source gave %d", failing, ret);
		}
		EXPECT_EQ(ret ? 0 : whole.crls, count.crls);
		EXPECT_EQ(descriptor, lowest_descriptor());
	} while (calls >= failing);
	EXPECT_EQ(0, ret);
	EXPECT_LT(at_least, failing);
	TH_LOG("%u calls were made to fail", failing - 1);
}

static void fail_source(struct files *files, const char *word, const char *name, struct count whole,
			unsigned int at_least)
{
	char source[PATH_LEN + 16];

	snprintf(source, sizeof source, "%s%s", word, files_path(files, name));
	fail_each_call(files, source, whole, at_least);
}

TEST_F(source_faults, directory_loses_nothing)
{
	fail_source(&self->files, "dir:", "dir", (struct count){2, 0}, 40);
}

/* What is wrong with the machine is not what leniency is for. */
TEST_F(source_faults, lenient_directory_loses_nothing)
{
	self->files.options.lenient = true;
	fail_source(&self->files, "dir:", "dir", (struct count){2, 0}, 40);
}

TEST_F(source_faults, file_loses_nothing)
{
	fail_source(&self->files, "file:", "dir/a.pem", (struct count){1, 0}, 12);
}

TEST_F(source_faults, crl_is_not_lost)
{
	fail_source(&self->files, "crl:", "crl.der", (struct count){0, 1}, 10);
}

TEST_F(source_faults, system_loses_nothing)
{
	self->files.options.system_root = self->files.dir;
	fail_each_call(&self->files, "system", (struct count){1, 0}, 12);
}

TEST_F(source_faults, directory_of_the_system_loses_nothing)
{
	self->files.options.system_root = self->files.dir;
	ASSERT_EQ(0, unlink(files_path(&self->files, "etc/ssl/certs/ca-certificates.crt")));
	files_text(&self->files, "etc/ssl/certs/a.pem", self->files.a->pem);
	files_text(&self->files, "etc/ssl/certs/b.pem", self->files.b->pem);
	fail_each_call(&self->files, "system", (struct count){2, 0}, 40);
}

TEST_HARNESS_MAIN
