/* SPDX-License-Identifier: BSD-2-Clause */
#include "x509.h"

#include <openssl/err.h>

#include "rule.h"
#include "x509_der.h"

/* What libssl holds, as bytes again. */
struct sent {
	X509 *x509s[KT_CHAIN_MAX];
	struct kt_der ders[KT_CHAIN_MAX];
	uint8_t *encoded[KT_CHAIN_MAX]; /* from OpenSSL's allocator; NULL: kept with the X509 */
	size_t count;
};

static bool add(struct sent *sent, X509 *x509)
{
	struct kt_der der = kt_x509_kept_der(x509);
	uint8_t *encoded = NULL;
	int len;

	if (!der.data) {
		len = i2d_X509(x509, &encoded);
		if (len <= 0)
			return false;
		der = (struct kt_der){encoded, (size_t)len};
	}
	sent->x509s[sent->count] = x509;
	sent->encoded[sent->count] = encoded;
	sent->ders[sent->count++] = der;
	return true;
}

/* Where the others begin: as libssl has it, the leaf is the first of them. */
static int first_other(X509 *leaf, const STACK_OF(X509) * untrusted)
{
	return sk_X509_num(untrusted) > 0 && sk_X509_value(untrusted, 0) == leaf;
}

static bool add_all(struct sent *sent, X509 *leaf, STACK_OF(X509) * untrusted)
{
	if (!add(sent, leaf))
		return false;
	for (int i = first_other(leaf, untrusted); i < sk_X509_num(untrusted); i++)
		if (!add(sent, sk_X509_value(untrusted, i)))
			return false;
	return true;
}

static bool are_too_many(X509 *leaf, const STACK_OF(X509) * untrusted)
{
	return 1 + sk_X509_num(untrusted) - first_other(leaf, untrusted) > KT_CHAIN_MAX;
}

static void free_all(struct sent *sent)
{
	for (size_t i = 0; i < sent->count; i++)
		OPENSSL_free(sent->encoded[i]);
}

static enum kt_verdict_code refuse(enum kt_rule_id rule, int depth,
				   const struct kt_snapshot *snapshot,
				   struct kt_verdict *ret_verdict)
{
	struct kt_snapshot_info info;

	*ret_verdict = (struct kt_verdict){
		.code = kt_rule_of(rule)->code, .depth = depth, .rule = kt_rule_of(rule)};
	if (snapshot) {
		kt_snapshot_describe(snapshot, &info);
		ret_verdict->pool_version = info.version;
		memcpy(ret_verdict->pool_digest, info.digest, KT_DIGEST_LEN);
	}
	ERR_clear_error();
	return ret_verdict->code;
}

enum kt_verdict_code kt_verify_x509(struct kt_verifier *verifier,
				    const struct kt_snapshot *snapshot, X509 *leaf,
				    STACK_OF(X509) * untrusted, const struct kt_query *query,
				    struct kt_verdict *ret_verdict)
{
	struct sent sent = {.count = 0};
	struct kt_chain chain = {.certs = sent.ders};
	enum kt_verdict_code code;

	if (!leaf || !snapshot)
		return kt_verify_decoded(verifier, snapshot, &chain, NULL, query, ret_verdict);
	if (untrusted && are_too_many(leaf, untrusted))
		return refuse(KT_RULE_TOO_MANY_CERTIFICATES, -1, snapshot, ret_verdict);
	if (!add_all(&sent, leaf, untrusted)) {
		code = refuse(KT_RULE_INTERNAL, -1, snapshot, ret_verdict);
	} else if (sent.encoded[0] && !kt_x509_is_key_of(leaf, &sent.ders[0])) {
		code = refuse(KT_RULE_MALFORMED, 0, snapshot, ret_verdict);
	} else {
		chain.count = sent.count;
		code = kt_verify_decoded(verifier, snapshot, &chain, sent.x509s, query,
					 ret_verdict);
	}
	free_all(&sent);
	ERR_clear_error();
	return code;
}
