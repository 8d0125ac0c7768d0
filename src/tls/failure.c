/* SPDX-License-Identifier: BSD-2-Clause */
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "connection.h"

/* Reasons of OpenSSL's TLS library that have a name of their own; the others are breaches. */
static const struct {
	int reason;
	const char *name;
} reasons[] = {
	{SSL_R_HTTP_REQUEST, "plain_http"},
	{SSL_R_HTTPS_PROXY_REQUEST, "plain_http"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "no_shared_version"},
	{SSL_R_VERSION_TOO_LOW, "no_shared_version"},
	{SSL_R_NO_SHARED_CIPHER, "no_shared_cipher"},
	{SSL_R_NO_SUITABLE_KEY_SHARE, "no_shared_cipher"},
	{SSL_R_NO_SUITABLE_GROUPS, "no_shared_cipher"},
	{SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no_shared_cipher"},
	{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no_shared_cipher"},
	{SSL_R_NO_APPLICATION_PROTOCOL, "no_shared_protocol"},
	{SSL_R_EXCESSIVE_MESSAGE_SIZE, "too_much_data"},
};

static const char *reason_name(int reason)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].reason == reason)
			return reasons[i].name;
	return NULL;
}

/* A verdict's name, where libssl judged before it asked us, or told us what we said. */
static const char *certificate_failure(const struct kt_tls *tls, int reason)
{
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return tls->verified ? kt_verdict_name(tls->verdict.code) : "internal";
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return kt_verdict_name(KT_NO_CERTIFICATE);
	case ERR_R_ASN1_LIB:
	case SSL_R_CERT_LENGTH_MISMATCH:
		return kt_verdict_name(KT_MALFORMED);
	default:
		return NULL;
	}
}

#define TAG_LEN 16 /* bytes, of each AEAD */

/* Under keys of TLS 1.2: until the Finished is read, ChangeCipherSpec was the last message. */
static bool reads_sealed(const struct kt_tls *tls)
{
	OSSL_HANDSHAKE_STATE state = SSL_get_state(tls->ssl);

	return SSL_version(tls->ssl) == TLS1_2_VERSION &&
	       (state == TLS_ST_OK || state == TLS_ST_SR_CHANGE || state == TLS_ST_CR_CHANGE);
}

/*
 * A record of TLS 1.2 that has no room for nonce and tag. libcrypto refuses to be told of it, which
 * libssl takes for a fault of its own.
 */
static bool record_was_too_short(const struct kt_tls *tls)
{
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);
	bool has_nonce = suite && suite->cipher != KT_CHACHA20_POLY1305;

	return reads_sealed(tls) &&
	       tls->record_len < TAG_LEN + (has_nonce ? KT_TLS_GCM_NONCE_LEN : 0);
}

static const char *name_of(const struct kt_tls *tls, unsigned long code, int *ret_alert)
{
	int reason = ERR_GET_REASON(code);
	const char *name;

	if (reason == ERR_R_INTERNAL_ERROR && record_was_too_short(tls))
		return "protocol_error";
	if (reason == ERR_R_MALLOC_FAILURE || reason == ERR_R_INTERNAL_ERROR)
		return "internal";
	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return NULL;
	/* OpenSSL encodes an alert that came in as a reason above this offset. */
	if (reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) {
		*ret_alert = reason - SSL_AD_REASON_OFFSET;
		return "peer_alert";
	}
	if (reason == SSL_R_CALLBACK_FAILED)
		return tls->hello_failure;
	name = certificate_failure(tls, reason);
	return name ? name : reason_name(reason);
}

const char *kt_tls_failure_name(const struct kt_tls *tls, int *ret_alert)
{
	const char *found = NULL;
	unsigned long code;
	bool any = false;

	/* The oldest entry is nearest to the cause; what a library below said may have no name. */
	while ((code = ERR_get_error())) {
		any = true;
		if (!found)
			found = name_of(tls, code, ret_alert);
	}
	if (found)
		return found;
	return any ? "protocol_error" : "internal";
}
