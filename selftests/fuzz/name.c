/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing names: reading them, matching them, holding them against name constraints and allow
 * rules.
 *
 * An input is lines, in the words of selftests/verify/words.h: the leaf's subjectAltName, its
 * subject, permitted subtrees, excluded subtrees, what is asked for behind "d", "i", "e" or "u"
 * (DNS, IP, EMAIL, URI), and perhaps an allow rule. The same bytes are read as DER besides.
 *
 * Beside not reading astray: the budget only falls; a host that matches is one that the constraints
 * allow, whatever name it matched by; what we accept libcrypto accepts, where it can read it; what
 * a rule allows has the name that the rule is about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "../../src/verify/allowed.h"
#include "../../src/verify/general_name.h"
#include "../../src/verify/host.h"
#include "../../src/verify/match.h"
#include "../../src/verify/name_constraints.h"
#include "../../src/verify/permitted_dns.h"
#include "../../src/verify/subtree.h"
#include "../../src/verify/uri.h"
#include "../../src/verify/web_names.h"
#include "../verify/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET	  65536
#define TEXT_MAX  4096
#define LINES	  5
#define HOST_FLAG (X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)

struct input {
	struct words_der names, subject, permitted, excluded;
	struct kt_query query;
	const char *rule; /* NULL: none */
	struct kt_cert leaf, anchor;
};

static void require(bool what)
{
	if (!what)
		abort();
}

static struct kt_der_view view(const struct words_der *der)
{
	return (struct kt_der_view){der->bytes, der->len};
}

/* ---- Input ----------------------------------------------------------------------------------- */

static bool read_query(const char *line, struct kt_query *query)
{
	static const char types[] = "_dieu"; /* in the order of enum kt_name_type */
	const char *type = *line ? strchr(types, *line) : NULL;

	if (!type || type == types)
		return false;
	*query = (struct kt_query){
		.role = KT_ROLE_SERVER,
		.name_type = (enum kt_name_type)(type - types),
		.name = line + 1,
	};
	return true;
}

static bool read_input(char *text, struct input *input)
{
	char *lines[LINES];

	for (size_t i = 0; i < LINES; i++) {
		lines[i] = strsep(&text, "\n");
		if (!lines[i])
			return false;
	}
	if (!words_names(lines[0], &input->names) || !words_name(lines[1], &input->subject) ||
	    !words_subtrees(lines[2], &input->permitted) ||
	    !words_subtrees(lines[3], &input->excluded) || !read_query(lines[4], &input->query))
		return false;
	input->leaf = (struct kt_cert){
		.subject = view(&input->subject),
		.names = view(&input->names),
		.present = input->names.len ? KT_EXT_SUBJECT_ALT_NAME : 0,
		.critical = input->subject.len == 2 ? KT_EXT_SUBJECT_ALT_NAME : 0,
	};
	input->anchor = (struct kt_cert){
		.permitted = view(&input->permitted),
		.excluded = view(&input->excluded),
	};
	input->rule = text;
	return true;
}

/* ---- Ours alone ------------------------------------------------------------------------------ */

static bool is_allowed(const struct input *input)
{
	const struct kt_cert *path[] = {&input->leaf};
	unsigned int budget = BUDGET;
	enum kt_verdict_code code;
	const char *why = NULL;
	int depth = -1;

	code = kt_name_constraints_check(path, 1, &input->anchor, &budget, &depth, &why);
	require(budget <= BUDGET);
	if (code == KT_ACCEPTED) {
		require(!why && depth == -1);
		return true;
	}
	require(code == KT_NAME_CONSTRAINT || (code == KT_TOO_COMPLEX && budget == 0));
	require(why && (depth == 0 || depth == 1));
	return false;
}

/* Is host within a subtree? *ret_any: is there one for DNS? */
static bool is_host_within(struct kt_der_view host, struct kt_der_view subtrees, bool *ret_any)
{
	struct kt_general_name base;
	bool within = false;

	*ret_any = false;
	while (kt_subtree_read(&subtrees, &base)) {
		if (base.type != KT_GENERAL_DNS)
			continue;
		*ret_any = true;
		within = within || base.content.len == 0 || kt_host_is_within(host, base.content);
	}
	return within;
}

static void check_matched_host(const struct input *input)
{
	struct kt_der_view host = {(const uint8_t *)input->query.name, strlen(input->query.name)};
	bool any;

	if (host.len > 0 && host.data[host.len - 1] == '.')
		host.len--;
	require(!is_host_within(host, view(&input->excluded), &any));
	require(is_host_within(host, view(&input->permitted), &any) || !any);
}

static void check_web_names(const struct input *input)
{
	if (kt_web_names_check(&input->leaf))
		return;
	require(kt_general_names_are_well_formed(input->leaf.names));
}

/* A list of ours is stricter than a name constraint. */
static void check_permitted_list(struct input *input)
{
	require(words_subtrees("DNS:test", &input->permitted));
	input->excluded.len = 0;
	input->anchor.permitted = view(&input->permitted);
	input->anchor.excluded = view(&input->excluded);
	input->leaf.subject = (struct kt_der_view){(const uint8_t *)"\x30", 2};
	if (kt_permitted_dns_allows(input->leaf.names, "test") &&
	    !memchr(input->names.bytes, '_', input->names.len))
		require(is_allowed(input));
}

/* ---- Allow rules ----------------------------------------------------------------------------- */

static size_t count_uris(struct kt_der_view names)
{
	struct kt_general_name name;
	size_t uris = 0;

	while (kt_general_name_read(&names, &name))
		uris += name.type == KT_GENERAL_URI;
	return uris;
}

/* Returns whether it is a rule, and one that allows the leaf. */
static bool rule_allows(const struct input *input, const char *rule)
{
	struct kt_allow *allow;
	bool allowed;

	if (kt_allow_check(rule, NULL)) {
		require(kt_allow_new(&rule, 1, &allow, NULL) == -EINVAL);
		return false;
	}
	require(!kt_allow_new(&rule, 1, &allow, NULL));
	allowed = kt_allow_admits(allow, input->leaf.names, input->leaf.subject);
	if (allowed && allow->rules[0].kind != KT_ALLOW_ATTRIBUTE)
		require(kt_general_names_are_well_formed(input->leaf.names));
	if (allowed && allow->rules[0].kind == KT_ALLOW_SPIFFE)
		require(count_uris(input->leaf.names) == 1);
	kt_allow_free(allow);
	return allowed;
}

/* A rule for the very name that is asked for is at least as strict as asking for it. */
static void check_rules(const struct input *input, bool matched)
{
	static const char *const prefixes[] = {
		[KT_NAME_DNS] = "dns:", [KT_NAME_EMAIL] = "email:", [KT_NAME_URI] = "uri:"};
	const char *prefix = prefixes[input->query.name_type], *name = input->query.name;
	char rule[TEXT_MAX + 16];

	if (input->rule)
		rule_allows(input, input->rule);
	if (input->query.name_type == KT_NAME_IP || *name == '@' || strchr(name, '*'))
		return;
	strcpy(stpcpy(rule, prefix), name);
	require(!rule_allows(input, rule) || matched);
}

/* ---- And libcrypto's ------------------------------------------------------------------------- */

static size_t wrap(uint8_t tag, const uint8_t *content, size_t len, uint8_t *to)
{
	const uint8_t head[] = {tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(to, head, sizeof head);
	memcpy(to + sizeof head, content, len);
	return len + sizeof head;
}

static void add_names(X509 *x509, const struct words_der *names)
{
	uint8_t der[WORDS_MAX + 4];
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	require(octets &&
		ASN1_OCTET_STRING_set(octets, der, (int)wrap(0x30, names->bytes, names->len, der)));
	extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, octets);
	require(extension && X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
}

/* NULL: libcrypto cannot read the names. */
static X509 *make_x509(const struct input *input)
{
	const uint8_t *p = input->subject.bytes;
	X509_NAME *subject = d2i_X509_NAME(NULL, &p, (long)input->subject.len);
	GENERAL_NAMES *names;
	X509 *x509 = X509_new();

	require(x509 != NULL);
	if (!subject || !X509_set_version(x509, X509_VERSION_3) ||
	    !X509_set_subject_name(x509, subject))
		goto unreadable;
	if (input->names.len > 0)
		add_names(x509, &input->names);
	names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	if (!names && input->names.len > 0)
		goto unreadable;
	GENERAL_NAMES_free(names);
	X509_NAME_free(subject);
	return x509;
unreadable:
	X509_NAME_free(subject);
	X509_free(x509);
	return NULL;
}

static NAME_CONSTRAINTS *make_constraints(const struct input *input)
{
	static uint8_t parts[2 * WORDS_MAX + 16], whole[2 * WORDS_MAX + 32];
	const uint8_t *p = whole;
	size_t len = 0;

	if (input->permitted.len > 0)
		len += wrap(0xa0, input->permitted.bytes, input->permitted.len, parts + len);
	if (input->excluded.len > 0)
		len += wrap(0xa1, input->excluded.bytes, input->excluded.len, parts + len);
	len = wrap(0x30, parts, len, whole);
	return (NAME_CONSTRAINTS *)ASN1_item_d2i(NULL, &p, (long)len,
						 ASN1_ITEM_rptr(NAME_CONSTRAINTS));
}

static bool has_email_of_other_type(const X509_NAME *name)
{
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID(name, NID_pkcs9_emailAddress, at)) >= 0)
		if (ASN1_STRING_type(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) !=
		    V_ASN1_IA5STRING)
			return true;
	return false;
}

/*
 * To libcrypto the host goes up to the first colon, be it in the path, else to the first slash; to
 * RFC 3986 §3.2 it ends with the authority, which a query or a fragment may follow.
 */
static bool is_host_elsewhere(struct kt_der_view text)
{
	struct kt_der_view theirs;
	struct kt_uri uri;
	const uint8_t *end;

	if (!kt_uri_read(text, &uri) || !uri.host.data)
		return false;
	theirs = (struct kt_der_view){uri.host.data, uri.host.len + uri.rest.len};
	end = memchr(theirs.data, ':', theirs.len);
	if (!end)
		end = memchr(theirs.data, '/', theirs.len);
	return (end ? (size_t)(end - theirs.data) : theirs.len) != uri.host.len;
}

static bool has_host_elsewhere(struct kt_der_view names)
{
	struct kt_general_name name;

	while (kt_general_name_read(&names, &name))
		if (name.type == KT_GENERAL_URI && is_host_elsewhere(name.content))
			return true;
	return false;
}

static void compare_constraints(const struct input *input, X509 *x509)
{
	NAME_CONSTRAINTS *constraints = make_constraints(input);
	int code;

	if (!constraints)
		return;
	/* What makes it read the extensions. */
	X509_check_purpose(x509, -1, 0);
	code = NAME_CONSTRAINTS_check(x509, constraints);
	NAME_CONSTRAINTS_free(constraints);
	/* It refuses that without a subtree for mail, too: it is about no name of ours then. */
	if (code == X509_V_ERR_UNSUPPORTED_NAME_SYNTAX &&
	    has_email_of_other_type(X509_get_subject_name(x509)))
		return;
	if (code == X509_V_ERR_PERMITTED_VIOLATION && has_host_elsewhere(input->leaf.names))
		return;
	require(code == X509_V_OK || code == X509_V_ERR_OUT_OF_MEM);
}

static void compare_match(const struct kt_query *query, X509 *x509)
{
	size_t len = strlen(query->name);

	if (query->name_type == KT_NAME_DNS) {
		len -= query->name[len - 1] == '.';
		require(X509_check_host(x509, query->name, len, HOST_FLAG, NULL) == 1);
	} else if (query->name_type == KT_NAME_IP) {
		require(X509_check_ip_asc(x509, query->name, 0) == 1);
	} else if (query->name_type == KT_NAME_EMAIL) {
		require(X509_check_email(x509, query->name, len,
					 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) == 1);
	}
}

static void compare(const struct input *input, bool allowed, bool matched)
{
	X509 *x509;

	if (!allowed && !matched)
		return;
	x509 = make_x509(input);
	if (x509 && allowed)
		compare_constraints(input, x509);
	if (x509 && matched)
		compare_match(&input->query, x509);
	X509_free(x509);
	ERR_clear_error();
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void run_words(struct input *input)
{
	bool allowed = is_allowed(input);
	bool matched = kt_match_names(input->leaf.names, &input->query) == KT_ACCEPTED;

	if (matched && allowed && input->query.name_type == KT_NAME_DNS)
		check_matched_host(input);
	check_rules(input, matched);
	compare(input, allowed, matched);
	check_web_names(input);
	check_permitted_list(input);
}

static void run_der(const uint8_t *data, size_t size)
{
	static const struct kt_query query = {.name_type = KT_NAME_DNS, .name = "a.example.test"};
	const struct kt_der_view bytes = {data, size};
	const struct kt_cert cert = {
		.subject = bytes,
		.names = bytes,
		.permitted = bytes,
		.excluded = bytes,
		.present = KT_EXT_SUBJECT_ALT_NAME,
	};
	const struct kt_cert *path[] = {&cert, &cert};
	unsigned int budget = BUDGET;
	const char *why;
	int depth;

	if (!kt_general_names_are_well_formed(bytes))
		require(kt_match_names(bytes, &query) == KT_NAME_MISMATCH);
	if (kt_name_constraints_check(path, 2, &cert, &budget, &depth, &why) == KT_ACCEPTED)
		require(size == 0);
	kt_web_names_check(&cert);
	kt_permitted_dns_allows(bytes, "example.test");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct input input;
	char text[TEXT_MAX + 1];

	if (size > TEXT_MAX)
		return 0;
	run_der(data, size);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (read_input(text, &input))
		run_words(&input);
	return 0;
}
