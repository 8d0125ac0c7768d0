/* SPDX-License-Identifier: BSD-2-Clause */
#include "web.h"

#include <string.h>

#include "web_names.h"

#define SERIAL_MAX 20 /* bytes (RFC 5280 §4.1.2.2) */

#define MUST_NOT_BE_CRITICAL                                                                       \
	(KT_EXT_SUBJECT_KEY_ID | KT_EXT_AUTHORITY_KEY_ID | KT_EXT_AUTHORITY_INFO)
/* Of a CA; §4.2.1.9, §4.2.1.10, §4.2.1.11, §4.2.1.14 */
#define MUST_BE_CRITICAL                                                                           \
	(KT_EXT_BASIC_CONSTRAINTS | KT_EXT_NAME_CONSTRAINTS | KT_EXT_POLICY_CONSTRAINTS |          \
	 KT_EXT_INHIBIT_ANY_POLICY)

#define EMPTY_NAME_LEN 2 /* bytes of a Name without attributes */

/* ---- Every certificate ----------------------------------------------------------------------- */

static bool is_good_serial(struct kt_der_view serial)
{
	return serial.len <= SERIAL_MAX && !(serial.data[0] & 0x80) &&
	       (serial.len > 1 || serial.data[0] != 0);
}

static enum kt_rule_id check_any(const struct kt_cert *cert)
{
	if (cert->issuer.len == EMPTY_NAME_LEN)
		return KT_RULE_WEB_EMPTY_ISSUER;
	if (cert->key.type == KT_KEY_RSA && cert->key.bits % 8)
		return KT_RULE_WEB_KEY_SIZE;
	if (cert->critical & MUST_NOT_BE_CRITICAL)
		return KT_RULE_WEB_MUST_NOT_BE_CRITICAL;
	return cert->authority_names_issuer ? KT_RULE_WEB_AUTHORITY_NAMES_ISSUER : KT_RULE_NONE;
}

static enum kt_rule_id check_issued(const struct kt_cert *cert)
{
	if (cert->version != 3)
		return KT_RULE_WEB_VERSION;
	if (!is_good_serial(cert->serial))
		return KT_RULE_WEB_SERIAL;
	if (!cert->authority_key_id.len)
		return KT_RULE_WEB_AUTHORITY_KEY_ID;
	return check_any(cert);
}

/* ---- CAs ------------------------------------------------------------------------------------- */

/* That its subject is not empty (RFC 5280 §4.1.2.6) shows in what it issued. */
static enum kt_rule_id check_ca(const struct kt_cert *ca)
{
	if (!ca->key_id.len)
		return KT_RULE_WEB_KEY_ID;
	if (!kt_cert_has(ca, KT_EXT_KEY_USAGE))
		return KT_RULE_WEB_KEY_USAGE;
	if (ca->present & MUST_BE_CRITICAL & ~ca->critical)
		return KT_RULE_WEB_MUST_BE_CRITICAL;
	return KT_RULE_NONE;
}

static enum kt_rule_id check_root(const struct kt_cert *root)
{
	if (kt_cert_has(root, KT_EXT_EXTENDED_KEY_USAGE))
		return KT_RULE_WEB_ROOT_USAGE;
	if (root->authority_key_id.len && !kt_der_equal(root->authority_key_id, root->key_id))
		return KT_RULE_WEB_AUTHORITY_KEY_ID_DIFFERS;
	return KT_RULE_NONE;
}

enum kt_rule_id kt_web_check_anchor_form(const struct kt_cert *anchor)
{
	enum kt_rule_id rule = check_any(anchor);

	if (rule == KT_RULE_NONE)
		rule = check_ca(anchor);
	if (rule == KT_RULE_NONE && anchor->self_issued)
		rule = check_root(anchor);
	return rule;
}

enum kt_rule_id kt_web_check_anchor(const struct kt_cert *anchor, const uint8_t *fingerprint)
{
	return kt_web_is_known_root(fingerprint) ? KT_RULE_NONE : kt_web_check_anchor_form(anchor);
}

/* ---- The leaf -------------------------------------------------------------------------------- */

static struct kt_finding check_leaf(const struct kt_cert *leaf)
{
	enum kt_rule_id rule = check_issued(leaf);
	struct kt_finding finding;
	const char *why;

	if (rule == KT_RULE_NONE && !kt_cert_has(leaf, KT_EXT_EXTENDED_KEY_USAGE))
		rule = KT_RULE_WEB_NO_USAGE;
	if (rule == KT_RULE_NONE && (leaf->extended_key_usage & KT_EKU_ANY))
		rule = KT_RULE_WEB_ANY_USAGE;
	if (rule == KT_RULE_NONE && (leaf->critical & KT_EXT_EXTENDED_KEY_USAGE))
		rule = KT_RULE_WEB_MUST_NOT_BE_CRITICAL;
	if (rule != KT_RULE_NONE)
		return kt_found(rule, 0);
	why = kt_web_names_check(leaf);
	if (!why)
		return KT_FINE;
	finding = kt_found(KT_RULE_WEB_NAMES, 0);
	finding.why = why;
	return finding;
}

/* ---- The path -------------------------------------------------------------------------------- */

struct kt_finding kt_web_check(const struct kt_path *path)
{
	struct kt_finding finding = check_leaf(path->certs[0]);
	enum kt_rule_id rule = KT_RULE_NONE;

	if (!kt_is_fine(finding))
		return finding;
	for (int depth = 1; depth < path->count; depth++) {
		rule = check_issued(path->certs[depth]);
		if (rule == KT_RULE_NONE)
			rule = check_ca(path->certs[depth]);
		if (rule != KT_RULE_NONE)
			return kt_found(rule, depth);
	}
	rule = kt_web_check_anchor(path->anchor, path->origin->fingerprint);
	return rule == KT_RULE_NONE ? KT_FINE : kt_found(rule, path->count);
}
