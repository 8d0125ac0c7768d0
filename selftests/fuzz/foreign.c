/* SPDX-License-Identifier: BSD-2-Clause */
#include "foreign.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../../src/pool/scan.h"
#include "require.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool reads(struct kt_der_view der, const ASN1_ITEM *type)
{
	const uint8_t *at = der.data;
	ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)der.len, type);

	ASN1_item_free(value, type);
	return value != NULL;
}

bool foreign_in_form(const struct kt_cert *cert)
{
	struct kt_scan scan;

	require(!kt_scan_certificate(cert->der.data, cert->der.len, &scan));
	return !reads(cert->issuer, ASN1_ITEM_rptr(X509_NAME)) ||
	       !reads(cert->subject, ASN1_ITEM_rptr(X509_NAME)) ||
	       !reads(scan.algorithm, ASN1_ITEM_rptr(X509_ALGOR)) ||
	       !reads(scan.spki, ASN1_ITEM_rptr(X509_PUBKEY));
}

static bool is_one_of(int nid, const int *nids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (nids[i] == nid)
			return true;
	return false;
}

static bool decodes(X509_EXTENSION *extension, int nid)
{
	void *value = X509V3_EXT_d2i(extension);

	if (value)
		ASN1_item_free(value, ASN1_ITEM_ptr(X509V3_EXT_get_nid(nid)->it));
	return value != NULL;
}

bool foreign_in_extensions(X509 *x509)
{
	static const int unread[] = {NID_proxyCertInfo, NID_sbgp_ipAddrBlock,
				     NID_sbgp_autonomousSysNum, NID_netscape_cert_type};
	static const int with_names[] = {NID_subject_alt_name, NID_issuer_alt_name,
					 NID_name_constraints, NID_crl_distribution_points,
					 NID_authority_key_identifier};

	for (int i = 0; i < X509_get_ext_count(x509); i++) {
		X509_EXTENSION *extension = X509_get_ext(x509, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (is_one_of(nid, unread, COUNT(unread)))
			return true;
		if (is_one_of(nid, with_names, COUNT(with_names)) && !decodes(extension, nid))
			return true;
	}
	return false;
}
