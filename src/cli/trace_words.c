/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <arpa/inet.h>
#include <time.h>

struct word {
	uint16_t value;
	const char *name;
};

static const struct word protocols[] = {
	{0x0303, "TLSv1.2"},
	{0x0304, "TLSv1.3"},
	{0, NULL},
};

/* IANA's names. */
static const struct word ciphers[] = {
	{0x1301, "TLS_AES_128_GCM_SHA256"},
	{0x1302, "TLS_AES_256_GCM_SHA384"},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
	{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
	{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
	{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
	{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
	{0, NULL},
};

static const char *word(const struct word *words, uint16_t value, char *buf)
{
	if (!value)
		return NULL;
	for (; words->name; words++)
		if (words->value == value)
			return words->name;
	snprintf(buf, KT_CLI_WORD_LEN, "0x%04x", value);
	return buf;
}

const char *kt_cli_trace_protocol(uint16_t protocol, char buf[static KT_CLI_WORD_LEN])
{
	return word(protocols, protocol, buf);
}

const char *kt_cli_trace_cipher(uint16_t cipher, char buf[static KT_CLI_WORD_LEN])
{
	return word(ciphers, cipher, buf);
}

const char *kt_cli_trace_time(int64_t time_ns, char buf[static KT_CLI_TIME_LEN])
{
	time_t seconds = time_ns / 1000000000;
	char date[24];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, KT_CLI_TIME_LEN, "%s.%09uZ", date, (unsigned int)(time_ns % 1000000000));
	return buf;
}

const char *kt_cli_trace_address(const struct kt_probe_handshake *handshake,
				 char buf[static KT_CLI_ADDRESS_LEN])
{
	char host[INET6_ADDRSTRLEN];
	bool v6 = handshake->peer_family == 6;

	if (!v6 && handshake->peer_family != 4)
		return NULL;
	inet_ntop(v6 ? AF_INET6 : AF_INET, handshake->peer_addr, host, sizeof host);
	snprintf(buf, KT_CLI_ADDRESS_LEN, v6 ? "[%s]:%u" : "%s:%u", host, handshake->peer_port);
	return buf;
}

const char *kt_cli_trace_hex(const uint8_t *bytes, size_t len, char *buf)
{
	for (size_t i = 0; i < len; i++)
		snprintf(buf + 2 * i, 3, "%02x", bytes[i]);
	return buf;
}

bool kt_cli_trace_has_anchor(const struct kt_probe_handshake *handshake)
{
	uint8_t any = 0;

	for (size_t i = 0; i < sizeof handshake->anchor; i++)
		any |= handshake->anchor[i];
	return any;
}

uint64_t kt_cli_trace_age_ns(const struct kt_trace_event *event)
{
	uint64_t start_ns;

	if (event->kind == KT_EVENT_CONN_END)
		return event->conn_end->age_ns;
	start_ns = event->socket_end->start_ns;
	return event->header->ktime_ns > start_ns ? event->header->ktime_ns - start_ns : 0;
}
