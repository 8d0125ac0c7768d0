/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the reading of certificates, beside libcrypto's.
 *
 * Every view lies inside the input; what is read, libcrypto reads as well (but see foreign.h), and
 * writes the same bytes again; and the two agree on every field that both have.
 */
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../../src/verify/cert.h"
#include "../../src/verify/general_name.h"
#include "foreign.h"
#include "mutate_der.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* ---- Views ------------------------------------------------------------------------------------
 */

static void require_inside(struct kt_der_view view, struct kt_der_view outer)
{
	const uint8_t *end = outer.data + outer.len;

	if (!view.len && !view.data)
		return;
	require(view.data >= outer.data && view.data <= end &&
		view.len <= (size_t)(end - view.data));
}

static void check_views(const struct kt_cert *cert)
{
	const struct kt_der_view in_tbs[] = {
		cert->serial,	  cert->issuer,	  cert->subject,  cert->key.spki,
		cert->key.bytes,  cert->key_id,	  cert->names,	  cert->authority_key_id,
		cert->permitted,  cert->excluded, cert->policies, cert->policy_mappings,
		cert->crl_points,
	};

	require_inside(cert->tbs, cert->der);
	require_inside(cert->signature, cert->der);
	for (size_t i = 0; i < sizeof in_tbs / sizeof in_tbs[0]; i++)
		require_inside(in_tbs[i], cert->tbs);
}

/* An extension that is absent says nothing. */
static void check_absent(const struct kt_cert *cert)
{
	require(!(cert->critical & ~cert->present & ~KT_EXT_UNKNOWN));
	require(!(cert->present & KT_EXT_UNKNOWN));
	require(kt_cert_has(cert, KT_EXT_KEY_USAGE) || cert->key_usage == UINT32_MAX);
	require(!kt_cert_has(cert, KT_EXT_KEY_USAGE) || cert->key_usage);
	require(kt_cert_has(cert, KT_EXT_EXTENDED_KEY_USAGE) || !cert->extended_key_usage);
	require(kt_cert_has(cert, KT_EXT_BASIC_CONSTRAINTS) || !cert->ca);
	require(cert->ca || cert->path_len == KT_SKIP_NEVER);
	require(kt_cert_has(cert, KT_EXT_SUBJECT_ALT_NAME) == !!cert->names.len);
	require(kt_cert_has(cert, KT_EXT_SUBJECT_KEY_ID) == !!cert->key_id.len);
	require(cert->version == 3 || !(cert->present | cert->critical));
}

/* ---- Form ---------------------------------------------------------------------
 */

static void check_again(const struct kt_cert *cert, X509 *x509)
{
	uint8_t *again = NULL;
	int len = i2d_X509(x509, &again);

	require(len > 0 && kt_der_equal(cert->der, (struct kt_der_view){again, (size_t)len}));
	OPENSSL_free(again);
}

/* ---- Fields -----------------------------------------------------------------------------------
 */

static void check_integer(struct kt_der_view content, const ASN1_INTEGER *integer)
{
	struct kt_der_item item;
	uint8_t *der = NULL;
	int len = i2d_ASN1_INTEGER(integer, &der);
	struct kt_der_view in = {der, (size_t)len};

	require(len > 0 && kt_der_expect(&in, KT_DER_INTEGER, &item));
	require(kt_der_equal(item.content, content));
	OPENSSL_free(der);
}

static void check_name(struct kt_der_view name, const X509_NAME *theirs)
{
	const uint8_t *der;
	size_t len;

	require(X509_NAME_get0_der(theirs, &der, &len) == 1);
	require(kt_der_equal(name, (struct kt_der_view){der, len}));
}

static void check_time(int64_t seconds, const ASN1_TIME *time)
{
	struct tm tm;

	require(ASN1_TIME_to_tm(time, &tm) == 1 && timegm(&tm) == seconds);
}

static void check_octets(struct kt_der_view ours, const ASN1_OCTET_STRING *theirs)
{
	require(!ours.len == !theirs);
	if (theirs)
		require(kt_der_equal(ours,
				     (struct kt_der_view){ASN1_STRING_get0_data(theirs),
							  (size_t)ASN1_STRING_length(theirs)}));
}

static void check_fields(const struct kt_cert *cert, X509 *x509)
{
	const ASN1_BIT_STRING *signature;

	require(X509_get_version(x509) + 1 == (long)cert->version);
	check_integer(cert->serial, X509_get0_serialNumber(x509));
	check_name(cert->issuer, X509_get_issuer_name(x509));
	check_name(cert->subject, X509_get_subject_name(x509));
	check_time(cert->not_before, X509_get0_notBefore(x509));
	check_time(cert->not_after, X509_get0_notAfter(x509));
	X509_get0_signature(&signature, NULL, x509);
	require(kt_der_equal(cert->signature,
			     (struct kt_der_view){signature->data, (size_t)signature->length}));
	if (cert->self_issued)
		require(!X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(x509)));
}

/* A point may lie off its curve; else what we call a key is one, and no smaller than we say. */
static void check_key(const struct kt_key *key, const X509 *x509)
{
	const EVP_PKEY *theirs = X509_get0_pubkey(x509);

	if (key->type == KT_KEY_RSA)
		require(theirs && EVP_PKEY_get_bits(theirs) == (int)key->bits);
	if (key->type == KT_KEY_ED25519)
		require(theirs && EVP_PKEY_is_a(theirs, "ED25519"));
	if (key->type == KT_KEY_P256 && theirs)
		require(EVP_PKEY_is_a(theirs, "EC") && EVP_PKEY_get_bits(theirs) == 256);
}

/* ---- Extensions -------------------------------------------------------------------------------
 */

static const struct {
	int nid;
	uint32_t bit;
} known[] = {
	{NID_subject_key_identifier, KT_EXT_SUBJECT_KEY_ID},
	{NID_key_usage, KT_EXT_KEY_USAGE},
	{NID_subject_alt_name, KT_EXT_SUBJECT_ALT_NAME},
	{NID_issuer_alt_name, KT_EXT_ISSUER_ALT_NAME},
	{NID_basic_constraints, KT_EXT_BASIC_CONSTRAINTS},
	{NID_name_constraints, KT_EXT_NAME_CONSTRAINTS},
	{NID_crl_distribution_points, KT_EXT_CRL_POINTS},
	{NID_certificate_policies, KT_EXT_POLICIES},
	{NID_policy_mappings, KT_EXT_POLICY_MAPPINGS},
	{NID_authority_key_identifier, KT_EXT_AUTHORITY_KEY_ID},
	{NID_policy_constraints, KT_EXT_POLICY_CONSTRAINTS},
	{NID_ext_key_usage, KT_EXT_EXTENDED_KEY_USAGE},
	{NID_inhibit_any_policy, KT_EXT_INHIBIT_ANY_POLICY},
	{NID_info_access, KT_EXT_AUTHORITY_INFO},
};

static uint32_t bit_of(int nid)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].nid == nid)
			return known[i].bit;
	return KT_EXT_UNKNOWN;
}

static void check_presence(const struct kt_cert *cert, X509 *x509)
{
	uint32_t present = 0, critical = 0, bit;

	for (int i = 0; i < X509_get_ext_count(x509); i++) {
		const X509_EXTENSION *extension = X509_get_ext(x509, i);

		bit = bit_of(OBJ_obj2nid(X509_EXTENSION_get_object((X509_EXTENSION *)extension)));
		require(bit == KT_EXT_UNKNOWN || !(present & bit));
		present |= bit;
		if (X509_EXTENSION_get_critical(extension))
			critical |= bit;
	}
	require((present & ~KT_EXT_UNKNOWN) == cert->present);
	require(critical == cert->critical);
}

static void check_usages(const struct kt_cert *cert, X509 *x509)
{
	uint32_t theirs = X509_get_key_usage(x509), purposes;

	if (!kt_cert_has(cert, KT_EXT_KEY_USAGE))
		require(theirs == UINT32_MAX);
	else
		for (unsigned int bit = 0; bit < 16; bit++)
			require(!(cert->key_usage & 1u << bit) ==
				!(theirs & (bit < 8 ? 0x80u >> bit : 0x8000u >> (bit - 8))));
	if (!kt_cert_has(cert, KT_EXT_EXTENDED_KEY_USAGE))
		return;
	purposes = X509_get_extended_key_usage(x509);
	require(!(purposes & XKU_SSL_SERVER) == !(cert->extended_key_usage & KT_EKU_SERVER));
	require(!(purposes & XKU_SSL_CLIENT) == !(cert->extended_key_usage & KT_EKU_CLIENT));
	require(!(purposes & XKU_ANYEKU) == !(cert->extended_key_usage & KT_EKU_ANY));
}

static void check_constraints(const struct kt_cert *cert, X509 *x509)
{
	bool ca = kt_cert_has(cert, KT_EXT_BASIC_CONSTRAINTS) &&
		  (X509_get_extension_flags(x509) & EXFLAG_CA);
	long theirs = X509_get_pathlen(x509);

	require(ca == cert->ca);
	if (cert->path_len == KT_SKIP_NEVER)
		require(theirs == -1);
	else if (cert->path_len < KT_SKIP_NEVER - 1)
		require(theirs == (long)cert->path_len);
	else
		require(theirs == -1 || theirs >= 1 << 24);
}

static void check_names(const struct kt_cert *cert, X509 *x509)
{
	GENERAL_NAMES *theirs = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	struct kt_der_view rest = cert->names;
	struct kt_general_name name;
	int count = 0;

	for (; kt_general_name_read(&rest, &name); count++)
		require(!theirs || sk_GENERAL_NAME_value(theirs, count)->type == (int)name.type);
	require(!theirs || sk_GENERAL_NAME_num(theirs) == count);
	GENERAL_NAMES_free(theirs);
}

static void check_extensions(const struct kt_cert *cert, X509 *x509)
{
	check_presence(cert, x509);
	check_names(cert, x509);
	if (foreign_in_extensions(x509))
		return;
	X509_check_purpose(x509, -1, 0);
	require(!(X509_get_extension_flags(x509) & EXFLAG_INVALID));
	check_usages(cert, x509);
	check_constraints(cert, x509);
	check_octets(cert->key_id, X509_get0_subject_key_id(x509));
	check_octets(cert->authority_key_id, X509_get0_authority_key_id(x509));
}

/* ---- Both -------------------------------------------------------------------------------------
 */

static void compare(const struct kt_cert *cert)
{
	const uint8_t *at = cert->der.data;
	X509 *x509 = d2i_X509(NULL, &at, (long)cert->der.len);

	if (!x509) {
		require(foreign_in_form(cert));
	} else {
		check_again(cert, x509);
		check_fields(cert, x509);
		check_key(&cert->key, x509);
		check_extensions(cert, x509);
	}
	X509_free(x509);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_cert cert;

	if (kt_cert_read(data, size, &cert))
		return 0;
	require(cert.der.data == data && cert.der.len == size);
	check_views(&cert);
	check_absent(&cert);
	compare(&cert);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate_der(data, size, max_size, seed);
}
