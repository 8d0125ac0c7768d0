/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of the parser of certdata.txt that can fail is made to fail, one after the other: the
 * error comes back, nothing is left behind, and no root was handed out.
 *
 * The linker leads the calls to the __wrap_… functions below (see the Makefile).
 */
#include "nss_text.h"

#include <openssl/evp.h>

/* The call with this number fails; 0: none. */
static unsigned int failing;
static unsigned int calls;
static bool armed;

static bool fails(void)
{
	return armed && ++calls == failing;
}

#define WRAP(type, name, failure, parameters, arguments)                                           \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (!fails())                                                                      \
			return __real_##name arguments;                                            \
		return failure;                                                                    \
	}

WRAP(void *, malloc, NULL, (size_t len), (len))
WRAP(void *, calloc, NULL, (size_t count, size_t len), (count, len))
WRAP(void *, realloc, NULL, (void *old, size_t len), (old, len))
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
WRAP(int, EVP_DigestInit_ex2, 0,
     (EVP_MD_CTX * context, const EVP_MD *md, const OSSL_PARAM params[]), (context, md, params))
WRAP(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * context, const void *data, size_t len),
     (context, data, len))
WRAP(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * context, unsigned char *sum, unsigned int *len),
     (context, sum, len))

static int count_root(const struct kt_nss_root *root, void *arg)
{
	(void)root;
	(*(unsigned int *)arg)++;
	return 0;
}

TEST(nss_survives_each_failure)
{
	struct pki *pki = pki_new();
	struct nss_text text = {0};
	struct kt_nss_counts counts;
	struct kt_error error;
	unsigned int roots;
	int ret;

	nss_cert_init(&text.certs[0], pki_make_ca(pki, NULL, "First"), "First");
	nss_text_add(&text, NSS_BEGIN "@c@t");
	for (failing = 1;; failing++) {
		roots = calls = 0;
		counts.certificates = 17;
		error = (struct kt_error){0};
		armed = true;
		ret = kt_nss_parse(text.bytes, text.len, "faults", count_root, &roots, &counts,
				   &error);
		armed = false;
		if (calls < failing)
			break;
		EXPECT_TRUE(ret == -ENOMEM || ret == -EIO)
		{
			TH_LOG("failure %u gives %d", failing, ret);
		}
		EXPECT_EQ(-ret, error.err);
		EXPECT_EQ(0, roots);
		EXPECT_EQ(17, counts.certificates);
	}
	/* With nothing left to fail; and there was something. */
	EXPECT_EQ(0, ret);
	EXPECT_EQ(1, roots);
	EXPECT_EQ(1, counts.certificates);
	EXPECT_LT(8, failing);
	free(text.bytes);
	pki_free(pki);
}

TEST_HARNESS_MAIN
