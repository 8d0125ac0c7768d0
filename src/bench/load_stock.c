/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading as users of OpenSSL do: each certificate is parsed and added to an X509_STORE. */
#include "pool.h"

#include <errno.h>
#include <malloc.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "clock.h"

/* The certificate is spent. */
static bool add(X509_STORE *store, X509 *cert)
{
	bool added = cert && X509_STORE_add_cert(store, cert);

	X509_free(cert);
	return added;
}

static bool add_pem(X509_STORE *store, const struct kt_bench_material *material)
{
	BIO *file = BIO_new_file(material->path, "r");
	size_t count = 0;
	X509 *cert;

	while (file && (cert = PEM_read_bio_X509(file, NULL, NULL, NULL)))
		count += add(store, cert);
	BIO_free(file);
	/* What ends the file is an error to the reader. */
	ERR_clear_error();
	return count > 0 && (material->count == 0 || count == material->count);
}

static bool add_der(X509_STORE *store, const struct kt_bench_material *material)
{
	const struct kt_bench_roots *roots = &material->roots;

	for (size_t i = 0; i < roots->count; i++) {
		const uint8_t *der = roots->der + i * roots->der_len;

		if (!add(store, d2i_X509(NULL, &der, (long)roots->der_len)))
			return false;
	}
	return true;
}

struct load {
	const struct kt_bench_material *material;
	bool (*add)(X509_STORE *store, const struct kt_bench_material *material);
	size_t bytes; /* of memory that the store took */
};

static int load_once(void *arg, double *ret_ms, struct kt_error *error)
{
	struct load *load = arg;
	size_t before = mallinfo2().uordblks;
	uint64_t begun = kt_bench_now_ns();
	X509_STORE *store = X509_STORE_new();
	bool done = store && load->add(store, load->material);

	*ret_ms = (double)(kt_bench_now_ns() - begun) / 1e6;
	load->bytes = mallinfo2().uordblks - before;
	X509_STORE_free(store);
	if (!done)
		return kt_error_set(error, EIO, "X509_STORE", 0, "the roots could not be loaded");
	return 0;
}

int kt_bench_pem_stock(const struct kt_bench_case *of, void *state,
		       const struct kt_bench_options *options, double *ret_value,
		       struct kt_error *error)
{
	struct load load = {.material = state, .add = add_pem};

	(void)of;
	return kt_bench_repeat(load_once, &load, options->seconds, ret_value, error);
}

int kt_bench_der_stock(const struct kt_bench_case *of, void *state,
		       const struct kt_bench_options *options, double *ret_value,
		       struct kt_error *error)
{
	struct load load = {.material = state, .add = add_der};

	(void)of;
	return kt_bench_repeat(load_once, &load, options->seconds, ret_value, error);
}

int kt_bench_bytes_stock(const struct kt_bench_case *of, void *state,
			 const struct kt_bench_options *options, double *ret_value,
			 struct kt_error *error)
{
	struct load load = {.material = state, .add = add_der};
	double ms;
	int ret = load_once(&load, &ms, error);

	(void)of;
	(void)options;
	*ret_value = (double)load.bytes / (double)load.material->count;
	return ret;
}
