/* SPDX-License-Identifier: BSD-2-Clause */
/* A PROXY header that came before the client's bytes. */
#include <errno.h>
#include <string.h>

#include "proxy_v2.h"
#include "proxy_v2_format.h"

#define CRC_LEN 4

bool kt_proxy_may_begin(const uint8_t *data, size_t len)
{
	if (memcmp(data, SIGNATURE, len < SIGNATURE_LEN ? len : SIGNATURE_LEN) != 0)
		return false;
	return len <= SIGNATURE_LEN || data[12] == COMMAND_LOCAL || data[12] == COMMAND_PROXY;
}

static size_t get_length(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

size_t kt_proxy_rest_len(const uint8_t prefix[static KT_PROXY_PREFIX_LEN])
{
	return get_length(prefix + 14);
}

/* ---- CRC32c (RFC 3720 §B.4), the header's own field taken as zeros --------------------------- */

static uint32_t crc32c(const uint8_t *data, size_t len, size_t field)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= i >= field && i < field + CRC_LEN ? 0 : data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static bool has_right_crc(const uint8_t *header, size_t len, size_t field)
{
	uint32_t said = (uint32_t)header[field] << 24 | (uint32_t)header[field + 1] << 16 |
			(uint32_t)header[field + 2] << 8 | header[field + 3];

	return crc32c(header, len, field) == said;
}

/* Every TLV up to the end, at which the last one ends exactly. */
static int check_tlvs(const uint8_t *header, size_t len, size_t at)
{
	bool has_crc = false;

	while (at < len) {
		size_t value_len;

		if (len - at < TLV_HEADER_LEN)
			return -EPROTO;
		value_len = get_length(header + at + 1);
		if (value_len > len - at - TLV_HEADER_LEN)
			return -EPROTO;
		if (header[at] == TLV_CRC32C) {
			if (has_crc || value_len != CRC_LEN ||
			    !has_right_crc(header, len, at + TLV_HEADER_LEN))
				return -EPROTO;
			has_crc = true;
		}
		at += TLV_HEADER_LEN + value_len;
	}
	return 0;
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* Bytes of the addresses; -EPROTO: of no family that a stream of ours can have. */
static int ends_len(uint8_t family)
{
	switch (family) {
	case FAMILY_UNSPEC:
		return 0;
	case FAMILY_TCP4:
		return ENDS_TCP4_LEN;
	case FAMILY_TCP6:
		return ENDS_TCP6_LEN;
	case FAMILY_UNIX:
		return ENDS_UNIX_LEN;
	default:
		return -EPROTO;
	}
}

static void get_ends(uint8_t family, const uint8_t *at, struct kt_proxy_ends *ends)
{
	struct sockaddr_in *in = &ends->source.in, *in_to = &ends->destination.in;
	struct sockaddr_in6 *in6 = &ends->source.in6, *in6_to = &ends->destination.in6;

	if (family == FAMILY_TCP4) {
		in->sin_family = in_to->sin_family = AF_INET;
		memcpy(&in->sin_addr, at, 4);
		memcpy(&in_to->sin_addr, at + 4, 4);
		memcpy(&in->sin_port, at + 8, 2);
		memcpy(&in_to->sin_port, at + 10, 2);
	} else if (family == FAMILY_TCP6) {
		in6->sin6_family = in6_to->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, at, 16);
		memcpy(&in6_to->sin6_addr, at + 16, 16);
		memcpy(&in6->sin6_port, at + 32, 2);
		memcpy(&in6_to->sin6_port, at + 34, 2);
	}
}

int kt_proxy_parse(const uint8_t *header, size_t len, struct kt_proxy_ends *ret_ends)
{
	struct kt_proxy_ends ends = {0};
	int addresses;

	if (len < KT_PROXY_PREFIX_LEN || !kt_proxy_may_begin(header, KT_PROXY_PREFIX_LEN) ||
	    len - KT_PROXY_PREFIX_LEN != kt_proxy_rest_len(header))
		return -EPROTO;
	/* The sender's own connection: its family and all after it have no meaning (§2.2). */
	if (header[12] == COMMAND_LOCAL) {
		*ret_ends = ends;
		return 0;
	}
	addresses = ends_len(header[13]);
	if (addresses < 0 || len - KT_PROXY_PREFIX_LEN < (size_t)addresses ||
	    check_tlvs(header, len, KT_PROXY_PREFIX_LEN + (size_t)addresses))
		return -EPROTO;
	get_ends(header[13], header + KT_PROXY_PREFIX_LEN, &ends);
	*ret_ends = ends;
	return 0;
}
