/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe against the kernel that runs, whatever it can. */
#include <ktrust/ktls.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

TEST(probe_agrees_with_the_kernel)
{
	struct kt_ktls_support support;

	memset(&support, 0xff, sizeof support);
	ASSERT_EQ(0, kt_ktls_probe(&support));
	EXPECT_EQ(test_have_ktls(), support.attach);
	EXPECT_EQ(support.attach ? 0 : ENOENT, support.attach_err);
}

TEST(probe_finds_every_cipher_where_there_is_ktls)
{
	struct kt_ktls_support support;

	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	ASSERT_EQ(0, kt_ktls_probe(&support));
	for (int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
		EXPECT_TRUE(kt_ktls_supports(&support, KT_TLS_1_2, (enum kt_cipher)cipher));
		EXPECT_TRUE(kt_ktls_supports(&support, KT_TLS_1_3, (enum kt_cipher)cipher));
	}
	EXPECT_EQ(test_kernel_is(6, 14), support.rekey);
}

TEST(missing_ciphers_are_named_each_with_its_direction)
{
	struct kt_ktls_support support = {.attach = true};
	char text[KT_KTLS_MISSING_MAX];

	EXPECT_EQ(6, kt_ktls_missing(&support, text));
	EXPECT_STREQ(" TLS1.2/AES-128-GCM TLS1.2/AES-256-GCM TLS1.2/ChaCha20-Poly1305"
		     " TLS1.3/AES-128-GCM TLS1.3/AES-256-GCM TLS1.3/ChaCha20-Poly1305",
		     text);
	memset(support.cipher, true, sizeof support.cipher);
	EXPECT_EQ(0, kt_ktls_missing(&support, text));
	EXPECT_STREQ("", text);
	support.cipher[0][KT_AES_256_GCM][KT_RX] = false;
	support.cipher[1][KT_CHACHA20_POLY1305][KT_TX] = false;
	EXPECT_EQ(2, kt_ktls_missing(&support, text));
	EXPECT_STREQ(" TLS1.2/AES-256-GCM/rx TLS1.3/ChaCha20-Poly1305/tx", text);
}

TEST(probe_leaves_no_descriptor_behind)
{
	struct kt_ktls_support support;
	unsigned int before = test_open_fds();

	ASSERT_EQ(0, kt_ktls_probe(&support));
	EXPECT_EQ(before, test_open_fds());
}

TEST(probe_without_descriptors_is_emfile_and_leaves_its_output_alone)
{
	struct kt_ktls_support support, before;
	struct rlimit limit, none_left;
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, lowest);
	ASSERT_EQ(0, close(lowest));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none_left = limit;
	none_left.rlim_cur = (rlim_t)lowest;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none_left));
	memset(&support, 0xee, sizeof support);
	before = support;
	EXPECT_EQ(-EMFILE, kt_ktls_probe(&support));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit)); /* a leak checker needs some at exit */
	EXPECT_EQ(0, memcmp(&before, &support, sizeof support));
}

TEST(attach_to_what_is_no_tcp_socket_fails)
{
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, udp);
	EXPECT_EQ(-EBADF, kt_ktls_attach(-1));
	EXPECT_GT(0, kt_ktls_attach(udp));
	close(udp);
}

TEST(state_of_a_plain_socket_is_no_direction)
{
	int fds[2];
	unsigned int bits = 99;

	test_pair(TEST_INET, fds);
	ASSERT_EQ(0, kt_ktls_state(fds[0], &bits));
	EXPECT_EQ(0, bits);
}

TEST(state_of_what_is_no_tcp_socket_fails)
{
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int bits = 99;

	ASSERT_LE(0, udp);
	EXPECT_EQ(-EBADF, kt_ktls_state(-1, &bits));
	EXPECT_GT(0, kt_ktls_state(udp, &bits));
	EXPECT_EQ(99, bits);
	close(udp);
}

TEST_HARNESS_MAIN
