/* SPDX-License-Identifier: BSD-2-Clause */
#include <openssl/x509v3.h>

#include "../pool/der.h"
#include "../verify/general_name.h"
#include "../verify/x509.h"
#include "connection.h"

/* ---- Who the peer says it is ---------------------------------------------------------------- */

/* Bytes of a certificate are anybody's: what is not plain printable ASCII becomes '?'. */
static void copy_printable(const uint8_t *text, size_t len, char *buf, size_t size)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	buf[n] = '\0';
}

/* Of one subjectAltName, and no more (RFC 5280 §4.2), the first name that is a text. */
static bool copy_san(const X509 *leaf, char *buf, size_t size)
{
	int at = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1);
	const ASN1_OCTET_STRING *value;
	struct kt_der_view in;
	struct kt_der_item names;
	struct kt_general_name name;

	if (at < 0 || X509_get_ext_by_NID(leaf, NID_subject_alt_name, at) >= 0)
		return false;
	value = X509_EXTENSION_get_data(X509_get_ext(leaf, at));
	in = (struct kt_der_view){ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
	if (!kt_der_expect(&in, KT_DER_SEQUENCE, &names) || in.len)
		return false;
	while (kt_general_name_read(&names.content, &name)) {
		if (name.type == KT_GENERAL_URI || name.type == KT_GENERAL_DNS ||
		    name.type == KT_GENERAL_EMAIL) {
			copy_printable(name.content.data, name.content.len, buf, size);
			return true;
		}
	}
	return false;
}

void kt_peer_common_name(const X509 *leaf, char *buf, size_t size)
{
	X509_NAME *subject = X509_get_subject_name(leaf);
	uint8_t *text = NULL;
	int at = -1, last = -1, len;

	/* the most specific is the last */
	while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return;
	len = ASN1_STRING_to_UTF8(&text,
				  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	if (len >= 0)
		copy_printable(text, len, buf, size);
	OPENSSL_free(text);
}

/* ---- Whether we let it in ------------------------------------------------------------------- */

void kt_tls_judge(struct kt_tls *tls, X509 *leaf, STACK_OF(X509) * untrusted)
{
	struct kt_tls_context *context = tls->context;
	struct kt_query query = {.role = context->peer_role,
				 .policy = context->policy,
				 .allow = kt_pool_allow(tls->pool)};
	const struct kt_snapshot *snapshot;

	/* The name a client asks for is no name of its own. */
	if (query.role == KT_ROLE_SERVER) {
		query.name_type = tls->name_type;
		query.name = tls->name;
	}
	snapshot = kt_pool_read_begin(tls->pool);
	query.time = context->now(context->now_arg);
	kt_verify_x509(context->verifier, snapshot, leaf, untrusted, &query, &tls->verdict);
	kt_pool_read_end(tls->pool);
	tls->verified = true;
}

/*
 * libssl chooses the alert by the error in the X509_STORE_CTX: for each alert a verdict can call
 * for, an error that it turns into it.
 */
static int error_for_alert(uint8_t alert)
{
	switch (alert) {
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
		return X509_V_ERR_INVALID_PURPOSE;
	case SSL_AD_CERTIFICATE_REVOKED:
		return X509_V_ERR_CERT_REVOKED;
	case SSL_AD_CERTIFICATE_EXPIRED:
		return X509_V_ERR_CERT_HAS_EXPIRED;
	case SSL_AD_ACCESS_DENIED: /* its table has nothing for it: the nearest, see alert.c */
	case SSL_AD_CERTIFICATE_UNKNOWN:
		return X509_V_ERR_NO_EXPLICIT_POLICY; /* as any that its table lacks */
	case SSL_AD_UNKNOWN_CA:
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
	case SSL_AD_DECRYPT_ERROR:
		return X509_V_ERR_CERT_SIGNATURE_FAILURE;
	case SSL_AD_HANDSHAKE_FAILURE:
		return X509_V_ERR_APPLICATION_VERIFICATION;
	case SSL_AD_INTERNAL_ERROR:
		return X509_V_ERR_UNSPECIFIED;
	default:
		return X509_V_ERR_CERT_REJECTED; /* bad_certificate */
	}
}

int kt_tls_verify_peer(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct kt_tls *tls = SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	(void)arg;
	/* All of the peer's are decoded by now; what verifying decodes is not the peer's. */
	kt_decoded_stop();
	if (!copy_san(leaf, tls->peer, sizeof tls->peer))
		kt_peer_common_name(leaf, tls->peer, sizeof tls->peer);
	kt_tls_judge(tls, leaf, X509_STORE_CTX_get0_untrusted(store));
	if (tls->verdict.code == KT_ACCEPTED) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, error_for_alert(kt_verdict_alert(tls->verdict.code)));
	return 0;
}
