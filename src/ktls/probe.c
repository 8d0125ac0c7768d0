/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/ktls.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Loopback answers at once or, behind a packet filter, never. */
#define CONNECT_LIMIT_MS 1000

static const uint16_t versions[] = {KT_TLS_1_2, KT_TLS_1_3}; /* order of kt_ktls_support.cipher */

static int wait_connected(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
	int ready = poll(&pollfd, 1, CONNECT_LIMIT_MS);
	int err;
	socklen_t len = sizeof err;

	if (ready < 0)
		return -errno;
	if (!ready)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}

static int connect_to_itself(int fd)
{
	struct sockaddr_in self = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof self;

	if (bind(fd, (struct sockaddr *)&self, len) ||
	    getsockname(fd, (struct sockaddr *)&self, &len))
		return -errno;
	if (!connect(fd, (struct sockaddr *)&self, len))
		return 0;
	return errno == EINPROGRESS ? wait_connected(fd) : -errno;
}

/*
 * An established TCP socket that is its own peer (simultaneous open, RFC 9293 §3.5): no listener
 * that a stranger could connect to, no accept to wait for. Returns it, or -errno.
 */
static int open_loop(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = connect_to_itself(fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Random, so that not even a probe leaves a known key in a kernel. */
static int install_random(int fd, enum kt_direction direction, uint16_t version,
			  enum kt_cipher cipher)
{
	struct kt_traffic_key key;
	int err = -EIO;

	if (getrandom(&key, sizeof key, 0) == sizeof key)
		err = kt_ktls_install(fd, direction, version, cipher, &key);
	explicit_bzero(&key, sizeof key);
	return err;
}

static int probe_attach(struct kt_ktls_support *support)
{
	int fd = open_loop();
	int err;

	if (fd < 0)
		return fd;
	err = kt_ktls_attach(fd);
	support->attach = !err;
	support->attach_err = -err;
	close(fd);
	return 0;
}

/* A socket of its own for each combination, as nothing takes a key out of one again. */
static int probe_cipher(struct kt_ktls_support *support, unsigned int version,
			enum kt_cipher cipher)
{
	bool *works = support->cipher[version][cipher];
	int fd = open_loop();

	if (fd < 0)
		return fd;
	if (kt_ktls_attach(fd))
		goto out;

	works[KT_TX] = !install_random(fd, KT_TX, versions[version], cipher);
	works[KT_RX] = !install_random(fd, KT_RX, versions[version], cipher);
	if (versions[version] == KT_TLS_1_3 && works[KT_TX] && !support->rekey)
		support->rekey = !install_random(fd, KT_TX, KT_TLS_1_3, cipher);
out:
	close(fd);
	return 0;
}

static int probe_ciphers(struct kt_ktls_support *support)
{
	for (unsigned int version = 0; version < 2; version++) {
		for (unsigned int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
			int err = probe_cipher(support, version, (enum kt_cipher)cipher);

			if (err)
				return err;
		}
	}
	return 0;
}

int kt_ktls_probe(struct kt_ktls_support *ret_support)
{
	struct kt_ktls_support support = {0};
	int err = probe_attach(&support);

	if (!err && support.attach)
		err = probe_ciphers(&support);
	if (err)
		return err;
	*ret_support = support;
	return 0;
}

bool kt_ktls_supports(const struct kt_ktls_support *support, uint16_t version,
		      enum kt_cipher cipher)
{
	if ((version != KT_TLS_1_2 && version != KT_TLS_1_3) ||
	    (unsigned int)cipher >= KT_CIPHER_COUNT)
		return false;

	const bool *works = support->cipher[version == KT_TLS_1_3][cipher];

	return works[KT_TX] && works[KT_RX];
}

unsigned int kt_ktls_missing(const struct kt_ktls_support *support, char buf[KT_KTLS_MISSING_MAX])
{
	static const char *const names[KT_CIPHER_COUNT] = {"AES-128-GCM", "AES-256-GCM",
							   "ChaCha20-Poly1305"};
	unsigned int count = 0;
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned int version = 0; version < 2; version++)
		for (unsigned int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++) {
			const bool *works = support->cipher[version][cipher];

			if (works[KT_TX] && works[KT_RX])
				continue;
			count++;
			used += (size_t)snprintf(buf + used, KT_KTLS_MISSING_MAX - used,
						 " TLS1.%u/%s%s", version + 2, names[cipher],
						 works[KT_RX]	? "/tx"
						 : works[KT_TX] ? "/rx"
								: "");
		}
	return count;
}
