/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PROXY header as a backend receives it, read as the protocol's document says and not as the
 * engine writes it.
 *
 * A header that does not follow the document ends the test (ASSERT). One thread.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_RECEIVED_H
#define KTRUST_SELFTESTS_ENGINE_RECEIVED_H

#include "rig.h"

struct tlv {
	bool there;
	const uint8_t *value;
	size_t len;
};

struct received {
	uint8_t bytes[4096];
	size_t len; /* behind the first 16 */
	uint8_t family;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	struct tlv tlvs[256], ssl[256];
	uint8_t client;
	uint32_t verify;
};

static inline void split_tlvs(const uint8_t *at, const uint8_t *end, struct tlv *tlvs)
{
	while (at < end) {
		struct tlv *tlv = &tlvs[at[0]];

		ASSERT_LE(3, end - at);
		ASSERT_FALSE(tlv->there);
		tlv->there = true;
		tlv->len = (size_t)(at[1] * 256 + at[2]);
		tlv->value = at + 3;
		at += 3 + tlv->len;
		ASSERT_LE(at, end);
	}
}

static inline void split_ssl(struct received *got)
{
	const struct tlv *ssl = &got->tlvs[0x20];

	ASSERT_TRUE(ssl->there);
	ASSERT_LE(5, ssl->len);
	got->client = ssl->value[0];
	for (int i = 1; i <= 4; i++)
		got->verify = got->verify << 8 | ssl->value[i];
	split_tlvs(ssl->value + 5, ssl->value + ssl->len, got->ssl);
}

static inline uint16_t port_at(const uint8_t *at)
{
	return (uint16_t)(at[0] * 256 + at[1]);
}

/* The header, and nothing of what follows it. It must have the TLV about TLS. */
static inline void receive(int backend, struct received *got)
{
	const uint8_t *rest = got->bytes + 16;
	size_t size;

	memset(got, 0, sizeof *got);
	recv_exactly(backend, got->bytes, 16);
	ASSERT_EQ(0,
		  memcmp("\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x21", got->bytes, 13));
	got->family = got->bytes[13];
	got->len = port_at(got->bytes + 14);
	ASSERT_GT(2048 - 16, got->len);
	recv_exactly(backend, got->bytes + 16, got->len);
	size = got->family == 0x11 ? 4 : got->family == 0x21 ? 16 : 0;
	memcpy(got->source, rest, size);
	memcpy(got->destination, rest + size, size);
	if (size) {
		got->source_port = port_at(rest + 2 * size);
		got->destination_port = port_at(rest + 2 * size + 2);
		rest += 2 * size + 4;
	}
	split_tlvs(rest, got->bytes + 16 + got->len, got->tlvs);
	split_ssl(got);
}

#endif
