/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call of the parser of certdata.txt that can fail is made to fail, one after the other: the
 * error comes back, nothing is left behind, and no root was handed out.
 */
#include "nss_text.h"

#include "injected.h"

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
