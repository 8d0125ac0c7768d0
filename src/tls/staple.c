/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OCSP responses that a server sends with its certificate.
 *
 * A response is looked at once, when it is loaded: what a client would not take is not worth its
 * bytes, and a wrong one costs it the connection. Only its times are looked at when it is sent.
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "credentials.h"

#define SKEW_S 300 /* that thisUpdate may be ahead of our clock */

bool kt_credentials_staple_holds(const struct kt_credentials *credentials, int64_t now)
{
	return credentials->staple && credentials->info.this_update - SKEW_S <= now &&
	       now < credentials->info.next_update;
}

/* ---- What is right about one ----------------------------------------------------------------- */

struct checking {
	const struct kt_credentials *credentials;
	OCSP_BASICRESP *basic;
	int64_t this_update, next_update;
};

/* Is the certificate that this is about our leaf, by the digest it was named with? */
static bool is_about(OCSP_SINGLERESP *single, const struct kt_credentials *credentials)
{
	OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single), *ours = NULL;
	ASN1_OBJECT *digest = NULL;
	const EVP_MD *md;
	bool is = false;

	if (OCSP_id_get0_info(NULL, &digest, NULL, NULL, id) == 1) {
		md = EVP_get_digestbyobj(digest);
		if (md)
			ours = OCSP_cert_to_id(md, credentials->leaf, credentials->issuer);
		is = ours && !OCSP_id_cmp(id, ours);
	}
	OCSP_CERTID_free(ours);
	return is;
}

static OCSP_SINGLERESP *find_ours(const struct checking *checking)
{
	for (int i = 0; i < OCSP_resp_count(checking->basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(checking->basic, i);

		if (is_about(single, checking->credentials))
			return single;
	}
	return NULL;
}

static const char *check_status(struct checking *checking)
{
	ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
	OCSP_SINGLERESP *single = find_ours(checking);
	int status;

	if (!single)
		return "it is about another certificate (fetch one for the leaf that is there now)";
	status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return "it says that the certificate is REVOKED (get a new certificate)";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "it does not say \"good\" of the certificate";
	checking->this_update = kt_asn1_seconds(this_update);
	checking->next_update = kt_asn1_seconds(next_update);
	if (checking->this_update == INT64_MIN || checking->next_update == INT64_MIN ||
	    checking->next_update <= checking->this_update)
		return "it has no nextUpdate after its thisUpdate (ask the responder for one)";
	return NULL;
}

/*
 * The issuer's own signature, or that of whom it certified for this (RFC 6960 §4.2.2.2). Nothing
 * but the issuer is trusted, and nothing here depends on the time of day.
 */
static bool is_signed(const struct checking *checking, STACK_OF(X509) * issuers, X509_STORE *store)
{
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
	return X509_STORE_add_cert(store, checking->credentials->issuer) &&
	       sk_X509_push(issuers, checking->credentials->issuer) &&
	       OCSP_basic_verify(checking->basic, issuers, store, OCSP_TRUSTOTHER) == 1;
}

static const char *check_signature(const struct checking *checking)
{
	STACK_OF(X509) *issuers = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	bool right = issuers && store && is_signed(checking, issuers, store);

	X509_STORE_free(store);
	sk_X509_free(issuers);
	return right ? NULL : "it is not signed by the certificate's issuer, or for it";
}

static const char *check_response(struct checking *checking, OCSP_RESPONSE *response)
{
	const char *why;

	if (!response)
		return "it is malformed or cut off (give an OCSP response in DER)";
	if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return "the responder did not answer (fetch another)";
	checking->basic = OCSP_response_get1_basic(response);
	if (!checking->basic)
		return "it is no basic OCSP response";
	why = check_status(checking);
	return why ? why : check_signature(checking);
}

static OCSP_RESPONSE *decode(const struct kt_secret_file *file)
{
	const uint8_t *at = file->data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)file->len);

	if (at == file->data + file->len)
		return response;
	OCSP_RESPONSE_free(response);
	return NULL;
}

/* ---------------------------------------------------------------------------------------------- */

static void drop(struct kt_credentials *credentials)
{
	OPENSSL_free(credentials->staple);
	credentials->staple = NULL;
	credentials->staple_len = 0;
	credentials->info.stapled = false;
}

static void take_over(struct kt_credentials *credentials, struct kt_secret_file *file,
		      const struct checking *checking)
{
	drop(credentials);
	credentials->staple = file->data;
	credentials->staple_len = file->len;
	*file = (struct kt_secret_file){0};
	credentials->info.stapled = true;
	credentials->info.this_update = checking->this_update;
	credentials->info.next_update = checking->next_update;
}

int kt_credentials_staple(struct kt_credentials *credentials, const char *path,
			  struct kt_error *error)
{
	struct checking checking = {.credentials = credentials};
	OCSP_RESPONSE *response;
	struct kt_secret_file file;
	const char *why;
	int err;

	if (!credentials->issuer)
		return kt_error_set(error, EBADMSG, path, 0,
				    "the leaf's issuer is not in the chain's file, so nothing can "
				    "be said of an OCSP response (add it)");
	err = kt_secret_file_read(path, "give an OCSP response in DER", &file, error);
	if (err)
		return err;
	ERR_clear_error();
	response = decode(&file);
	why = check_response(&checking, response);
	if (why)
		err = kt_error_set(error, EBADMSG, path, 0, "%s", why);
	else
		take_over(credentials, &file, &checking);
	OCSP_BASICRESP_free(checking.basic);
	OCSP_RESPONSE_free(response);
	kt_secret_file_wipe(&file);
	if (!err && kt_credentials_sum_up(credentials)) {
		drop(credentials);
		err = kt_error_set(error, ENOMEM, path, 0, "out of memory");
	}
	ERR_clear_error();
	return err;
}
