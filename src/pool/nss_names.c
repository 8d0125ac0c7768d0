/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name limits that Mozilla's verifier imposes on roots though no file says so.
 *
 * They are code in NSS, by subject: CERT_GetImposedNameConstraints in lib/certdb/genname.c, and are
 * listed in https://wiki.mozilla.org/CA/Additional_Trust_Changes. As of NSS 3.132.
 */
#include <ktrust/nss.h>

#include <string.h>

static const struct {
	uint8_t fingerprint[KT_DIGEST_LEN];
	const char *permitted_dns;
} imposed[] = {
	/*
	 * TUBITAK Kamu SM SSL Kok Sertifikasi - Surum 1. Second levels of .tr first, all of .tr
	 * since NSS 3.92 (https://bugzilla.mozilla.org/show_bug.cgi?id=1802944).
	 */
	{{0x46, 0xed, 0xc3, 0x68, 0x90, 0x46, 0xd5, 0x3a, 0x45, 0x3f, 0xb3,
	  0x10, 0x4a, 0xb8, 0x0d, 0xca, 0xec, 0x65, 0x8b, 0x26, 0x60, 0xea,
	  0x16, 0x29, 0xdd, 0x7e, 0x86, 0x79, 0x90, 0x64, 0x87, 0x16},
	 "tr"},
	/* IGC/A of ANSSI. No longer in the file, but still in the code. */
	{{0xb9, 0xbe, 0xa7, 0x86, 0x0a, 0x96, 0x2e, 0xa3, 0x61, 0x1d, 0xab,
	  0x97, 0xab, 0x6d, 0xa3, 0xe2, 0x1c, 0x10, 0x68, 0xb9, 0x7d, 0x55,
	  0x57, 0x5e, 0xd0, 0xe1, 0x12, 0x79, 0xc1, 0x1c, 0x89, 0x32},
	 "bl fr gf gp mf mq nc pf pm re tf wf yt"},
};

const char *kt_nss_imposed_names(const uint8_t fingerprint[KT_DIGEST_LEN])
{
	for (size_t i = 0; i < sizeof imposed / sizeof imposed[0]; i++)
		if (memcmp(imposed[i].fingerprint, fingerprint, KT_DIGEST_LEN) == 0)
			return imposed[i].permitted_dns;
	return NULL;
}
