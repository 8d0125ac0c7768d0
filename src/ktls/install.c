/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/ktls.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "crypto_info.h"
#include "socket_options.h"

int kt_ktls_attach(int fd)
{
	static const char ulp[] = KTLS_ULP;

	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, sizeof ulp) ? -errno : 0;
}

int kt_ktls_install(int fd, enum kt_direction direction, uint16_t version, enum kt_cipher cipher,
		    const struct kt_traffic_key *key)
{
	const int option = direction == KT_TX ? TLS_TX : TLS_RX;
	union ktls_crypto_info info;
	int len = kt_ktls_lay_out(version, cipher, key, &info);

	if (len < 0)
		return len;

	/* No way back from here: a success gives the kernel this direction's records. */
	int err = setsockopt(fd, SOL_TLS, option, &info, (socklen_t)len) ? -errno : 0;

	explicit_bzero(&info, sizeof info);
	return err;
}
