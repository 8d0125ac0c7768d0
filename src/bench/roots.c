/* SPDX-License-Identifier: BSD-2-Clause */
#include "roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>

#define COUNT_MAX    99999999
#define NAME	     "Benchmark Root 00000000"
#define NAME_PREFIX  "Benchmark Root "
#define SERIAL	     0x4b54000000000000u /* eight bytes, positive */
#define SERIAL_LEN   8
#define POINT_LEN    65 /* 04, x, y */
#define KEY_ID_LEN   20
#define LINE_DER_LEN 48 /* bytes in a line of PEM */

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END	  "-----END CERTIFICATE-----\n"

/* Where in the template each root has something of its own. */
struct places {
	size_t serial;
	size_t issuer;
	size_t subject;
	size_t point;
	size_t key_id;
};

/* Goes through the multiples of the curve's generator, by adding it. */
struct keys {
	EC_GROUP *group;
	EC_POINT *point;
	uint8_t bytes[POINT_LEN]; /* of point */
};

static bool encode(struct keys *keys)
{
	return EC_POINT_point2oct(keys->group, keys->point, POINT_CONVERSION_UNCOMPRESSED,
				  keys->bytes, sizeof keys->bytes, NULL) == POINT_LEN;
}

static bool keys_init(struct keys *keys)
{
	keys->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	keys->point = keys->group ? EC_POINT_dup(EC_GROUP_get0_generator(keys->group), keys->group)
				  : NULL;
	return keys->point && encode(keys);
}

static bool keys_next(struct keys *keys)
{
	return EC_POINT_add(keys->group, keys->point, keys->point,
			    EC_GROUP_get0_generator(keys->group), NULL) &&
	       encode(keys);
}

static void keys_fini(struct keys *keys)
{
	EC_POINT_free(keys->point);
	EC_GROUP_free(keys->group);
}

/* ---- The template -------------------------------------------------------------------------- */

static bool set_key(X509 *cert, const struct keys *keys)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)keys->bytes,
						  sizeof keys->bytes),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	bool done = context && EVP_PKEY_fromdata_init(context) > 0 &&
		    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) > 0 &&
		    X509_set_pubkey(cert, key);

	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(context);
	return done;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool done;

	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	done = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return done;
}

/* Ed25519, since its signatures are the same each time. */
static bool sign(X509 *cert)
{
	static const uint8_t secret[32] = {1};
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
	bool done = key && X509_sign(cert, key, NULL) > 0;

	EVP_PKEY_free(key);
	return done;
}

static bool fill(X509 *cert, const struct keys *keys)
{
	X509_NAME *name = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), SERIAL) &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
					  (const uint8_t *)"Trust Benchmarks", -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)NAME, -1, -1,
					  0) &&
	       X509_set_issuer_name(cert, name) &&
	       ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20260101000000Z") &&
	       ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "20460101000000Z") &&
	       set_key(cert, keys) &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_extension(cert, NID_subject_key_identifier, "hash") && sign(cert);
}

/* The DER of a certificate for the first key, freed by OPENSSL_free; NULL: libcrypto failed. */
static uint8_t *make_template(const struct keys *keys, size_t *ret_len)
{
	X509 *cert = X509_new();
	uint8_t *der = NULL;
	int len = cert && fill(cert, keys) ? i2d_X509(cert, &der) : 0;

	X509_free(cert);
	if (len <= 0)
		return NULL;
	*ret_len = (size_t)len;
	return der;
}

/* 0: it is not there. No place can be 0, where the certificate's own tag is. */
static size_t find(const uint8_t *der, size_t len, size_t from, const void *what, size_t what_len)
{
	const uint8_t *found = memmem(der + from, len - from, what, what_len);

	return found ? (size_t)(found - der) : 0;
}

static bool find_places(const uint8_t *der, size_t len, const struct keys *keys,
			struct places *ret_places)
{
	static const uint8_t serial[] = {0x02, SERIAL_LEN, 0x4b, 0x54};
	static const uint8_t key_id[] = {0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, KEY_ID_LEN};
	struct places places = {
		.serial = find(der, len, 0, serial, sizeof serial),
		.issuer = find(der, len, 0, NAME, strlen(NAME)),
		.point = find(der, len, 0, keys->bytes, POINT_LEN),
		.key_id = find(der, len, 0, key_id, sizeof key_id),
	};

	places.subject = find(der, len, places.issuer + 1, NAME, strlen(NAME));
	if (!places.serial || !places.issuer || !places.subject || !places.point || !places.key_id)
		return false;
	places.serial += 2;
	places.issuer += strlen(NAME_PREFIX);
	places.subject += strlen(NAME_PREFIX);
	places.key_id += sizeof key_id;
	*ret_places = places;
	return true;
}

/* ---- Many of it ---------------------------------------------------------------------------- */

static void personalise(uint8_t *der, const struct places *places, const struct keys *keys,
			size_t number)
{
	uint64_t serial = SERIAL + number;
	char digits[9];

	snprintf(digits, sizeof digits, "%08u", (unsigned int)number % (COUNT_MAX + 1));
	memcpy(der + places->issuer, digits, 8);
	memcpy(der + places->subject, digits, 8);
	memcpy(der + places->point, keys->bytes, POINT_LEN);
	/* Any method that makes it unique will do (RFC 5280 §4.2.1.2). */
	memcpy(der + places->key_id, keys->bytes + 1, KEY_ID_LEN);
	for (size_t i = 0; i < SERIAL_LEN; i++)
		der[places->serial + i] = (uint8_t)(serial >> (8 * (SERIAL_LEN - 1 - i)));
}

static int fill_der(struct kt_bench_roots *roots, struct keys *keys)
{
	uint8_t *template = make_template(keys, &roots->der_len);
	struct places places;
	int ret = -EIO;

	if (!template || !find_places(template, roots->der_len, keys, &places))
		goto out;
	ret = -ENOMEM;
	roots->der = malloc(roots->count * roots->der_len);
	if (!roots->der)
		goto out;
	for (size_t i = 0; i < roots->count; i++) {
		uint8_t *der = roots->der + i * roots->der_len;

		memcpy(der, template, roots->der_len);
		personalise(der, &places, keys, i);
		ret = keys_next(keys) ? 0 : -EIO;
		if (ret)
			goto out;
	}
out:
	OPENSSL_free(template);
	return ret;
}

static char *add_text(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *write_block(const uint8_t *der, size_t len, char *to)
{
	to = add_text(to, PEM_BEGIN);
	for (size_t done = 0; done < len; done += LINE_DER_LEN) {
		size_t part = len - done < LINE_DER_LEN ? len - done : LINE_DER_LEN;

		to += EVP_EncodeBlock((uint8_t *)to, der + done, (int)part);
		*to++ = '\n';
	}
	return add_text(to, PEM_END);
}

static int fill_pem(struct kt_bench_roots *roots)
{
	size_t lines = (roots->der_len + LINE_DER_LEN - 1) / LINE_DER_LEN;
	char *to;

	roots->pem_len = strlen(PEM_BEGIN) + (roots->der_len + 2) / 3 * 4 + lines + strlen(PEM_END);
	/* EVP_EncodeBlock writes a NUL, also behind the last one. */
	roots->pem = malloc(roots->count * roots->pem_len + 1);
	if (!roots->pem)
		return -ENOMEM;
	to = roots->pem;
	for (size_t i = 0; i < roots->count; i++)
		to = write_block(roots->der + i * roots->der_len, roots->der_len, to);
	return 0;
}

int kt_bench_roots_make(struct kt_bench_roots *ret_roots, size_t count, struct kt_error *error)
{
	struct kt_bench_roots roots = {.count = count};
	struct keys keys = {0};
	int ret = -EINVAL;

	if (count == 0 || count > COUNT_MAX)
		goto out;
	ret = keys_init(&keys) ? fill_der(&roots, &keys) : -EIO;
	if (ret == 0)
		ret = fill_pem(&roots);
out:
	keys_fini(&keys);
	ERR_clear_error();
	if (ret) {
		kt_bench_roots_fini(&roots);
		return kt_error_set(error, -ret, "roots", 0, "%zu roots could not be made: %s",
				    count, strerror(-ret));
	}
	*ret_roots = roots;
	return 0;
}

void kt_bench_roots_fini(struct kt_bench_roots *roots)
{
	free(roots->pem);
	free(roots->der);
	*roots = (struct kt_bench_roots){0};
}
