/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki_parts.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>

#define DEFAULT_THIS_UPDATE (-60)
#define DEFAULT_NEXT_UPDATE 3600

static ASN1_GENERALIZEDTIME *time_at(int64_t seconds, int64_t otherwise)
{
	ASN1_GENERALIZEDTIME *made = ASN1_GENERALIZEDTIME_set(
		NULL, (time_t)(pki_now() + (seconds ? seconds : otherwise)));

	need(made);
	return made;
}

static OCSP_BASICRESP *make_basic(const struct pki_cert *about, const struct pki_cert *issuer,
				  const struct pki_ocsp *options)
{
	const struct pki_cert *signer = options->signer ? options->signer : issuer;
	const EVP_MD *digest = EVP_get_digestbyname(options->digest ? options->digest : "SHA1");
	ASN1_GENERALIZEDTIME *from = time_at(options->this_update, DEFAULT_THIS_UPDATE);
	ASN1_GENERALIZEDTIME *until = time_at(options->next_update, DEFAULT_NEXT_UPDATE);
	OCSP_CERTID *id = OCSP_cert_to_id(digest, about->x509, issuer->x509);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	bool revoked = options->status == PKI_OCSP_REVOKED;

	need(id && basic &&
	     OCSP_basic_add1_status(basic, id, (int)options->status, 0, revoked ? from : NULL, from,
				    options->no_next_update ? NULL : until) &&
	     OCSP_basic_sign(basic, signer->x509, signer->key, EVP_sha256(), NULL,
			     options->signer ? 0 : OCSP_NOCERTS));
	OCSP_CERTID_free(id);
	ASN1_GENERALIZEDTIME_free(from);
	ASN1_GENERALIZEDTIME_free(until);
	return basic;
}

_Static_assert((int)PKI_OCSP_GOOD == V_OCSP_CERTSTATUS_GOOD &&
		       (int)PKI_OCSP_REVOKED == V_OCSP_CERTSTATUS_REVOKED &&
		       (int)PKI_OCSP_UNKNOWN == V_OCSP_CERTSTATUS_UNKNOWN,
	       "as OpenSSL counts");

struct pki_der pki_make_ocsp(const struct pki_cert *about, const struct pki_cert *issuer,
			     const struct pki_ocsp *options)
{
	OCSP_BASICRESP *basic = options->refuses ? NULL : make_basic(about, issuer, options);
	OCSP_RESPONSE *response = OCSP_response_create(
		options->refuses ? OCSP_RESPONSE_STATUS_TRYLATER : OCSP_RESPONSE_STATUS_SUCCESSFUL,
		basic);
	struct pki_der der = {0};
	uint8_t *data = NULL;
	int len = i2d_OCSP_RESPONSE(response, &data);

	need(response && len > 0);
	der.len = (size_t)len;
	der.data = malloc(der.len);
	need(der.data);
	memcpy(der.data, data, der.len);
	OPENSSL_free(data);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	return der;
}
