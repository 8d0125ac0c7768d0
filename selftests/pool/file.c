/* SPDX-License-Identifier: BSD-2-Clause */
/* PEM files and the words that name sources. */
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <unistd.h>

FIXTURE(file)
{
	char dir[64];
	char path[96];
	struct pki *pki;
	const struct pki_cert *root;
	struct kt_anchor_set *set;
	struct kt_error error;
};

FIXTURE_SETUP(file)
{
	snprintf(self->dir, sizeof self->dir, "/tmp/ktrust-pool.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof self->path, "%s/roots.pem", self->dir);
	self->pki = pki_new();
	self->root = pki_make_ca(self->pki, NULL, "Root");
	self->set = kt_anchor_set_new();
	ASSERT_NE(NULL, self->set);
}

FIXTURE_TEARDOWN(file)
{
	kt_anchor_set_free(self->set);
	pki_free(self->pki);
	if (unlink(self->path) && errno != ENOENT)
		rmdir(self->path);
	rmdir(self->dir);
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, write(fd, text, len));
	close(fd);
}

TEST_F(file, is_read)
{
	char source[128];

	write_file(self->path, self->root->pem, strlen(self->root->pem));
	EXPECT_EQ(0, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
	snprintf(source, sizeof source, "file:%s", self->path);
	EXPECT_EQ(0, kt_anchor_set_add_source(self->set, source, NULL, &self->error));
	EXPECT_EQ(1, kt_anchor_set_count(self->set));
}

TEST_F(file, error_names_path_and_line)
{
	write_file(self->path, "\n-----BEGIN X-----\n", 19);
	EXPECT_EQ(-EOPNOTSUPP, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
	EXPECT_STREQ(self->path, self->error.where);
	EXPECT_EQ(2, self->error.line);
}

TEST_F(file, missing_is_enoent)
{
	EXPECT_EQ(-ENOENT, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
	EXPECT_STREQ(self->path, self->error.where);
}

TEST_F(file, unreadable_is_eacces)
{
	write_file(self->path, self->root->pem, strlen(self->root->pem));
	ASSERT_EQ(0, chmod(self->path, 0));
	ASSERT_EQ(0, chmod(self->dir, 0755));
	/* Root reads all: try as nobody. */
	if (geteuid() == 0)
		ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0));
}

TEST_F(file, empty_is_enodata)
{
	write_file(self->path, "", 0);
	EXPECT_EQ(-ENODATA, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
}

TEST_F(file, directory_is_einval)
{
	ASSERT_EQ(0, mkdir(self->path, 0700));
	EXPECT_EQ(-EINVAL, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
}

/* Without O_NONBLOCK this would wait for a writer for ever. */
TEST_F_TIMEOUT(file, fifo_is_einval_at_once, 5)
{
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-EINVAL, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
}

TEST_F(file, device_is_einval)
{
	EXPECT_EQ(-EINVAL, kt_anchor_set_add_pem_file(self->set, "/dev/zero", &self->error));
}

TEST_F(file, too_large_is_efbig_before_it_is_read)
{
	write_file(self->path, "", 0);
	ASSERT_EQ(0, truncate(self->path, (off_t)1 << 40));
	EXPECT_EQ(-EFBIG, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
}

TEST_F(file, of_the_largest_size_is_read)
{
	write_file(self->path, "", 0);
	ASSERT_EQ(0, truncate(self->path, KT_SOURCE_FILE_MAX));
	EXPECT_EQ(-EBADMSG, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
}

/* A file of /proc says it has 0 bytes: it is read to its end all the same. */
TEST_F(file, longer_than_it_said_is_read_to_its_end)
{
	EXPECT_EQ(-ENODATA,
		  kt_anchor_set_add_pem_file(self->set, "/proc/self/status", &self->error));
	EXPECT_EQ(0, self->error.line);
}

/* The image of a process has holes that cannot be read: EIO at address 0. */
TEST_F(file, read_error_is_passed_on)
{
	EXPECT_EQ(-EIO, kt_anchor_set_add_pem_file(self->set, "/proc/self/mem", &self->error));
}

TEST_F(file, private_key_is_refused)
{
	write_file(self->path, self->root->key_pem, strlen(self->root->key_pem));
	EXPECT_EQ(-EKEYREJECTED, kt_anchor_set_add_pem_file(self->set, self->path, &self->error));
	EXPECT_EQ(1, self->error.line);
}

TEST_F(file, costs_no_descriptor)
{
	int before = dup(0);

	close(before);
	write_file(self->path, "x", 1);
	EXPECT_EQ(-ENODATA, kt_anchor_set_add_pem_file(self->set, self->path, NULL));
	EXPECT_EQ(-EINVAL, kt_anchor_set_add_pem_file(self->set, self->dir, NULL));
	write_file(self->path, self->root->pem, strlen(self->root->pem));
	EXPECT_EQ(0, kt_anchor_set_add_pem_file(self->set, self->path, NULL));
	EXPECT_EQ(before, dup(0));
}

TEST_HARNESS_MAIN
