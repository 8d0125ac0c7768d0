/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules.h"

#include <string.h>
#include <strings.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* X509_check_ca: v3 with basicConstraints CA:TRUE; its other yeses are guesses. */
#define CA_BY_BASIC_CONSTRAINTS 1

/* X509_get_ext_d2i's third argument, where it returns NULL; else it failed */
#define EXTENSION_ABSENT -1
#define EXTENSION_TWICE	 -2

enum kt_verdict_code kt_rules_check_time(const X509 *x509, int64_t time)
{
	time_t when = (time_t)time;
	int before = X509_cmp_time(X509_get0_notBefore(x509), &when);
	int after = X509_cmp_time(X509_get0_notAfter(x509), &when);

	if (!before || !after)
		return KT_MALFORMED;
	if (after < 0)
		return KT_EXPIRED;
	return before > 0 ? KT_NOT_YET_VALID : KT_ACCEPTED;
}

static bool eku_allows(X509 *x509, enum kt_role role)
{
	uint32_t purpose = role == KT_ROLE_CLIENT ? XKU_SSL_CLIENT : XKU_SSL_SERVER;

	/* All bits set: the extension is absent. */
	return (X509_get_extended_key_usage(x509) & purpose) != 0;
}

static bool has(const X509 *x509, int nid)
{
	return X509_get_ext_by_NID(x509, nid, -1) >= 0;
}

static bool policies_are_whole(const X509 *x509)
{
	return has(x509, NID_certificate_policies) || !has(x509, NID_policy_constraints);
}

static enum kt_verdict_code check_leaf(X509 *leaf, enum kt_role role)
{
	if (X509_get_version(leaf) < X509_VERSION_3 && X509_get_ext_count(leaf) > 0)
		return KT_MALFORMED;
	if (X509_check_ca(leaf))
		return KT_CA_AS_LEAF;
	if (has(leaf, NID_name_constraints))
		return KT_NAME_CONSTRAINT;
	if (!eku_allows(leaf, role) || !policies_are_whole(leaf) ||
	    !(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		return KT_WRONG_PURPOSE;
	return KT_ACCEPTED;
}

static enum kt_verdict_code check_issuer(X509 *issuer, enum kt_role role)
{
	if (X509_check_ca(issuer) != CA_BY_BASIC_CONSTRAINTS)
		return KT_NOT_A_CA;
	if (!eku_allows(issuer, role) || !policies_are_whole(issuer))
		return KT_WRONG_PURPOSE;
	return KT_ACCEPTED;
}

/* ---- Wildcards and excluded names ------------------------------------------------------------ */

/* "*.D" covers x.D for every label x, hence an excluded x.D too, which OpenSSL lets through. */
static bool wildcard_covers(const ASN1_STRING *name, const ASN1_STRING *base)
{
	const char *suffix = (const char *)ASN1_STRING_get0_data(name) + 1; /* ".D" */
	const char *text = (const char *)ASN1_STRING_get0_data(base);
	size_t suffix_len = (size_t)ASN1_STRING_length(name) - 1;
	size_t len = (size_t)ASN1_STRING_length(base);

	if (len && *text == '.') {
		text++;
		len--;
	}
	if (len <= suffix_len || strncasecmp(text + len - suffix_len, suffix, suffix_len))
		return false;
	return !memchr(text, '.', len - suffix_len);
}

static bool is_wildcard(const GENERAL_NAME *name)
{
	return name->type == GEN_DNS && ASN1_STRING_length(name->d.dNSName) > 2 &&
	       !memcmp(ASN1_STRING_get0_data(name->d.dNSName), "*.", 2);
}

static bool is_excluded(const GENERAL_NAME *name, const NAME_CONSTRAINTS *limits)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(limits->excludedSubtrees); i++) {
		const GENERAL_NAME *base =
			sk_GENERAL_SUBTREE_value(limits->excludedSubtrees, i)->base;

		if (base->type == GEN_DNS && wildcard_covers(name->d.dNSName, base->d.dNSName))
			return true;
	}
	return false;
}

/*
 * *ret_value NULL and KT_ACCEPTED: the extension is absent. What is there and cannot be had must
 * not pass for absent.
 */
static enum kt_verdict_code read_extension(const X509 *x509, int nid, void **ret_value)
{
	int critical;
	void *value = X509_get_ext_d2i(x509, nid, &critical, NULL);

	if (!value && critical == EXTENSION_TWICE)
		return KT_MALFORMED;
	if (!value && critical != EXTENSION_ABSENT)
		return KT_INTERNAL;
	*ret_value = value;
	return KT_ACCEPTED;
}

static enum kt_verdict_code check_names(const GENERAL_NAMES *names, const X509 *issuer)
{
	void *limits;
	enum kt_verdict_code code = read_extension(issuer, NID_name_constraints, &limits);

	if (code != KT_ACCEPTED || !limits)
		return code;
	for (int i = 0; code == KT_ACCEPTED && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (is_wildcard(name) && is_excluded(name, limits))
			code = KT_NAME_CONSTRAINT;
	}
	NAME_CONSTRAINTS_free(limits);
	return code;
}

/* ---- The path -------------------------------------------------------------------------------- */

static X509 *issuer_at(const struct kt_path *path, int depth)
{
	return depth < path->count ? path->certs[depth] : path->anchor;
}

static enum kt_verdict_code check_wildcards(const struct kt_path *path)
{
	void *names;
	enum kt_verdict_code code = read_extension(path->certs[0], NID_subject_alt_name, &names);

	if (code != KT_ACCEPTED || !names)
		return code;
	for (int depth = 1; code == KT_ACCEPTED && depth <= path->count; depth++)
		code = check_names(names, issuer_at(path, depth));
	GENERAL_NAMES_free(names);
	return code;
}

enum kt_verdict_code kt_rules_check_path(const struct kt_path *path, enum kt_role role,
					 int *ret_depth)
{
	enum kt_verdict_code code = check_leaf(path->certs[0], role);
	int depth = 0;

	while (code == KT_ACCEPTED && depth < path->count)
		code = check_issuer(issuer_at(path, ++depth), role);
	if (code == KT_ACCEPTED) {
		code = check_wildcards(path);
		depth = code == KT_INTERNAL ? -1 : 0;
	}
	if (code != KT_ACCEPTED)
		*ret_depth = depth;
	return code;
}
