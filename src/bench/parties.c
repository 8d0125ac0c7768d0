/* SPDX-License-Identifier: BSD-2-Clause */
#include "parties.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "kind.h"

#define SERIAL	     0x4b54000000000000u /* eight bytes, positive */
#define VALID_BEFORE 3600		 /* seconds from now: a clock may be a little off */
#define VALID_AFTER  (30 * 86400)
#define TIME_LEN     sizeof "YYYYMMDDHHMMSSZ"

/* ---- Making ---------------------------------------------------------------------------------- */

/* What makes them: a validity for all, and a serial number that is counted on. */
struct press {
	char not_before[TIME_LEN], not_after[TIME_LEN];
	uint64_t serial;
};

static void write_time(char text[static TIME_LEN], time_t when)
{
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(text, TIME_LEN, "%Y%m%d%H%M%SZ", &utc);
}

/* by NULL: itself. False: libcrypto failed. */
static bool make(struct press *press, const struct kt_bench_extension *extensions, const char *name,
		 const struct kt_bench_party *by, struct kt_bench_party *party)
{
	const struct kt_bench_kind kind = {extensions, name, press->not_before, press->not_after};
	uint64_t number = ++press->serial;

	party->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (party->key)
		party->x509 = kt_bench_kind_draft(&kind, by ? by->x509 : NULL, (unsigned int)number,
						  party->key);
	return party->x509 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(party->x509), SERIAL + number) &&
	       X509_sign(party->x509, by ? by->key : party->key, EVP_sha256()) > 0;
}

static bool make_all(struct kt_bench_parties *parties)
{
	struct press press = {0};
	time_t now = time(NULL);
	bool done;

	write_time(press.not_before, now - VALID_BEFORE);
	write_time(press.not_after, now + VALID_AFTER);
	done = make(&press, kt_bench_root_extensions, "Benchmark CA", NULL, &parties->root) &&
	       make(&press, kt_bench_root_extensions, "Benchmark CA", NULL, &parties->other_root) &&
	       make(&press, kt_bench_intermediate_extensions, "Benchmark Intermediate",
		    &parties->root, &parties->intermediate) &&
	       make(&press, kt_bench_server_extensions, KT_BENCH_HOST, &parties->intermediate,
		    &parties->server) &&
	       make(&press, kt_bench_client_extensions, "stranger", &parties->other_root,
		    &parties->stranger);
	for (size_t i = 0; done && i < KT_BENCH_CLIENTS; i++)
		done = make(&press, kt_bench_client_extensions, "client %u", &parties->intermediate,
			    &parties->clients[i]);
	return done;
}

int kt_bench_parties_make(struct kt_bench_parties **ret_parties, struct kt_error *error)
{
	struct kt_bench_parties *parties = calloc(1, sizeof *parties);
	bool done;

	if (!parties)
		return kt_error_set(error, ENOMEM, "certificates", 0, "out of memory");
	done = make_all(parties);
	ERR_clear_error();
	if (!done) {
		kt_bench_parties_free(parties);
		return kt_error_set(error, EIO, "certificates", 0, "they could not be made");
	}
	*ret_parties = parties;
	return 0;
}

static void drop(struct kt_bench_party *party)
{
	X509_free(party->x509);
	EVP_PKEY_free(party->key);
}

void kt_bench_parties_free(struct kt_bench_parties *parties)
{
	if (!parties)
		return;
	drop(&parties->root);
	drop(&parties->intermediate);
	drop(&parties->server);
	drop(&parties->other_root);
	drop(&parties->stranger);
	for (size_t i = 0; i < KT_BENCH_CLIENTS; i++)
		drop(&parties->clients[i]);
	free(parties);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* certs ends with NULL; key NULL: none. */
static bool put(BIO *to, X509 *const *certs, const EVP_PKEY *key)
{
	bool done = true;

	for (; done && *certs; certs++)
		done = PEM_write_bio_X509(to, *certs);
	return done && (!key || PEM_write_bio_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL));
}

static int write_pem(const struct kt_bench_scratch *scratch, const char *name, X509 *const *certs,
		     const EVP_PKEY *key, struct kt_error *error)
{
	BIO *to = BIO_new(BIO_s_mem());
	char *text;
	int ret;

	/* With the NUL that a string ends with. */
	if (!to || !put(to, certs, key) || BIO_write(to, "", 1) != 1)
		ret = kt_error_set(error, EIO, name, 0, "could not be encoded");
	else if (BIO_get_mem_data(to, &text) <= 0)
		ret = kt_error_set(error, EIO, name, 0, "is empty");
	else
		ret = kt_bench_scratch_write(scratch, name, text, error);
	BIO_free(to);
	ERR_clear_error();
	return ret;
}

int kt_bench_parties_write(const struct kt_bench_parties *parties,
			   const struct kt_bench_scratch *scratch, struct kt_error *error)
{
	X509 *const none[] = {NULL}, *const root[] = {parties->root.x509, NULL};
	X509 *const chain[] = {parties->server.x509, parties->intermediate.x509, NULL};
	int ret = write_pem(scratch, "ca.pem", root, NULL, error);

	if (ret == 0)
		ret = write_pem(scratch, "server.pem", chain, NULL, error);
	if (ret == 0)
		ret = write_pem(scratch, "server.key", none, parties->server.key, error);
	if (ret == 0)
		ret = write_pem(scratch, "both.pem", chain, parties->server.key, error);
	return ret;
}
