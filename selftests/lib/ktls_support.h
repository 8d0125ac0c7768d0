/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of ktls share: TCP connections on loopback, keys, whether this kernel has kTLS.
 * Asks the kernel by itself, so that a defect of the room cannot make its tests skip.
 */
#ifndef KTRUST_SELFTESTS_LIB_KTLS_SUPPORT_H
#define KTRUST_SELFTESTS_LIB_KTLS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/ktls.h>

#define TEST_LIMIT_MS 10000 /* for what must come, also under emulation */

enum test_family { TEST_INET, TEST_INET6, TEST_MAPPED };

/* Two ends of one connection; waiting ends with EAGAIN after TEST_LIMIT_MS. Asserts success. */
void test_pair(enum test_family family, int ret_fds[2]);

/* A connected pair can take "tls": false only when the kernel says ENOENT. */
bool test_have_ktls(void);

/* Is the running kernel at least major.minor? */
bool test_kernel_is(unsigned int major, unsigned int minor);

/* A random key whose sequence number is seq. */
struct kt_traffic_key test_key(uint64_t seq);

/* Number of open descriptors of this process. */
unsigned int test_open_fds(void);

/* One record by recvmsg with room for its type: bytes, with *ret_type, or -errno. */
ssize_t test_recv(int fd, void *buf, size_t size, int *ret_type);

/*
 * Make fd non-blocking and send until its buffer is full. It stays full: its peer takes nothing
 * from the network until test_hear. Returns the bytes that were sent.
 */
size_t test_fill(int fd, int peer);
void test_hear(int peer);

/* One record of this type by sendmsg: bytes, or -errno. */
ssize_t test_send(int fd, const void *buf, size_t len, uint8_t type);

#endif
