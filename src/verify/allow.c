/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading allow rules. */
#include "allowed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../pool/name.h"
#include "host.h"

static const char not_a_host[] = "not a host name (write it in A-labels, without a final dot)";

static struct kt_der_view view(const char *text)
{
	return (struct kt_der_view){(const uint8_t *)text, strlen(text)};
}

/* ---- Each kind: NULL, or what is wrong and what would be right ------------------------------- */

static const char *read_dns(const char *text, struct kt_allow_rule *rule)
{
	rule->host = view(text);
	rule->kind = kt_host_strip_wildcard(&rule->host) ? KT_ALLOW_HOSTS_BELOW : KT_ALLOW_HOST;
	if (memchr(rule->host.data, '*', rule->host.len))
		return "a '*' that is not the whole first label (write *.NAME)";
	if (kt_host_is_numeric(rule->host))
		return "an address, or part of one (addresses have no rules; write a host name)";
	return kt_host_is_loose_name(rule->host) ? NULL : not_a_host;
}

static const char *read_uri(const char *text, struct kt_allow_rule *rule)
{
	if (kt_spiffe_is_meant(view(text))) {
		rule->kind = KT_ALLOW_SPIFFE;
		return kt_spiffe_read_pattern(view(text), &rule->spiffe);
	}
	rule->kind = KT_ALLOW_URI;
	if (strchr(text, '*'))
		return "a '*', which stands for something in spiffe:// alone (write the whole URI)";
	return kt_uri_read(view(text), &rule->uri) ? NULL
						   : "not a URI (write scheme://host/path, or "
						     "another scheme's form; no user, no blanks)";
}

static const char *read_email(const char *text, struct kt_allow_rule *rule)
{
	if (text[0] == '@') {
		rule->kind = KT_ALLOW_MAILBOXES_AT;
		rule->host = view(text + 1);
		return kt_host_is_name(rule->host) ? NULL : not_a_host;
	}
	rule->kind = KT_ALLOW_MAILBOX;
	if (strchr(text, '*'))
		return "a '*', which stands for nothing in mail addresses (@HOST is all of a host)";
	return kt_mailbox_read(view(text), &rule->mailbox)
		       ? NULL
		       : "not a mail address (write LOCAL@HOST, or @HOST for all of a host)";
}

/* RFC 5280 §A.1, RFC 4519 §2.39 */
static const struct {
	const char *name;
	const char *oid; /* content */
} types[] = {
	{"CN", "\x55\x04\x03"}, {"serialNumber", "\x55\x04\x05"},
	{"C", "\x55\x04\x06"},	{"L", "\x55\x04\x07"},
	{"ST", "\x55\x04\x08"}, {"O", "\x55\x04\x0a"},
	{"OU", "\x55\x04\x0b"}, {"UID", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"},
};

static bool find_type(const char *name, size_t len, struct kt_der_view *ret_type)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strlen(types[i].name) != len || strncasecmp(types[i].name, name, len))
			continue;
		*ret_type = view(types[i].oid);
		return true;
	}
	return false;
}

static const char *read_subject(const char *text, struct kt_allow_rule *rule)
{
	size_t len = strcspn(text, "=");

	rule->kind = KT_ALLOW_ATTRIBUTE;
	if (!text[len] || !find_type(text, len, &rule->attribute.type))
		return "not TYPE=VALUE (TYPE is CN, O, OU, C, L, ST, serialNumber or UID)";
	text += len + 1;
	rule->attribute.value = view(text);
	if (!kt_name_is_utf8(rule->attribute.value))
		return "not UTF-8";
	return text[strspn(text, " \t\n\v\f\r")] ? NULL : "no value (write TYPE=VALUE)";
}

/* ---- Any rule -------------------------------------------------------------------------------- */

static const struct {
	const char *prefix;
	const char *(*read)(const char *text, struct kt_allow_rule *rule);
} kinds[] = {
	{"dns:", read_dns},
	{"uri:", read_uri},
	{"email:", read_email},
	{"subject:", read_subject},
};

static const char *read_rule(const char *text, struct kt_allow_rule *rule)
{
	if (strlen(text) > KT_ALLOW_RULE_MAX)
		return "more than 2052 bytes (no rule is that long)";
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t len = strlen(kinds[i].prefix);

		if (!strncmp(text, kinds[i].prefix, len))
			return kinds[i].read(text + len, rule);
	}
	return "not a rule (write dns:NAME, uri:URI, email:ADDRESS or subject:TYPE=VALUE)";
}

int kt_allow_check(const char *rule, struct kt_error *error)
{
	struct kt_allow_rule read;
	const char *why = read_rule(rule, &read);

	return why ? kt_error_set(error, EINVAL, rule, 0, "%s", why) : 0;
}

static size_t size_of(const char *const *rules, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += strlen(rules[i]) + 1;
	return size;
}

/* All are rules: each is read again, where it stays. */
static void fill(struct kt_allow *allow, const char *const *rules, size_t count)
{
	char *at = allow->text;

	for (; allow->count < count; allow->count++) {
		size_t size = strlen(rules[allow->count]) + 1;

		memcpy(at, rules[allow->count], size);
		(void)read_rule(at, &allow->rules[allow->count]);
		at += size;
	}
}

int kt_allow_new(const char *const *rules, size_t count, struct kt_allow **ret_allow,
		 struct kt_error *error)
{
	struct kt_allow *allow;

	if (count == 0 || count > KT_ALLOW_RULES_MAX)
		return kt_error_set(error, EINVAL, "allow rules", 0,
				    "%zu of them (1 to %d can be; without a list all are allowed)",
				    count, KT_ALLOW_RULES_MAX);
	for (size_t i = 0; i < count; i++)
		if (kt_allow_check(rules[i], error))
			return -EINVAL;
	allow = calloc(1, sizeof *allow + count * sizeof allow->rules[0]);
	if (allow)
		allow->text = malloc(size_of(rules, count));
	if (!allow || !allow->text) {
		kt_allow_free(allow);
		return kt_error_set(error, ENOMEM, "allow rules", 0, "out of memory");
	}
	fill(allow, rules, count);
	*ret_allow = allow;
	return 0;
}

void kt_allow_free(struct kt_allow *allow)
{
	if (!allow)
		return;
	free(allow->text);
	free(allow);
}
