/* SPDX-License-Identifier: BSD-2-Clause */
/* What the certificates of both sides say, for others to decide by: whole, or not at all. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "connection.h"

/* ---- The peer's ------------------------------------------------------------------------------ */

static const char *san_kind(const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_URI:
		return "uri:";
	case GEN_DNS:
		return "dns:";
	case GEN_EMAIL:
		return "email:";
	default:
		return NULL;
	}
}

static bool is_plain(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return false;
	return len > 0;
}

static void copy_san(const GENERAL_NAME *name, const char *kind, struct kt_tls_names *names)
{
	const uint8_t *text = ASN1_STRING_get0_data(name->d.ia5);
	size_t len = (size_t)ASN1_STRING_length(name->d.ia5);

	if (is_plain(text, len) && strlen(kind) + len < sizeof names->peer_san)
		snprintf(names->peer_san, sizeof names->peer_san, "%s%.*s", kind, (int)len,
			 (const char *)text);
}

static void describe_san(const X509 *leaf, struct kt_tls_names *names)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	const char *kind = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && !kind; i++) {
		kind = san_kind(sk_GENERAL_NAME_value(all, i));
		if (kind)
			copy_san(sk_GENERAL_NAME_value(all, i), kind, names);
	}
	GENERAL_NAMES_free(all);
}

/* The most specific, which is the last. */
static const X509_NAME_ENTRY *common_name(const X509 *leaf)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int at = -1, last = -1;

	while ((at = X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, at)) >= 0)
		last = at;
	return last < 0 ? NULL : X509_NAME_get_entry(subject, last);
}

static bool has_no_control(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

static void describe_common_name(const X509 *leaf, struct kt_tls_names *names)
{
	const X509_NAME_ENTRY *entry = common_name(leaf);
	uint8_t *text = NULL;
	int len = entry ? ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry)) : -1;

	if (len >= 0 && (size_t)len < sizeof names->peer_common_name &&
	    has_no_control(text, (size_t)len)) {
		memcpy(names->peer_common_name, text, (size_t)len);
		names->peer_common_name[len] = '\0';
	}
	if (len >= 0)
		OPENSSL_free(text);
}

/* ---- Ours ------------------------------------------------------------------------------------ */

/* Of several the one that this handshake was signed with. NULL: a client. */
static const X509 *own_leaf(SSL *ssl)
{
	return SSL_set_current_cert(ssl, SSL_CERT_SET_SERVER) == 1 ? SSL_get_certificate(ssl)
								   : NULL;
}

static void describe_key(const EVP_PKEY *key, struct kt_tls_names *names)
{
	int id = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
	const char *kind = id == EVP_PKEY_EC				  ? "EC"
			   : id == EVP_PKEY_RSA || id == EVP_PKEY_RSA_PSS ? "RSA"
									  : NULL;

	if (kind)
		snprintf(names->own_key, sizeof names->own_key, "%s%d", kind, bits);
	else if (id > 0)
		snprintf(names->own_key, sizeof names->own_key, "%s", OBJ_nid2sn(id));
}

static void describe_own(SSL *ssl, struct kt_tls_names *names)
{
	const X509 *leaf = own_leaf(ssl);
	int nid = leaf ? X509_get_signature_nid(leaf) : NID_undef;

	if (nid != NID_undef)
		names->own_signature = OBJ_nid2sn(nid);
	if (leaf)
		describe_key(X509_get0_pubkey(leaf), names);
}

void kt_tls_describe_names(const struct kt_tls *tls, struct kt_tls_names *ret_names)
{
	struct kt_tls_names names = {.own_signature = ""};
	const X509 *peer = SSL_get0_peer_certificate(tls->ssl);

	if (peer) {
		describe_san(peer, &names);
		describe_common_name(peer, &names);
	}
	describe_own(tls->ssl, &names);
	ERR_clear_error();
	*ret_names = names;
}
