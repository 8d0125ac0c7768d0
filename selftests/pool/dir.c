/* SPDX-License-Identifier: BSD-2-Clause */
/* dir: which names count, what they may lead to, and what the directory is like then. */
#include "files.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

FIXTURE(dir)
{
	struct files f;
};

FIXTURE_SETUP(dir)
{
	files_init(&self->f);
	files_text(&self->f, "d/a.pem", self->f.a->pem);
}

FIXTURE_TEARDOWN(dir)
{
	files_fini(&self->f);
}

static int add(FIXTURE_DATA(dir) * self)
{
	return files_add(&self->f, "dir:", "d");
}

static void make_link(FIXTURE_DATA(dir) * self, const char *target, const char *name)
{
	ASSERT_EQ(0, symlink(target, files_path(&self->f, name)));
}

/* ---- Names ---------------------------------------------------------------------------------- */

TEST_F(dir, names_that_count)
{
	static const char *const names[] = {"b.pem", "b.crt",	   "b.CER",	  "b.der",
					    "b.Pem", "0a1b2c3d.0", "ffffffff.12", "b c.x.crt"};
	char name[64];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct kt_anchor_set *set = kt_anchor_set_new();

		snprintf(name, sizeof name, "n%zu/%s", i, names[i]);
		files_text(&self->f, name, self->f.b->pem);
		snprintf(name, sizeof name, "n%zu", i);
		kt_anchor_set_free(self->f.set);
		self->f.set = set;
		EXPECT_EQ(0, files_add(&self->f, "dir:", name))
		{
			TH_LOG("%s: %s", names[i], self->f.error.text);
		}
		EXPECT_EQ(1, kt_anchor_set_count(set));
	}
}

TEST_F(dir, names_that_do_not_count)
{
	static const char *const names[] = {
		"README",      ".hidden.pem", "..data",	     "b.pem~",	       "b.pem.bak",
		"b.txt",       "b.key",	      "0a1b2c3d.r0", "0a1b2c3.0",      "0A1B2C3D.0",
		"0a1b2c3d4.0", "0a1b2c3d.",   "0a1b2c3d.0x", "0a1b2c3d.pem.x", "pem"};
	char name[64];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(name, sizeof name, "d/%s", names[i]);
		files_text(&self->f, name, "-----BEGIN NONSENSE\n");
	}
	EXPECT_EQ(0, add(self))
	{
		TH_LOG("%s: %s", self->f.error.where, self->f.error.text);
	}
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
}

TEST_F(dir, without_a_name_that_counts_is_enodata)
{
	ASSERT_EQ(0, unlink(files_path(&self->f, "d/a.pem")));
	EXPECT_EQ(-ENODATA, add(self));
	EXPECT_NE(NULL, strstr(self->f.error.text, "*.pem"));
}

TEST_F(dir, that_is_missing_or_none_is_refused)
{
	EXPECT_EQ(-ENOENT, files_add(&self->f, "dir:", "missing"));
	EXPECT_EQ(-ENOTDIR, files_add(&self->f, "dir:", "d/a.pem"));
}

/* ---- Links ---------------------------------------------------------------------------------- */

/* As Kubernetes mounts a secret: ca.crt -> ..data/ca.crt, ..data -> ..2026_01_01 */
TEST_F(dir, kubernetes_links_are_followed)
{
	files_text(&self->f, "k/..2026_01_01/ca.crt", self->f.b->pem);
	make_link(self, "..2026_01_01", "k/..data");
	make_link(self, "..data/ca.crt", "k/ca.crt");
	EXPECT_EQ(0, files_add(&self->f, "dir:", "k"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
}

TEST_F(dir, certificates_that_come_again_are_one)
{
	files_text(&self->f, "d/same.crt", self->f.a->pem);
	make_link(self, "a.pem", "d/0a1b2c3d.0");
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
}

/* Nine times 60 MiB would be more than a directory may have. */
TEST_F_TIMEOUT(dir, a_file_of_several_names_is_read_once, 120)
{
	char name[64];

	files_text(&self->f, "large", self->f.b->pem);
	ASSERT_EQ(0, truncate(files_path(&self->f, "large"), 60 << 20));
	for (unsigned int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "d/l%u.pem", i);
		if (i % 2)
			make_link(self, "../large", name);
		else
			ASSERT_EQ(0,
				  link(files_path(&self->f, "large"), files_path(&self->f, name)));
	}
	/* NULs behind the certificate: skipped, and so noted once for each reading. */
	self->f.options.lenient = true;
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(2, self->f.note_count);
	EXPECT_NE(NULL, strstr(self->f.notes[0].where, "d/l0.pem"));
}

TEST_F_TIMEOUT(dir, with_too_many_bytes_is_efbig, 240)
{
	char name[64];

	for (unsigned int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "d/l%u.pem", i);
		files_text(&self->f, name, self->f.b->pem);
		ASSERT_EQ(0, truncate(files_path(&self->f, name), 60 << 20));
	}
	self->f.options.lenient = true;
	EXPECT_EQ(-EFBIG, add(self));
	EXPECT_STREQ(files_path(&self->f, "d"), self->f.error.where);
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
}

TEST_F_TIMEOUT(dir, with_too_many_names_is_e2big, 240)
{
	int fd = open(files_path(&self->f, "d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64];

	ASSERT_LE(0, fd);
	for (unsigned int i = 0; i < KT_SOURCE_DIR_FILES_MAX; i++) {
		snprintf(name, sizeof name, "%u.pem", i);
		ASSERT_EQ(0, symlinkat("nowhere", fd, name));
	}
	close(fd);
	EXPECT_EQ(-E2BIG, add(self));
}

/* ---- What names lead to: strictly, and leniently -------------------------------------------- */

FIXTURE(odd)
{
	struct files f;
};

FIXTURE_VARIANT(odd)
{
	void (*make)(struct files * files, const char *path);
	int ret;
	bool for_good; /* nor may it be skipped */
};

FIXTURE_SETUP(odd)
{
	files_init(&self->f);
	files_text(&self->f, "d/a.pem", self->f.a->pem);
	files_text(&self->f, "d/z.pem", self->f.b->pem);
	variant->make(&self->f, files_path(&self->f, "d/odd.pem"));
}

FIXTURE_TEARDOWN(odd)
{
	files_fini(&self->f);
}

static void make_socket(struct files *files, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)files;
	ASSERT_LE(0, fd);
	ASSERT_GT((int)sizeof address.sun_path,
		  snprintf(address.sun_path, sizeof address.sun_path, "%s", path));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof address));
	close(fd);
}

static void make_fifo(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, mkfifo(path, 0600));
}

static void make_device(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, symlink("/dev/zero", path));
}

static void make_terminal(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, symlink("/dev/tty", path));
}

static void make_directory(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, mkdir(path, 0700));
}

static void make_dangling(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, symlink("nowhere", path));
}

static void make_loop(struct files *files, const char *path)
{
	(void)files;
	ASSERT_EQ(0, symlink("odd.pem", path));
}

static void make_long_loop(struct files *files, const char *path)
{
	ASSERT_EQ(0, symlink("other", path));
	ASSERT_EQ(0, symlink("odd.pem", files_path(files, "d/other")));
}

static void make_large(struct files *files, const char *path)
{
	files_text(files, "d/odd.pem", files->a->pem);
	ASSERT_EQ(0, truncate(path, 1 << 30));
}

static void make_empty(struct files *files, const char *path)
{
	(void)path;
	files_text(files, "d/odd.pem", "");
}

static void make_malformed(struct files *files, const char *path)
{
	(void)path;
	files_text(files, "d/odd.pem", "-----BEGIN CERTIFICATE-----\n!\n");
}

static void make_key(struct files *files, const char *path)
{
	(void)path;
	files_text(files, "d/odd.pem", files->a->key_pem);
}

static void make_crl(struct files *files, const char *path)
{
	struct pki_der crl = pki_make_crl(files->a, &(struct pki_crl){0});

	(void)path;
	files_write(files, "d/odd.pem", crl.data, crl.len);
	free(crl.data);
}

#define ODD(name, errno_value, good)                                                               \
	FIXTURE_VARIANT_ADD(odd, name)                                                             \
	{                                                                                          \
		.make = make_##name, .ret = -errno_value, .for_good = good                         \
	}

ODD(socket, EINVAL, false);
ODD(fifo, EINVAL, false);
ODD(device, EINVAL, false);
ODD(terminal, EINVAL, false);
ODD(directory, EINVAL, false);
ODD(dangling, ENOENT, false);
ODD(loop, ELOOP, false);
ODD(long_loop, ELOOP, false);
ODD(large, EFBIG, false);
ODD(empty, EBADMSG, false);
ODD(malformed, EBADMSG, false);
ODD(key, EKEYREJECTED, true);
ODD(crl, EOPNOTSUPP, true);

TEST_F_TIMEOUT(odd, is_refused_at_once_with_its_path, 10)
{
	EXPECT_EQ(variant->ret, files_add(&self->f, "dir:", "d"))
	{
		TH_LOG("%s", self->f.error.text);
	}
	EXPECT_STREQ(files_path(&self->f, "d/odd.pem"), self->f.error.where);
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(0, self->f.note_count);
}

TEST_F_TIMEOUT(odd, is_skipped_and_noted_when_lenient, 10)
{
	self->f.options.lenient = true;
	if (variant->for_good) {
		EXPECT_EQ(variant->ret, files_add(&self->f, "dir:", "d"));
		EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
		return;
	}
	EXPECT_EQ(0, files_add(&self->f, "dir:", "d"));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	ASSERT_LE(2, self->f.note_count);
	EXPECT_STREQ(files_path(&self->f, "d/odd.pem"), self->f.notes[0].where);
	EXPECT_NE(NULL, files_noted(&self->f, "were skipped, 2 taken"));
}

/* An EC key has fewer than 128 bytes. */
TEST_F(dir, der_of_a_private_key_is_refused_though_lenient)
{
	static const enum pki_key kinds[] = {PKI_P256, PKI_RSA2048};

	self->f.options.lenient = true;
	for (size_t i = 0; i < 2; i++) {
		const struct pki_cert *cert =
			pki_make(self->f.pki, NULL,
				 &(struct pki_options){.cn = "R", .ca = true, .key = kinds[i]});
		uint8_t *der = NULL;
		int len = i2d_PrivateKey(cert->key, &der);

		ASSERT_LT(0, len);
		files_write(&self->f, "d/key.der", der, (size_t)len);
		EXPECT_EQ(-EKEYREJECTED, add(self));
		/* Cut, too. */
		files_write(&self->f, "d/key.der", der, (size_t)len / 2);
		EXPECT_EQ(-EKEYREJECTED, add(self));
		OPENSSL_free(der);
	}
}

/* ---- A directory that changes meanwhile ----------------------------------------------------- */

static void add_a_name(const struct kt_error *what, void *arg)
{
	struct files *files = arg;

	(void)what;
	files_text(files, "d/new.pem", files->b->pem);
}

TEST_F(dir, that_changes_while_it_is_read_is_eagain)
{
	struct timespec then[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	files_text(&self->f, "d/bad.pem", "");
	ASSERT_EQ(0, utimensat(AT_FDCWD, files_path(&self->f, "d"), then, 0));
	self->f.options.lenient = true;
	self->f.options.note = add_a_name;
	EXPECT_EQ(-EAGAIN, add(self));
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(0, add(self));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
}

TEST_F(dir, costs_no_descriptor)
{
	int before = dup(0);

	close(before);
	EXPECT_EQ(0, add(self));
	files_text(&self->f, "d/bad.pem", "");
	EXPECT_EQ(-EBADMSG, add(self));
	EXPECT_EQ(before, dup(0));
}

TEST_HARNESS_MAIN
