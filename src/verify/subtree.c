/* SPDX-License-Identifier: BSD-2-Clause */
#include "subtree.h"

#include <string.h>

#include "../pool/name.h"
#include "host.h"
#include "uri.h"

/* ---- Names ----------------------------------------------------------------------------------- */

static bool read_dns(struct kt_der_view text, struct kt_subtree_name *name)
{
	name->wildcard = kt_host_strip_wildcard(&text);
	name->host = text;
	return kt_host_is_name(text);
}

static bool read_mailbox(struct kt_der_view text, struct kt_subtree_name *name)
{
	if (!kt_mailbox_read(text, &name->mailbox))
		return false;
	name->host = name->mailbox.host;
	return true;
}

/* A constraint is about hosts by name: a URI without one cannot be asked. */
static bool read_uri(struct kt_der_view text, struct kt_subtree_name *name)
{
	struct kt_uri uri;

	if (!kt_uri_read(text, &uri))
		return false;
	name->host = uri.host;
	return kt_host_is_name(uri.host) && !kt_host_is_numeric(uri.host);
}

static bool read_name(const struct kt_general_name *general, struct kt_subtree_name *name)
{
	switch (general->type) {
	case KT_GENERAL_DNS:
		return read_dns(general->content, name);
	case KT_GENERAL_EMAIL:
		return read_mailbox(general->content, name);
	case KT_GENERAL_URI:
		return read_uri(general->content, name);
	case KT_GENERAL_DIRECTORY:
		return kt_name_is_comparable(general->content);
	case KT_GENERAL_IP:
		return true;
	case KT_GENERAL_OTHER:
	case KT_GENERAL_X400:
	case KT_GENERAL_EDI_PARTY:
	case KT_GENERAL_REGISTERED_ID:
		break;
	}
	return false;
}

struct kt_subtree_name kt_subtree_name_of(const struct kt_general_name *general)
{
	struct kt_subtree_name name = {.type = general->type, .value = general->content};

	name.comparable = read_name(general, &name);
	return name;
}

/* ---- Subtrees -------------------------------------------------------------------------------- */

static bool strip_dot(struct kt_der_view *host)
{
	if (host->len == 0 || host->data[0] != '.')
		return false;
	host->data++;
	host->len--;
	return true;
}

static bool is_dns_base(struct kt_der_view base)
{
	return base.len == 0 || kt_host_is_name(base);
}

static bool is_email_base(struct kt_der_view base)
{
	struct kt_mailbox mailbox;

	if (kt_mailbox_read(base, &mailbox))
		return true;
	strip_dot(&base);
	return kt_host_is_name(base);
}

static bool is_uri_base(struct kt_der_view base)
{
	strip_dot(&base);
	return kt_host_is_name(base) && !kt_host_is_numeric(base);
}

static struct kt_der_view address_of(struct kt_der_view base)
{
	return (struct kt_der_view){base.data, base.len / 2};
}

static struct kt_der_view mask_of(struct kt_der_view base)
{
	return (struct kt_der_view){base.data + base.len / 2, base.len / 2};
}

/* In the style of RFC 4632: ones, then zeros. */
static bool is_ip_base(struct kt_der_view base)
{
	struct kt_der_view mask = mask_of(base);
	bool ended = false;

	for (size_t i = 0; i < mask.len * 8; i++) {
		bool one = mask.data[i / 8] >> (7 - i % 8) & 1;

		if (one && ended)
			return false;
		ended = ended || !one;
	}
	return true;
}

static bool is_base(const struct kt_general_name *base)
{
	switch (base->type) {
	case KT_GENERAL_DNS:
		return is_dns_base(base->content);
	case KT_GENERAL_EMAIL:
		return is_email_base(base->content);
	case KT_GENERAL_URI:
		return is_uri_base(base->content);
	case KT_GENERAL_IP:
		return is_ip_base(base->content);
	case KT_GENERAL_DIRECTORY:
		return kt_name_is_comparable(base->content);
	case KT_GENERAL_OTHER:
	case KT_GENERAL_X400:
	case KT_GENERAL_EDI_PARTY:
	case KT_GENERAL_REGISTERED_ID:
		break;
	}
	return true;
}

/* A GeneralSubtree, whatever the form of its base. */
static bool read_subtree(struct kt_der_view *in, struct kt_general_name *ret_base)
{
	struct kt_der_item item;

	return kt_der_expect(in, KT_DER_SEQUENCE, &item) &&
	       kt_general_name_read_base(&item.content, ret_base) && !item.content.len;
}

bool kt_subtree_read(struct kt_der_view *in, struct kt_general_name *ret_base)
{
	struct kt_der_view rest = *in;
	struct kt_general_name base;

	if (!read_subtree(&rest, &base) || !is_base(&base))
		return false;
	*in = rest;
	*ret_base = base;
	return true;
}

static const char *dns_fault(struct kt_der_view base)
{
	if (base.data[0] == '.')
		return "a dNSName constraint begins with a dot, which only those on URIs may";
	return "a dNSName constraint is no host name";
}

/* Of a base whose form is not its type's. */
static const char *fault_of(const struct kt_general_name *base)
{
	switch (base->type) {
	case KT_GENERAL_DNS:
		return dns_fault(base->content);
	case KT_GENERAL_EMAIL:
		return "an rfc822Name constraint is neither a mailbox nor a host or domain";
	case KT_GENERAL_URI:
		return "a URI constraint is neither a host nor a domain";
	case KT_GENERAL_IP:
		return "the mask of an iPAddress constraint has a gap";
	default:
		return "a directoryName constraint holds bytes that are no text, or too large a "
		       "set";
	}
}

const char *kt_subtrees_fault(struct kt_der_view subtrees)
{
	struct kt_general_name base;

	while (subtrees.len > 0) {
		if (!read_subtree(&subtrees, &base))
			return "malformed name constraints";
		if (!is_base(&base))
			return fault_of(&base);
	}
	return NULL;
}

/* ---- The two --------------------------------------------------------------------------------- */

/* Every x.D is within base exactly if D is. */
static bool holds_all_hosts(struct kt_der_view base, const struct kt_subtree_name *name)
{
	return base.len == 0 || kt_host_is_within(name->host, base);
}

/* "*.D" reaches into base, too, where base is an x.D. */
static bool holds_any_host(struct kt_der_view base, const struct kt_subtree_name *name)
{
	return holds_all_hosts(base, name) ||
	       (name->wildcard && kt_host_is_child(base, name->host));
}

static bool holds_address(struct kt_der_view base, struct kt_der_view address)
{
	struct kt_der_view network = address_of(base), mask = mask_of(base);

	if (address.len != network.len)
		return false;
	for (size_t i = 0; i < address.len; i++)
		if ((address.data[i] ^ network.data[i]) & mask.data[i])
			return false;
	return true;
}

/* As EMAIL and URI have it: ".D" is what lies below D, and "D" is D alone. */
static bool holds_exact_host(struct kt_der_view base, struct kt_der_view host)
{
	return strip_dot(&base) ? kt_host_is_below(host, base) : kt_host_equal(host, base);
}

static bool holds_mailbox(struct kt_der_view base, const struct kt_mailbox *mailbox)
{
	struct kt_mailbox other;

	if (kt_mailbox_read(base, &other))
		return kt_mailbox_equal(&other, mailbox);
	return holds_exact_host(base, mailbox->host);
}

bool kt_subtree_holds_all(const struct kt_general_name *base, const struct kt_subtree_name *name)
{
	switch (base->type) {
	case KT_GENERAL_DNS:
		return holds_all_hosts(base->content, name);
	case KT_GENERAL_EMAIL:
		return holds_mailbox(base->content, &name->mailbox);
	case KT_GENERAL_URI:
		return holds_exact_host(base->content, name->host);
	case KT_GENERAL_IP:
		return holds_address(base->content, name->value);
	case KT_GENERAL_DIRECTORY:
		return kt_name_is_within(name->value, base->content);
	default:
		return false;
	}
}

bool kt_subtree_holds_any(const struct kt_general_name *base, const struct kt_subtree_name *name)
{
	if (base->type == KT_GENERAL_DNS)
		return holds_any_host(base->content, name);
	if (base->type == KT_GENERAL_DIRECTORY)
		return kt_name_may_be_within(name->value, base->content);
	return kt_subtree_holds_all(base, name);
}
