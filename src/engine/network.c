/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks: which addresses are in one. */
#include "engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* of an IPv4-mapped address, before the IPv4 one (RFC 4291 §2.5.5.2) */

/* Every address is kept as an IPv6 one, so that there is one comparison. */
static void map(const void *in, uint8_t ret_addr[static 16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(ret_addr, prefix, sizeof prefix);
	memcpy(ret_addr + sizeof prefix, in, 4);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return !rest || !((a[bits / 8] ^ b[bits / 8]) & mask);
}

static bool is_zero_behind(const uint8_t addr[static 16], unsigned int bits)
{
	for (unsigned int i = bits; i < 128; i++)
		if (addr[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

/* Digits, at most three. */
static bool parse_bits(const char *text, unsigned int most, unsigned int *ret_bits)
{
	size_t len = strlen(text);

	if (!len || len > 3 || strspn(text, "0123456789") != len)
		return false;
	*ret_bits = (unsigned int)strtoul(text, NULL, 10);
	return *ret_bits <= most;
}

static bool parse(const char *text, struct kt_network *network)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int first = 0, bits = 128;
	struct in_addr in;

	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &in) == 1) {
		map(&in, network->addr);
		first = MAPPED_BITS;
	} else if (inet_pton(AF_INET6, host, network->addr) != 1) {
		return false;
	}
	if (text[len]) {
		if (!parse_bits(text + len + 1, 128 - first, &bits))
			return false;
		bits += first;
	}
	network->bits = (uint8_t)bits;
	return true;
}

int kt_network_parse(const char *text, struct kt_network *ret_network, struct kt_error *error)
{
	struct kt_network made = {0};

	if (!parse(text, &made))
		return kt_error_set(error, EINVAL, text, 0,
				    "not a network (write ADDRESS/BITS, or one ADDRESS)");
	/* Either the address or the length is not what was meant. */
	if (!is_zero_behind(made.addr, made.bits))
		return kt_error_set(error, EINVAL, text, 0,
				    "there is more in the address than the length covers");
	*ret_network = made;
	return 0;
}

bool kt_network_has(const struct kt_network *network, const struct sockaddr *address)
{
	uint8_t addr[16];

	if (address->sa_family == AF_INET)
		map(&((const struct sockaddr_in *)address)->sin_addr, addr);
	else if (address->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof addr);
	else
		return false;
	return same_bits(addr, network->addr, network->bits);
}
