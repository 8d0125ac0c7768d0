/* SPDX-License-Identifier: BSD-2-Clause */
/* Does an allow rule name a peer? */
#include "allowed.h"

#include <string.h>

#include "../pool/name.h"
#include "general_name.h"
#include "host.h"

/* ---- One rule beside one name ---------------------------------------------------------------- */

typedef bool test(const struct kt_allow_rule *rule, const void *presented);

/* The same wildcards as in match.h. */
static bool covers_hosts(struct kt_der_view presented, struct kt_der_view host)
{
	return kt_host_strip_wildcard(&presented) && memchr(host.data, '.', host.len) &&
	       kt_host_is_name(host) && kt_host_equal(presented, host);
}

static bool is_host(const struct kt_allow_rule *rule, const void *presented)
{
	const struct kt_der_view *host = presented;

	/* What equals a host name is one. */
	if (rule->kind == KT_ALLOW_HOST)
		return kt_host_equal(*host, rule->host);
	if (rule->kind != KT_ALLOW_HOSTS_BELOW)
		return false;
	return covers_hosts(*host, rule->host) ||
	       (kt_host_is_child(*host, rule->host) && kt_host_is_loose_name(*host));
}

static bool is_spiffe(const struct kt_allow_rule *rule, const void *presented)
{
	return rule->kind == KT_ALLOW_SPIFFE && kt_spiffe_matches(presented, &rule->spiffe);
}

static bool is_uri(const struct kt_allow_rule *rule, const void *presented)
{
	return rule->kind == KT_ALLOW_URI && kt_uri_equal(presented, &rule->uri);
}

static bool is_mailbox(const struct kt_allow_rule *rule, const void *presented)
{
	const struct kt_mailbox *mailbox = presented;

	if (rule->kind == KT_ALLOW_MAILBOXES_AT)
		return kt_host_equal(mailbox->host, rule->host);
	return rule->kind == KT_ALLOW_MAILBOX && kt_mailbox_equal(mailbox, &rule->mailbox);
}

static bool is_attribute(const struct kt_allow_rule *rule, const void *presented)
{
	const struct kt_name_attribute *attribute = presented;

	return rule->kind == KT_ALLOW_ATTRIBUTE &&
	       kt_der_equal(attribute->type, rule->attribute.type) &&
	       kt_name_value_is(&attribute->value, rule->attribute.value);
}

static bool any(const struct kt_allow *allow, test *names, const void *presented)
{
	for (size_t i = 0; i < allow->count; i++)
		if (names(&allow->rules[i], presented))
			return true;
	return false;
}

/* ---- All of a certificate -------------------------------------------------------------------- */

static bool any_names(const struct kt_allow *allow, const struct kt_general_name *name)
{
	struct kt_mailbox mailbox;
	struct kt_uri uri;

	switch (name->type) {
	case KT_GENERAL_DNS:
		return any(allow, is_host, &name->content);
	case KT_GENERAL_EMAIL:
		return kt_mailbox_read(name->content, &mailbox) && any(allow, is_mailbox, &mailbox);
	case KT_GENERAL_URI:
		return kt_uri_read(name->content, &uri) && any(allow, is_uri, &uri);
	default:
		return false;
	}
}

static bool any_names_workload(const struct kt_allow *allow, struct kt_der_view uri)
{
	struct kt_spiffe id;

	return kt_spiffe_read(uri, &id) && any(allow, is_spiffe, &id);
}

/* To the end in any case: what is malformed behind the right one counts too. */
static bool names_are_admitted(const struct kt_allow *allow, struct kt_der_view names)
{
	struct kt_der_view uri = {NULL, 0};
	struct kt_general_name name;
	bool admitted = false;
	size_t uris = 0;

	while (names.len > 0) {
		if (!kt_general_name_read(&names, &name))
			return false;
		admitted = admitted || any_names(allow, &name);
		if (name.type == KT_GENERAL_URI) {
			uri = name.content;
			uris++;
		}
	}
	/* With several URIs it is no SVID (X509-SVID §2). */
	return admitted || (uris == 1 && any_names_workload(allow, uri));
}

static bool subject_is_admitted(const struct kt_allow *allow, struct kt_der_view subject)
{
	struct kt_name_walk walk = kt_name_walk(subject);
	struct kt_name_attribute attribute;

	while (kt_name_walk_next(&walk, &attribute))
		if (any(allow, is_attribute, &attribute))
			return true;
	return false;
}

bool kt_allow_admits(const struct kt_allow *allow, struct kt_der_view names,
		     struct kt_der_view subject)
{
	return names_are_admitted(allow, names) || subject_is_admitted(allow, subject);
}
