/* SPDX-License-Identifier: BSD-2-Clause */
#include "case_openssl.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../harness.h"

#define AUTH_LEVEL 2

static X509 *decode(const struct case_thing *thing)
{
	const uint8_t *at = thing->der.data;

	return at ? d2i_X509(NULL, &at, (long)thing->der.len) : NULL;
}

static void add_anchors(X509_STORE *store, const struct verify_case *asked)
{
	for (size_t i = 0; i < asked->anchor_count; i++) {
		X509 *x509 = decode(asked->anchors[i]);

		ASSERT_EQ(1, X509_STORE_add_cert(store, x509));
		X509_free(x509);
	}
}

static void add_crls(X509_STORE *store, const struct verify_case *asked)
{
	for (size_t i = 0; i < asked->crl_count; i++) {
		const uint8_t *at = asked->crls[i]->der.data;
		X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)asked->crls[i]->der.len);

		ASSERT_EQ(1, X509_STORE_add_crl(store, crl));
		X509_CRL_free(crl);
	}
}

static void push(STACK_OF(X509) * others, struct case_thing *const *things, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		X509 *x509 = decode(things[i]);

		if (x509)
			ASSERT_NE(0, sk_X509_push(others, x509));
	}
}

static int let_pass(int ok, X509_STORE_CTX *context)
{
	const struct verify_case *asked = X509_STORE_CTX_get_app_data(context);
	int error = X509_STORE_CTX_get_error(context);

	if (ok || error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_DIFFERENT_CRL_SCOPE)
		return 1;
	return error == X509_V_ERR_CRL_HAS_EXPIRED && asked->crl_policy == KT_CRL_WARN;
}

static void set_name(X509_VERIFY_PARAM *param, const struct kt_query *query)
{
	switch (query->name_type) {
	case KT_NAME_DNS:
		X509_VERIFY_PARAM_set1_host(param, query->name, 0);
		break;
	case KT_NAME_IP:
		X509_VERIFY_PARAM_set1_ip_asc(param, query->name);
		break;
	case KT_NAME_EMAIL:
		X509_VERIFY_PARAM_set1_email(param, query->name, 0);
		break;
	case KT_NAME_URI:
	case KT_NAME_NONE:
		break;
	}
}

static void prepare(X509_STORE_CTX *context, const struct verify_case *asked)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);

	X509_STORE_CTX_set_purpose(context, asked->query.role == KT_ROLE_CLIENT
						    ? X509_PURPOSE_SSL_CLIENT
						    : X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_time(param, (time_t)asked->query.time);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	set_name(param, &asked->query);
	X509_STORE_CTX_set_app_data(context, (void *)asked);
	X509_STORE_CTX_set_verify_cb(context, let_pass);
	if (asked->crl_count)
		X509_VERIFY_PARAM_set_flags(param,
					    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

static bool ask(const struct verify_case *asked, X509 *leaf, const char **ret_why)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	bool accepts;

	add_anchors(store, asked);
	add_crls(store, asked);
	push(others, asked->sent + 1, asked->sent_count - 1);
	push(others, asked->known, asked->known_count);
	ASSERT_EQ(1, X509_STORE_CTX_init(context, store, leaf, others));
	prepare(context, asked);
	accepts = X509_verify_cert(context) == 1;
	*ret_why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	sk_X509_pop_free(others, X509_free);
	return accepts;
}

bool case_openssl_accepts(const struct verify_case *asked, const char **ret_why)
{
	X509 *leaf = asked->sent_count ? decode(asked->sent[0]) : NULL;
	bool accepts = false;

	*ret_why = "it cannot be decoded";
	if (leaf)
		accepts = ask(asked, leaf, ret_why);
	X509_free(leaf);
	ERR_clear_error();
	return accepts;
}
