/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel without kTLS: every answer says so, and the sockets stay usable. */
#include <ktrust/ktls.h>

#include <errno.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

FIXTURE(ktls_absent)
{
	int fds[2];
};

FIXTURE_SETUP(ktls_absent)
{
	if (test_have_ktls())
		SKIP(return, "this kernel has kTLS");
	test_pair(TEST_INET, self->fds);
}

FIXTURE_TEARDOWN(ktls_absent)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

TEST_F(ktls_absent, probe_says_no_module)
{
	struct kt_ktls_support support;

	memset(&support, 0xff, sizeof support);
	ASSERT_EQ(0, kt_ktls_probe(&support));
	EXPECT_FALSE(support.attach);
	EXPECT_EQ(ENOENT, support.attach_err);
	EXPECT_FALSE(support.rekey);
	for (int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
		EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_2, (enum kt_cipher)cipher));
		EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_3, (enum kt_cipher)cipher));
	}
}

TEST_F(ktls_absent, attach_is_enoent_and_harmless)
{
	char byte = 0;

	EXPECT_EQ(-ENOENT, kt_ktls_attach(self->fds[0]));
	ASSERT_EQ(1, send(self->fds[0], "x", 1, MSG_NOSIGNAL));
	ASSERT_EQ(1, recv(self->fds[1], &byte, 1, 0));
	EXPECT_EQ('x', byte);
}

TEST_F(ktls_absent, install_is_enoprotoopt)
{
	struct kt_traffic_key key = test_key(0);

	EXPECT_EQ(-ENOPROTOOPT,
		  kt_ktls_install(self->fds[0], KT_TX, KT_TLS_1_3, KT_AES_128_GCM, &key));
	EXPECT_EQ(-ENOPROTOOPT,
		  kt_ktls_install(self->fds[0], KT_RX, KT_TLS_1_3, KT_AES_128_GCM, &key));
}

TEST_F(ktls_absent, state_is_no_direction)
{
	unsigned int bits = 99;

	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(0, bits);
}

TEST_HARNESS_MAIN
