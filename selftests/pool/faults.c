/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call that can fail is made to fail, one after the other: each time the error comes back,
 * nothing is left behind, and the next try succeeds. Also what only shows from under the room: a
 * file that grows while it is read, and memory that still holds a key when it is freed.
 *
 * The linker leads the room's calls to the __wrap_… functions below (see the Makefile).
 */
#include "injected.h"
#include "maps.h"
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ktrust/life.h>

WRAP(void *, mmap, MAP_FAILED,
     (void *where, size_t len, int protection, int flags, int fd, off_t offset),
     (where, len, protection, flags, fd, offset))
WRAP(int, memfd_create, -1, (const char *name, unsigned int flags), (name, flags))
WRAP(int, mprotect, -1, (void *where, size_t len, int protection), (where, len, protection))
WRAP(ssize_t, pwrite, -1, (int fd, const void *from, size_t len, off_t at), (fd, from, len, at))
WRAP(ssize_t, read, -1, (int fd, void *to, size_t len), (fd, to, len))
WRAP(ssize_t, pread, -1, (int fd, void *to, size_t len, off_t at), (fd, to, len, at))
/* What fstat says of a file's size instead of the truth; -1: the truth. */
static off_t size_told = -1;

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
	int ret;

	if (fails()) {
		errno = ENOMEM;
		return -1;
	}
	ret = __real_fstat(fd, st);
	if (size_told >= 0)
		st->st_size = size_told;
	return ret;
}

/* While there is a secret, no memory may be freed that holds it. */
static char secret[17];
static unsigned int leaks;

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	if (secret[0] && memory)
		leaks += memmem(memory, malloc_usable_size(memory), secret, strlen(secret)) != NULL;
	__real_free(memory);
}

/* Only what tells of missing memory; the rest is advice that may be refused. */
int __real_madvise(void *where, size_t len, int advice);
int __wrap_madvise(void *where, size_t len, int advice);
int __wrap_madvise(void *where, size_t len, int advice)
{
	if (advice == MADV_HUGEPAGE || !fails())
		return __real_madvise(where, len, advice);
	errno = ENOMEM;
	return -1;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list args;
	int seals;

	va_start(args, command);
	seals = va_arg(args, int);
	va_end(args);
	if (command != F_ADD_SEALS)
		return __real_fcntl(fd, command);
	if (!fails())
		return __real_fcntl(fd, command, seals);
	errno = ENOMEM;
	return -1;
}

/* ---- What is tried ------------------------------------------------------------------------- */

FIXTURE(faults)
{
	struct roots roots;
	char path[64]; /* of a PEM file with two roots */
	char image_path[64];
	struct kt_anchor_set *set; /* of three roots, one in common with the file */
	struct kt_snapshot *snapshot;
	struct kt_pool *pool; /* with another snapshot published */
	int memfd;
};

static void write_pem(struct pki *pki, int fd)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct pki_cert *cert = pki_make_ca(pki, NULL, i ? "File B" : "File A");

		ASSERT_EQ((ssize_t)strlen(cert->pem), write(fd, cert->pem, strlen(cert->pem)));
	}
	close(fd);
}

FIXTURE_SETUP(faults)
{
	struct kt_anchor_set *other;
	struct kt_snapshot_info info;
	struct kt_pool_change change;
	int fd;

	roots_init(&self->roots);
	strcpy(self->path, "/tmp/ktrust-faults.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	write_pem(self->roots.pki, fd);
	self->set = roots_set(&self->roots, 1, 3);
	self->snapshot = build(self->set, 1);
	self->memfd = kt_snapshot_to_memfd(self->snapshot);
	ASSERT_LE(0, self->memfd);
	strcpy(self->image_path, "/tmp/ktrust-faults.XXXXXX");
	fd = mkstemp(self->image_path);
	ASSERT_LE(0, fd);
	kt_snapshot_describe(self->snapshot, &info);
	ASSERT_EQ((ssize_t)info.image_len, write(fd, self->snapshot, info.image_len));
	close(fd);
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	kt_pool_set_history(self->pool, 0);
	other = roots_set(&self->roots, 7, 7);
	ASSERT_EQ(0, kt_pool_commit(self->pool, other, "", &change, NULL));
	kt_anchor_set_free(other);
}

FIXTURE_TEARDOWN(faults)
{
	kt_pool_free(self->pool);
	kt_snapshot_free(self->snapshot);
	kt_anchor_set_free(self->set);
	close(self->memfd);
	unlink(self->path);
	unlink(self->image_path);
	roots_fini(&self->roots);
}

/* One try of what is tested: 0 or what went wrong; leaves nothing behind in either case. */
typedef int (*attempt)(FIXTURE_DATA(faults) * self, struct kt_error *error);

static void fail_each_call(FIXTURE_DATA(faults) * self, attempt try, unsigned int at_least)
{
	int before = count_maps();
	int descriptor = lowest_descriptor();
	int ret;

	/* The first is without a fault, to warm up what is made once. */
	failing = 0;
	ASSERT_EQ(0, try(self, NULL));
	do {
		struct kt_error error = {0};

		failing++;
		calls = 0;
		armed = true;
		ret = try(self, &error);
		armed = false;
		if (calls >= failing) {
			EXPECT_GT(0, ret)
			{
				TH_LOG("call %u failed without notice", failing);
			}
			EXPECT_EQ(-ret, error.err);
		}
		EXPECT_EQ(before, count_maps());
		EXPECT_EQ(descriptor, lowest_descriptor());
	} while (calls >= failing);
	EXPECT_EQ(0, ret);
	EXPECT_LT(at_least, failing);
	TH_LOG("%u calls were made to fail", failing - 1);
}

static int error_of(int ret, struct kt_error *error)
{
	/* For the functions that take no kt_error. */
	if (ret < 0 && error)
		error->err = -ret;
	return ret;
}

static int try_new_set(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	(void)self;
	kt_anchor_set_free(set);
	return error_of(set ? 0 : -ENOMEM, error);
}

static int try_file(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	bool was_armed = armed;
	struct kt_anchor_set *set;
	int ret;

	armed = false;
	set = kt_anchor_set_new();
	ASSERT_NE(NULL, set);
	armed = was_armed;
	ret = kt_anchor_set_add_pem_file(set, self->path, error);
	armed = false;
	EXPECT_EQ(ret ? 0 : 2, kt_anchor_set_count(set));
	EXPECT_EQ(0, kt_anchor_set_add_pem_file(set, self->path, NULL));
	EXPECT_EQ(2, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
	return ret;
}

static int try_build(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_snapshot *snapshot = NULL;
	int ret = kt_snapshot_build(self->set, "a", "", 1, &snapshot, error);

	kt_snapshot_free(snapshot);
	return ret;
}

static int try_to_memfd(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	int fd = kt_snapshot_to_memfd(self->snapshot);

	if (fd >= 0)
		close(fd);
	return error_of(fd < 0 ? fd : 0, error);
}

static int try_map(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_snapshot *snapshot = NULL;
	int ret = kt_snapshot_map(self->memfd, &snapshot, error);

	kt_snapshot_free(snapshot);
	return ret;
}

static int try_map_file(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_snapshot *snapshot = NULL;
	int fd = open(self->image_path, O_RDONLY | O_CLOEXEC);
	int ret = kt_snapshot_map(fd, &snapshot, error);

	kt_snapshot_free(snapshot);
	close(fd);
	return ret;
}

static int try_new_pool(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_pool *pool = NULL;
	int ret = kt_pool_new("a", &pool, error);

	(void)self;
	kt_pool_free(pool);
	return ret;
}

/* Every try has new content, so that there always is something to publish. */
static int try_commit(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	static unsigned int number = 100;
	struct kt_pool_stats before, after;
	struct kt_pool_change change;
	struct kt_anchor_set *set;
	bool was_armed = armed;
	int ret;

	armed = false;
	set = roots_set(&self->roots, number, number + 1);
	number++;
	kt_pool_get_stats(self->pool, &before);
	armed = was_armed;
	ret = kt_pool_commit(self->pool, set, "", &change, error);
	armed = false;
	kt_pool_get_stats(self->pool, &after);
	EXPECT_EQ(before.published + (ret == 0), after.published);
	EXPECT_EQ(before.reclaimed + (ret == 0), after.reclaimed);
	kt_anchor_set_free(set);
	return ret;
}

/* A candidate that must get another version when it is committed. */
static int try_commit_staged(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	static unsigned int number = 1000;
	struct kt_pool_change change;
	struct kt_anchor_set *set;
	bool was_armed = armed;
	int ret;

	armed = false;
	set = roots_set(&self->roots, number, number);
	ASSERT_EQ(0, kt_pool_stage(self->pool, set, "", NULL, &change, NULL));
	kt_anchor_set_free(set);
	set = roots_set(&self->roots, number + 1, number + 1);
	ASSERT_EQ(0, kt_pool_commit(self->pool, set, "", &change, NULL));
	kt_anchor_set_free(set);
	number += 2;
	armed = was_armed;
	ret = kt_pool_commit_staged(self->pool, 0, &change, error);
	armed = false;
	/* One that could not be published is still there. */
	EXPECT_EQ(ret ? 0 : -ENOENT, kt_pool_unstage(self->pool, NULL));
	return ret;
}

static int try_stage(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	struct kt_pool_change change;
	int ret = kt_pool_stage(self->pool, self->set, "", NULL, &change, error);

	armed = false;
	if (!ret)
		EXPECT_EQ(0, kt_pool_unstage(self->pool, NULL));
	return ret;
}

static bool go_on(const struct kt_difference *difference, void *arg)
{
	(void)difference, (void)arg;
	return true;
}

static int try_compare(FIXTURE_DATA(faults) * self, struct kt_error *error)
{
	return error_of(kt_snapshot_compare(NULL, self->snapshot, go_on, NULL), error);
}

#define FAILS(name, at_least)                                                                      \
	TEST_F(faults, try_##name)                                                                 \
	{                                                                                          \
		fail_each_call(self, try_##name, at_least);                                        \
	}

FAILS(new_set, 2)
FAILS(file, 15)
FAILS(build, 10)
FAILS(to_memfd, 3)
FAILS(map, 10)
FAILS(map_file, 14)
FAILS(new_pool, 1)
FAILS(commit, 10)
FAILS(stage, 10)
FAILS(commit_staged, 7)
FAILS(compare, 9)

/* ---- Files that are not what they seem ----------------------------------------------------- */

static void overwrite(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

/* A certificate and its key in the file, of which fstat does not tell the last bytes. */
static void check_wiping(FIXTURE_DATA(faults) * self, size_t untold)
{
	const struct pki_cert *cert = pki_make_ca(self->roots.pki, NULL, "Keyed");
	struct kt_anchor_set *set = kt_anchor_set_new();
	char text[8192];

	ASSERT_NE(NULL, set);
	ASSERT_GT((int)sizeof text, snprintf(text, sizeof text, "%s%s", cert->pem, cert->key_pem));
	overwrite(self->path, text);
	memcpy(secret, strchr(cert->key_pem, '\n') + 41, sizeof secret - 1);
	size_told = (off_t)(strlen(text) - untold);
	EXPECT_EQ(-EKEYREJECTED, kt_anchor_set_add_pem_file(set, self->path, NULL));
	size_told = -1;
	EXPECT_EQ(0, leaks);
	secret[0] = '\0';
	EXPECT_EQ(0, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

TEST_F(faults, private_key_is_wiped_before_its_memory_is_freed)
{
	check_wiping(self, 0);
}

TEST_F(faults, private_key_is_wiped_in_a_file_that_grew)
{
	check_wiping(self, 40);
}

/* Something else under a certificate's label: refused as a whole, and within its base64. */
TEST_F(faults, refused_certificate_is_wiped)
{
	static const char *const texts[] = {
		"-----BEGIN CERTIFICATE-----\n"
		"bm90IGEgY2VydGlmaWNhdGUsIGJ1dCBhIHNlY3JldCBrZXkh\n"
		"-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n"
		"bm90IGEgY2VydGlmaWNhdGUsIGJ1dCBhIHNlY3JldCBrZXkh\n"
		"!\n"
		"-----END CERTIFICATE-----\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct kt_anchor_set *set = kt_anchor_set_new();

		ASSERT_NE(NULL, set);
		strcpy(secret, "a secret key!");
		EXPECT_EQ(-EBADMSG,
			  kt_anchor_set_add_pem(set, texts[i], strlen(texts[i]), "text", NULL));
		EXPECT_EQ(0, leaks);
		secret[0] = '\0';
		kt_anchor_set_free(set);
	}
}

TEST_F(faults, file_that_grew_is_read_whole)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	ASSERT_NE(NULL, set);
	size_told = 0;
	EXPECT_EQ(0, kt_anchor_set_add_pem_file(set, self->path, NULL));
	EXPECT_EQ(2, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

TEST_F(faults, file_that_grew_beyond_the_limit_is_efbig)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	ASSERT_NE(NULL, set);
	ASSERT_EQ(0, truncate(self->path, KT_SOURCE_FILE_MAX + 1));
	size_told = 1;
	EXPECT_EQ(-EFBIG, kt_anchor_set_add_pem_file(set, self->path, NULL));
	kt_anchor_set_free(set);
}

TEST_F(faults, image_that_shrank_is_ebadmsg)
{
	struct kt_snapshot *snapshot = NULL;
	int fd = open(self->image_path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	ASSERT_EQ(0, fstat(fd, &st));
	size_told = st.st_size + 1;
	EXPECT_EQ(-EBADMSG, kt_snapshot_map(fd, &snapshot, NULL));
	EXPECT_NULL(snapshot);
	close(fd);
}

TEST_HARNESS_MAIN
