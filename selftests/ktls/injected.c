/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every answer a kernel can give to setsockopt, given by a stand-in (linked with --wrap): which
 * options are set, with what, that errors pass through, and that no key stays behind.
 */
#include <ktrust/ktls.h>

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define SOL_TLS_NUMBER 282
#define ULP_NUMBER     31
#define CALLS_MAX      64

struct call {
	int fd, level, option;
	const void *value; /* where the caller's copy stood */
	socklen_t len;
	uint8_t bytes[64];
	bool wiped_after;
};

/* What the stand-in answers (positive errno values) and what it saw. */
static struct {
	bool on;
	int ulp_err;
	int (*key_err)(const struct call *call);
	struct call calls[CALLS_MAX];
	unsigned int count;
	bool connect_hangs;
	bool sends_half;
	unsigned int wipes;
} kernel;

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
void __real_explicit_bzero(void *at, size_t len);
void __wrap_explicit_bzero(void *at, size_t len);
void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room);

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	struct call call = {fd, level, option, value, len, {0}, false};

	if (!kernel.on || kernel.count == CALLS_MAX || len > sizeof call.bytes)
		return __real_setsockopt(fd, level, option, value, len);
	memcpy(call.bytes, value, len);
	kernel.calls[kernel.count++] = call;
	errno = level == SOL_TLS_NUMBER ? kernel.key_err(&call) : kernel.ulp_err;
	return errno ? -1 : 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (!kernel.connect_hangs)
		return __real_connect(fd, address, len);
	errno = EINPROGRESS;
	return -1;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	if (!kernel.connect_hangs)
		return __real_poll(fds, count, timeout_ms);
	return timeout_ms > 0 ? 0 : __real_poll(fds, count, 0);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return kernel.sends_half ? 1 : __real_sendmsg(fd, msg, flags);
}

void __wrap_explicit_bzero(void *at, size_t len)
{
	uintptr_t from = (uintptr_t)at, to = from + len;

	__real_explicit_bzero(at, len);
	kernel.wipes++;
	for (unsigned int i = 0; i < kernel.count; i++) {
		struct call *call = &kernel.calls[i];
		uintptr_t value = (uintptr_t)call->value;

		if (from <= value && value + call->len <= to)
			call->wiped_after = true;
	}
}

void __wrap___explicit_bzero_chk(void *at, size_t len, size_t room)
{
	EXPECT_LE(len, room);
	__wrap_explicit_bzero(at, len);
}

static int fixed_err;

static int answer_fixed(const struct call *call)
{
	(void)call;
	return fixed_err;
}

/* ---- Errors pass through ----------------------------------------------------------------- */

FIXTURE(ktls_answer){};
FIXTURE_VARIANT(ktls_answer)
{
	int err;
};
FIXTURE_VARIANT_ADD(ktls_answer, success){0};
FIXTURE_VARIANT_ADD(ktls_answer, enoent){ENOENT};
FIXTURE_VARIANT_ADD(ktls_answer, eperm){EPERM};
FIXTURE_VARIANT_ADD(ktls_answer, ebusy){EBUSY};
FIXTURE_VARIANT_ADD(ktls_answer, enomem){ENOMEM};
FIXTURE_VARIANT_ADD(ktls_answer, einval){EINVAL};

FIXTURE_SETUP(ktls_answer)
{
	kernel.on = true;
	kernel.ulp_err = variant->err;
	kernel.key_err = answer_fixed;
	fixed_err = variant->err;
}

FIXTURE_TEARDOWN(ktls_answer)
{
	kernel.on = false;
}

TEST_F(ktls_answer, passes_through_attach)
{
	EXPECT_EQ(-variant->err, kt_ktls_attach(7));
	ASSERT_EQ(1, kernel.count);
	EXPECT_EQ(7, kernel.calls[0].fd);
	EXPECT_EQ(IPPROTO_TCP, kernel.calls[0].level);
	EXPECT_EQ(ULP_NUMBER, kernel.calls[0].option);
	EXPECT_STREQ("tls", (const char *)kernel.calls[0].bytes);
}

TEST_F(ktls_answer, passes_through_install_and_the_key_is_wiped)
{
	for (int direction = KT_TX; direction <= KT_RX; direction++) {
		struct kt_traffic_key key = test_key(1);
		const struct call *call = &kernel.calls[direction];

		EXPECT_EQ(-variant->err, kt_ktls_install(7, (enum kt_direction)direction,
							 KT_TLS_1_3, KT_AES_256_GCM, &key));
		ASSERT_EQ(direction + 1, kernel.count);
		EXPECT_EQ(7, call->fd);
		EXPECT_EQ(SOL_TLS_NUMBER, call->level);
		EXPECT_EQ(direction == KT_TX ? 1 : 2, call->option);
		EXPECT_EQ(56, call->len);
		EXPECT_EQ(0, memcmp(call->bytes + 12, key.key, sizeof key.key));
		EXPECT_TRUE(call->wiped_after);
	}
}

TEST(install_of_an_unknown_cipher_does_not_reach_the_kernel)
{
	struct kt_traffic_key key = test_key(1);

	kernel.on = true;
	EXPECT_EQ(-EINVAL, kt_ktls_install(7, KT_TX, KT_TLS_1_3, KT_CIPHER_COUNT, &key));
	EXPECT_EQ(-EINVAL, kt_ktls_install(7, KT_TX, 0x0302, KT_AES_128_GCM, &key));
	EXPECT_EQ(0, kernel.count);
}

TEST(half_an_alert_is_eio)
{
	kernel.sends_half = true;
	EXPECT_EQ(-EIO, kt_ktls_send_alert(7, 2, 40));
}

/* ---- The probe reports what the kernel answers, no more ---------------------------------- */

static bool is_rekey(const struct call *call)
{
	for (unsigned int i = 0; i + 1 < kernel.count; i++)
		if (kernel.calls[i].fd == call->fd && kernel.calls[i].level == call->level &&
		    kernel.calls[i].option == call->option &&
		    /* numbers of closed descriptors come again */
		    kernel.calls[i].bytes[0] == call->bytes[0] &&
		    kernel.calls[i].bytes[2] == call->bytes[2])
			return true;
	return false;
}

static uint16_t version_of(const struct call *call)
{
	struct tls_crypto_info info;

	memcpy(&info, call->bytes, sizeof info);
	return info.version;
}

static uint16_t type_of(const struct call *call)
{
	struct tls_crypto_info info;

	memcpy(&info, call->bytes, sizeof info);
	return info.cipher_type;
}

static int answer_without_rekey(const struct call *call)
{
	return is_rekey(call) ? EBUSY : 0;
}

/* No ChaCha20 in TLS 1.2, AES-256 only for sending, and nothing is received in TLS 1.3. */
static int answer_oddly(const struct call *call)
{
	if (version_of(call) == TLS_1_3_VERSION)
		return call->option == TLS_RX ? EINVAL : 0;
	if (type_of(call) == TLS_CIPHER_CHACHA20_POLY1305)
		return ENOENT;
	return type_of(call) == TLS_CIPHER_AES_GCM_256 && call->option == TLS_RX ? EINVAL : 0;
}

static void probe_with(int ulp_err, int (*key_err)(const struct call *call),
		       struct kt_ktls_support *support)
{
	memset(support, 0xff, sizeof *support);
	kernel.on = true;
	kernel.ulp_err = ulp_err;
	kernel.key_err = key_err;
	ASSERT_EQ(0, kt_ktls_probe(support));
	kernel.on = false;
}

TEST(probe_says_why_attaching_is_impossible)
{
	struct kt_ktls_support support;

	probe_with(EPERM, answer_fixed, &support);
	EXPECT_FALSE(support.attach);
	EXPECT_EQ(EPERM, support.attach_err);
	EXPECT_FALSE(support.rekey);
	EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_3, KT_AES_128_GCM));
	EXPECT_EQ(1, kernel.count);
}

TEST(probe_tries_every_combination_with_random_keys)
{
	static const uint8_t zero[16];
	struct kt_ktls_support support;
	unsigned int keys = 0;

	probe_with(0, answer_without_rekey, &support);
	EXPECT_TRUE(support.attach);
	EXPECT_EQ(0, support.attach_err);
	EXPECT_FALSE(support.rekey);
	for (unsigned int i = 0; i < kernel.count; i++) {
		const struct call *call = &kernel.calls[i];

		if (call->level != SOL_TLS_NUMBER)
			continue;
		keys++;
		EXPECT_NE(0, memcmp(call->bytes + 12, zero, sizeof zero));
		EXPECT_TRUE(call->wiped_after);
	}
	EXPECT_EQ(2 * 3 * 2 + 3, keys);	   /* and a second TX key for each cipher of TLS 1.3 */
	EXPECT_EQ(2 * keys, kernel.wipes); /* the key, and its copy in the kernel's layout */
	for (int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
		EXPECT_TRUE(kt_ktls_supports(&support, KT_TLS_1_2, (enum kt_cipher)cipher));
		EXPECT_TRUE(kt_ktls_supports(&support, KT_TLS_1_3, (enum kt_cipher)cipher));
	}
	EXPECT_FALSE(kt_ktls_supports(&support, 0x0302, KT_AES_128_GCM));
	EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_3, KT_CIPHER_COUNT));
}

TEST(probe_finds_rekey)
{
	struct kt_ktls_support support;

	fixed_err = 0;
	probe_with(0, answer_fixed, &support);
	EXPECT_TRUE(support.rekey);
}

TEST(probe_keeps_directions_and_ciphers_apart)
{
	struct kt_ktls_support support;

	probe_with(0, answer_oddly, &support);
	EXPECT_TRUE(kt_ktls_supports(&support, KT_TLS_1_2, KT_AES_128_GCM));
	EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_2, KT_AES_256_GCM));
	EXPECT_TRUE(support.cipher[0][KT_AES_256_GCM][KT_TX]);
	EXPECT_FALSE(support.cipher[0][KT_AES_256_GCM][KT_RX]);
	EXPECT_FALSE(support.cipher[0][KT_CHACHA20_POLY1305][KT_TX]);
	for (int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
		EXPECT_FALSE(kt_ktls_supports(&support, KT_TLS_1_3, (enum kt_cipher)cipher));
		EXPECT_TRUE(support.cipher[1][cipher][KT_TX]);
		EXPECT_FALSE(support.cipher[1][cipher][KT_RX]);
	}
}

TEST(probe_gives_up_on_a_loopback_that_does_not_answer)
{
	struct kt_ktls_support support, before;
	unsigned int fds = test_open_fds();

	memset(&support, 0xee, sizeof support);
	before = support;
	kernel.connect_hangs = true;
	EXPECT_EQ(-ETIMEDOUT, kt_ktls_probe(&support));
	EXPECT_EQ(0, memcmp(&before, &support, sizeof support));
	EXPECT_EQ(fds, test_open_fds());
}

TEST_HARNESS_MAIN
