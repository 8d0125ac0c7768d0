/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define HOST_FLAGS (X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)

#define DNS_NAME_MAX  253 /* characters, without a final dot (RFC 1035 §3.1) */
#define DNS_LABEL_MAX 63

/* ---- The peer's name ------------------------------------------------------------------------- */

static bool is_label(const char *label, size_t len)
{
	if (!len || len > DNS_LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)label[i]) ||
		    (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_'))
			return false;
	return true;
}

/*
 * Length of the name without a final dot, 0 if it is no host name. What X509_check_host would
 * take for a pattern (a leading dot) must not reach it; a last label of digits alone is an address
 * that lost its way (RFC 1123 §2.1).
 */
static size_t host_name_len(const char *name)
{
	size_t len = strlen(name);
	const char *label = name, *end;
	bool digits = false;

	if (len && name[len - 1] == '.')
		len--;
	if (!len || len > DNS_NAME_MAX)
		return 0;
	for (end = name + len; label <= end;) {
		const char *dot = memchr(label, '.', (size_t)(end - label));
		size_t label_len = (size_t)((dot ? dot : end) - label);

		if (!is_label(label, label_len))
			return 0;
		digits = strspn(label, "0123456789") >= label_len;
		label += label_len + 1;
	}
	return digits ? 0 : len;
}

static int match_dns(X509 *leaf, const char *name)
{
	size_t len = host_name_len(name);

	return len ? X509_check_host(leaf, name, len, HOST_FLAGS, NULL) : 0;
}

static int match_ip(X509 *leaf, const char *text)
{
	uint8_t address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, text, address) == 1)
		return X509_check_ip(leaf, address, sizeof(struct in_addr), 0);
	if (inet_pton(AF_INET6, text, address) == 1)
		return X509_check_ip(leaf, address, sizeof(struct in6_addr), 0);
	return 0;
}

enum kt_verdict_code kt_names_match(X509 *leaf, const struct kt_query *query)
{
	int matched = 0;

	if (query->name_type == KT_NAME_NONE)
		return query->role == KT_ROLE_CLIENT ? KT_ACCEPTED : KT_NAME_MISMATCH;
	if (!query->name)
		return KT_NAME_MISMATCH;
	if (query->name_type == KT_NAME_DNS)
		matched = match_dns(leaf, query->name);
	else if (query->name_type == KT_NAME_IP)
		matched = match_ip(leaf, query->name);
	if (matched < 0)
		return KT_INTERNAL;
	return matched == 1 ? KT_ACCEPTED : KT_NAME_MISMATCH;
}

/* ---- An anchor's name ------------------------------------------------------------------------ */

/* Bytes of the UTF-8 character that starts with c; OpenSSL has made the text well-formed. */
static size_t utf8_len(uint8_t c)
{
	if (c < 0x80)
		return 1;
	if (c < 0xe0)
		return 2;
	return c < 0xf0 ? 3 : 4;
}

static bool is_control(const uint8_t *c)
{
	return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0);
}

static void copy_printable(const uint8_t *text, size_t len, char *buf, size_t size)
{
	size_t used = 0, step;

	for (size_t at = 0; at < len; at += step) {
		step = utf8_len(text[at]);
		if (at + step > len || used + step >= size)
			break;
		if (is_control(text + at)) {
			buf[used++] = '?';
		} else {
			memcpy(buf + used, text + at, step);
			used += step;
		}
	}
	buf[used] = '\0';
}

static bool print_field(const X509_NAME *name, int nid, char *buf, size_t size)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1), len;
	uint8_t *text;

	if (at < 0)
		return false;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len < 0)
		return false;
	copy_printable(text, (size_t)len, buf, size);
	OPENSSL_free(text);
	return *buf != '\0';
}

void kt_names_print_subject(const X509 *x509, char *buf, size_t size)
{
	static const int fields[] = {NID_commonName, NID_organizationalUnitName,
				     NID_organizationName};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (print_field(X509_get_subject_name(x509), fields[i], buf, size))
			return;
	snprintf(buf, size, "?");
}
