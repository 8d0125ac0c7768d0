/* SPDX-License-Identifier: BSD-2-Clause */
#include "match.h"

#include <arpa/inet.h>
#include <string.h>

#include "general_name.h"
#include "host.h"
#include "mailbox.h"
#include "uri.h"

/* What is asked for, read once. */
struct reference {
	enum kt_general_name_type type;
	struct kt_der_view host;
	uint8_t address[sizeof(struct in6_addr)];
	size_t address_len;
	struct kt_mailbox mailbox;
	struct kt_uri uri;
};

/* ---- What is asked for ----------------------------------------------------------------------- */

static bool read_host(struct kt_der_view text, struct reference *reference)
{
	if (text.len > 0 && text.data[text.len - 1] == '.')
		text.len--;
	reference->type = KT_GENERAL_DNS;
	reference->host = text;
	return kt_host_is_loose_name(text) && !kt_host_is_numeric(text);
}

static bool read_address(const char *text, struct reference *reference)
{
	reference->type = KT_GENERAL_IP;
	reference->address_len = sizeof(struct in_addr);
	if (inet_pton(AF_INET, text, reference->address) == 1)
		return true;
	reference->address_len = sizeof(struct in6_addr);
	return inet_pton(AF_INET6, text, reference->address) == 1;
}

static bool read_reference(const struct kt_query *query, struct reference *reference)
{
	struct kt_der_view text = {(const uint8_t *)query->name, strlen(query->name)};

	switch (query->name_type) {
	case KT_NAME_DNS:
		return read_host(text, reference);
	case KT_NAME_IP:
		return read_address(query->name, reference);
	case KT_NAME_EMAIL:
		reference->type = KT_GENERAL_EMAIL;
		return kt_mailbox_read(text, &reference->mailbox);
	case KT_NAME_URI:
		reference->type = KT_GENERAL_URI;
		return kt_uri_read(text, &reference->uri);
	case KT_NAME_NONE:
		break;
	}
	return false;
}

/* ---- What is presented ----------------------------------------------------------------------- */

static bool has_two_labels(struct kt_der_view host)
{
	return memchr(host.data, '.', host.len) != NULL;
}

/* What equals a host name, or a part of it, is one: host is known to be. */
static bool host_matches(struct kt_der_view presented, struct kt_der_view host)
{
	if (!kt_host_strip_wildcard(&presented))
		return kt_host_equal(presented, host);
	return has_two_labels(presented) && kt_host_is_name(host) &&
	       kt_host_is_child(host, presented);
}

static bool mailbox_matches(struct kt_der_view presented, const struct kt_mailbox *mailbox)
{
	struct kt_mailbox other;

	return kt_mailbox_read(presented, &other) && kt_mailbox_equal(&other, mailbox);
}

static bool uri_matches(struct kt_der_view presented, const struct kt_uri *uri)
{
	struct kt_uri other;

	return kt_uri_read(presented, &other) && kt_uri_equal(&other, uri);
}

static bool name_matches(const struct kt_general_name *name, const struct reference *reference)
{
	if (name->type != reference->type)
		return false;
	switch (name->type) {
	case KT_GENERAL_DNS:
		return host_matches(name->content, reference->host);
	case KT_GENERAL_IP:
		return kt_der_equal(name->content, (struct kt_der_view){reference->address,
									reference->address_len});
	case KT_GENERAL_EMAIL:
		return mailbox_matches(name->content, &reference->mailbox);
	case KT_GENERAL_URI:
		return uri_matches(name->content, &reference->uri);
	default:
		return false;
	}
}

enum kt_verdict_code kt_match_names(struct kt_der_view names, const struct kt_query *query)
{
	struct reference reference;
	struct kt_general_name name;
	bool matched = false;

	if (query->name_type == KT_NAME_NONE)
		return query->role == KT_ROLE_CLIENT ? KT_ACCEPTED : KT_NAME_MISMATCH;
	if (!query->name || !read_reference(query, &reference))
		return KT_NAME_MISMATCH;
	while (names.len > 0) {
		if (!kt_general_name_read(&names, &name))
			return KT_NAME_MISMATCH;
		matched = matched || name_matches(&name, &reference);
	}
	return matched ? KT_ACCEPTED : KT_NAME_MISMATCH;
}
