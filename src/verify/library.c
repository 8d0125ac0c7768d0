/* SPDX-License-Identifier: BSD-2-Clause */
#include "library.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "library_error.h"

/* 112 bits of security: RSA from 2048, no SHA-1 (SSL_CTX_set_security_level(3), level 2). */
#define AUTH_LEVEL 2

/*
 * POLICY_CHECK: OpenSSL takes critical policy extensions for understood even where it does not
 * process them; RFC 5280 §6.1 wants them processed.
 */
#define FLAGS (X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_POLICY_CHECK)

/* The only answer to "who issued this?": the path's anchor, for the path's last certificate. */
static int give_anchor(X509 **ret_issuer, X509_STORE_CTX *context, X509 *x509)
{
	const struct kt_library_path *path = X509_STORE_CTX_get_app_data(context);

	if (!path || x509 != path->certs[path->count - 1])
		return 0;
	if (!X509_up_ref(path->anchor))
		return -1;
	*ret_issuer = path->anchor;
	return 1;
}

/* By subject, the library may see none. */
static STACK_OF(X509) * give_none(X509_STORE_CTX *context, const X509_NAME *name)
{
	(void)context;
	(void)name;
	return sk_X509_new_null();
}

int kt_library_init(struct kt_library *library)
{
	struct kt_library made = {.store = X509_STORE_new(),
				  .context = X509_STORE_CTX_new(),
				  .others = sk_X509_new_reserve(NULL, KT_PATH_MAX)};

	if (!made.store || !made.context || !made.others) {
		kt_library_fini(&made);
		return -ENOMEM;
	}
	X509_STORE_set_get_issuer(made.store, give_anchor);
	X509_STORE_set_lookup_certs(made.store, give_none);
	*library = made;
	return 0;
}

void kt_library_fini(struct kt_library *library)
{
	sk_X509_free(library->others);
	X509_STORE_CTX_free(library->context);
	X509_STORE_free(library->store);
}

static bool prepare(struct kt_library *library, const struct kt_library_path *path,
		    const struct kt_query *query)
{
	X509_STORE_CTX *context = library->context;
	X509_VERIFY_PARAM *param;
	int purpose =
		query->role == KT_ROLE_CLIENT ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;

	sk_X509_zero(library->others);
	for (int i = 1; i < path->count; i++)
		if (!sk_X509_push(library->others, path->certs[i]))
			return false;
	if (!X509_STORE_CTX_init(context, library->store, path->certs[0], library->others))
		return false;
	if (!X509_STORE_CTX_set_app_data(context, (void *)path))
		return false;
	param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_depth(param, KT_PATH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	X509_VERIFY_PARAM_set_time(param, (time_t)query->time);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* To OpenSSL an empty set of acceptable policies is none, not any (RFC 5280 §6.1.1 c). */
	return X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)) &&
	       X509_VERIFY_PARAM_set_flags(param, FLAGS) &&
	       X509_VERIFY_PARAM_set_purpose(param, purpose);
}

/* Nothing that was cached or built is believed here: fail closed. */
static bool ends_in_snapshot(X509_STORE_CTX *context, const struct kt_library_path *path,
			     const struct kt_snapshot *snapshot)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
	int count = sk_X509_num(chain);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len;
	struct kt_anchor anchor;

	if (count != path->count + 1)
		return false;
	if (X509_digest(sk_X509_value(chain, count - 1), EVP_sha256(), digest, &len) != 1 ||
	    len != KT_DIGEST_LEN || memcmp(digest, path->fingerprint, KT_DIGEST_LEN))
		return false;
	return kt_snapshot_find_fingerprint(snapshot, digest, &anchor) == 0;
}

/* Under the code that its error stands for. */
static struct kt_finding refusal(X509_STORE_CTX *context)
{
	int error = X509_STORE_CTX_get_error(context);
	struct kt_finding finding = kt_found(KT_RULE_OPENSSL, -1);

	/* A policy is missing in the chain as a whole. */
	if (X509_STORE_CTX_get_current_cert(context))
		finding.depth = X509_STORE_CTX_get_error_depth(context);
	finding.code = kt_verify_code_of_library(error);
	/* Not accepted, yet no error named */
	if (finding.code == KT_ACCEPTED)
		finding.code = KT_INTERNAL;
	finding.why = X509_verify_cert_error_string(error);
	return finding;
}

struct kt_finding kt_library_check(struct kt_library *library, const struct kt_library_path *path,
				   const struct kt_snapshot *snapshot, const struct kt_query *query)
{
	struct kt_finding finding = kt_found(KT_RULE_INTERNAL, -1);

	if (prepare(library, path, query)) {
		if (X509_verify_cert(library->context) != 1)
			finding = refusal(library->context);
		else if (ends_in_snapshot(library->context, path, snapshot))
			finding = KT_FINE;
	}
	X509_STORE_CTX_cleanup(library->context);
	return finding;
}
