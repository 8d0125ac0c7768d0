/* SPDX-License-Identifier: BSD-2-Clause */
/* Manifests: what is taken, what is refused, and whose signature it is. */
#include "../harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <ktrust/manifest.h>

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define GOOD   "ktrust-manifest 1\nanchors 118\ncrls 0\ndigest " DIGEST "\nepoch 7\n"

FIXTURE(manifest)
{
	char dir[32];
	char text[KT_MANIFEST_MAX + 1];
	struct kt_manifest made;
	struct kt_error error;
};

static char *path(FIXTURE_DATA(manifest) * self, const char *name)
{
	static char paths[4][80];
	static unsigned int next;
	char *made = paths[next++ % 4];

	snprintf(made, 80, "%s/%s", self->dir, name);
	return made;
}

static void put(FIXTURE_DATA(manifest) * self, const char *name, const char *text)
{
	FILE *file = fopen(path(self, name), "we");

	ASSERT_TRUE(file && fputs(text, file) >= 0);
	fclose(file);
}

static void make_key(FIXTURE_DATA(manifest) * self, const char *name, const char *kind)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, kind, "P-256");
	char file[40];
	FILE *out;

	ASSERT_TRUE(key);
	snprintf(file, sizeof file, "%s.key", name);
	out = fopen(path(self, file), "we");
	PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	fclose(out);
	snprintf(file, sizeof file, "%s.pub", name);
	out = fopen(path(self, file), "we");
	PEM_write_PUBKEY(out, key);
	fclose(out);
	EVP_PKEY_free(key);
}

FIXTURE_SETUP(manifest)
{
	strcpy(self->dir, "/tmp/ktrust-manifest.XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	memset(&self->error, 0, sizeof self->error);
	make_key(self, "a", "ED25519");
	make_key(self, "b", "ED25519");
	make_key(self, "ec", "EC");
}

FIXTURE_TEARDOWN(manifest)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static int parse(FIXTURE_DATA(manifest) * self, const char *text)
{
	return kt_manifest_parse(text, strlen(text), "test", &self->made, &self->error);
}

TEST_F(manifest, what_is_written_is_read)
{
	ASSERT_EQ(0, parse(self, GOOD));
	EXPECT_EQ(118, self->made.anchors);
	EXPECT_EQ(7, self->made.epoch);
	EXPECT_EQ(0x22, self->made.digest[2]);
	EXPECT_FALSE(self->made.has_signature);
	ASSERT_EQ(0, kt_manifest_write(&self->made, NULL, self->text, NULL));
	EXPECT_STREQ(GOOD, self->text);
}

TEST_F(manifest, any_other_byte_is_ebadmsg)
{
	static const char *const bad[] = {
		"",
		"ktrust-manifest 1",
		"ktrust-manifest 2\nanchors 118\n",
		"ktrust-manifest 1\nanchors 0118\ncrls 0\ndigest " DIGEST "\nepoch 7\n",
		"ktrust-manifest 1\nanchors \ncrls 0\ndigest " DIGEST "\nepoch 7\n",
		"ktrust-manifest 1\nanchors 1\ncrls 0\ndigest " DIGEST "0\nepoch 7\n",
		"ktrust-manifest 1\nanchors 1\ncrls 0\ndigest A0" DIGEST "\nepoch 7\n",
		"ktrust-manifest 1\nanchors 1\ncrls 0\ndigest " DIGEST "\nepoch 0\n",
		"ktrust-manifest 1\nanchors 1\ncrls 0\ndigest " DIGEST
		"\nepoch 1000000000000000000\n",
		"ktrust-manifest 1\r\nanchors 1\ncrls 0\ndigest " DIGEST "\nepoch 7\n",
		GOOD "\n",
		GOOD "signature " DIGEST "\n",
		GOOD "epoch 8\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_EQ(-EBADMSG, parse(self, bad[i]))
		{
			TH_LOG("%s", bad[i]);
		}
	parse(self, "ktrust-manifest 1\nanchors x\n");
	EXPECT_EQ(2, self->error.line);
	for (size_t len = 0; len < strlen(GOOD); len++)
		EXPECT_EQ(-EBADMSG, kt_manifest_parse(GOOD, len, "test", &self->made, NULL));
}

static void sign(FIXTURE_DATA(manifest) * self)
{
	ASSERT_EQ(0, parse(self, GOOD));
	ASSERT_EQ(0, kt_manifest_write(&self->made, path(self, "a.key"), self->text, &self->error));
	put(self, "m", self->text);
}

TEST_F(manifest, a_signature_holds_for_its_key_and_its_text)
{
	sign(self);
	EXPECT_EQ(0, kt_manifest_read(path(self, "m"), path(self, "a.pub"), &self->made,
				      &self->error));
	EXPECT_EQ(7, self->made.epoch);
	EXPECT_EQ(-EKEYREJECTED,
		  kt_manifest_read(path(self, "m"), path(self, "b.pub"), &self->made, NULL));
	*strstr(self->text, "epoch 7") = 'e';
	strstr(self->text, "epoch 7")[6] = '8';
	put(self, "m", self->text);
	EXPECT_EQ(-EKEYREJECTED,
		  kt_manifest_read(path(self, "m"), path(self, "a.pub"), &self->made, NULL));
	/* Nobody looks at it without a key. */
	EXPECT_EQ(0, kt_manifest_read(path(self, "m"), NULL, &self->made, NULL));
	EXPECT_EQ(8, self->made.epoch);
}

TEST_F(manifest, without_a_signature_or_a_key_it_is_enokey)
{
	put(self, "m", GOOD);
	EXPECT_EQ(-ENOKEY,
		  kt_manifest_read(path(self, "m"), path(self, "a.pub"), &self->made, NULL));
	sign(self);
	EXPECT_EQ(-ENOKEY,
		  kt_manifest_read(path(self, "m"), path(self, "ec.pub"), &self->made, NULL));
	EXPECT_EQ(-ENOKEY, kt_manifest_read(path(self, "m"), path(self, "m"), &self->made, NULL));
	EXPECT_EQ(-ENOKEY,
		  kt_manifest_write(&self->made, path(self, "a.pub"), self->text, &self->error));
	EXPECT_EQ(-ENOKEY, kt_manifest_write(&self->made, path(self, "ec.key"), self->text, NULL));
	EXPECT_EQ(-ENOENT, kt_manifest_write(&self->made, path(self, "no"), self->text, NULL));
}

TEST_F(manifest, files_that_are_none)
{
	char big[KT_MANIFEST_MAX + 2];

	EXPECT_EQ(-ENOENT, kt_manifest_read(path(self, "no"), NULL, &self->made, &self->error));
	EXPECT_EQ(-EINVAL, kt_manifest_read(self->dir, NULL, &self->made, NULL));
	EXPECT_EQ(-EINVAL, kt_manifest_read("/dev/zero", NULL, &self->made, NULL));
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	put(self, "m", big);
	EXPECT_EQ(-EFBIG, kt_manifest_read(path(self, "m"), NULL, &self->made, NULL));
	EXPECT_EQ(-EBADMSG, parse(self, big));
	self->made.epoch = 0;
	EXPECT_EQ(-EINVAL, kt_manifest_write(&self->made, NULL, self->text, NULL));
}

TEST_HARNESS_MAIN
