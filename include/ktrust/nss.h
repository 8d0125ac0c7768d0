/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mozilla's certdata.txt: the roots in it, and what Mozilla thinks of each.
 *
 * The file (NSS, lib/ckfw/builtins/certdata.txt) is a list of PKCS #11 objects: certificates, and
 * beside them trust objects that say what a certificate is trusted for. kt_nss_parse reads all of
 * it and reports each certificate once, with a verdict: trusted for server authentication with
 * these constraints, or not, and why not.
 *
 * Rules, most from Mozilla's "Common CA Database / Trust bits" and NSS's own reading of the file:
 *   - A trust object belongs to the certificate with the same issuer and serial number (as DER).
 *   - CKA_TRUST_SERVER_AUTH CKT_NSS_TRUSTED_DELEGATOR is trust; everything else is none.
 *   - CKA_NSS_SERVER_DISTRUST_AFTER is a constraint, wherever it stands (certificate, trust object,
 *     or an object of another class that names issuer and serial number); of two dates the earlier
 *     counts. CKA_NSS_EMAIL_DISTRUST_AFTER says nothing of servers.
 *   - An attribute of the distrust family (its name contains "DISTRUST" or "CONSTRAINT") that is
 *     not known here, or has a value that is not understood, makes the root untrusted.
 *   - A trust object without certificate is ignored; a certificate without trust object refuses
 *     the file: it may have lost what would have distrusted it. So do two trust objects for one
 *     certificate, and two certificates with one issuer and serial number. The same certificate
 *     twice is one, with the limits of both.
 *   - Name limits that Mozilla's verifier imposes outside of the file are added (see
 *     kt_nss_imposed_names).
 *
 * Threads: pure functions of their arguments. Linear time, memory bounded by the input.
 * What it does not do: it reads no file, checks no signature and no expiry, compares no hash that a
 * trust object gives of its certificate, and says nothing of trust for email or code.
 */
#ifndef KTRUST_NSS_H
#define KTRUST_NSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_NSS_TEXT_MAX (64UL << 20) /* bytes; a longer text is refused */

/* Why a certificate of the file is no anchor; KT_NSS_TRUSTED: it is one. */
enum kt_nss_trust {
	KT_NSS_TRUSTED,
	KT_NSS_NOT_FOR_SERVERS,	  /* must verify to another root, or trusted for other purposes */
	KT_NSS_DISTRUSTED,	  /* CKT_NSS_NOT_TRUSTED for servers */
	KT_NSS_UNKNOWN_CONSTRAINT /* limited in a way that is not understood here */
};

/* "trusted", "not_for_servers", "distrusted", "unknown_constraint"; static storage. */
const char *kt_nss_trust_name(enum kt_nss_trust trust);

/* One certificate of the file. Every pointer is borrowed for the call it is handed out in. */
struct kt_nss_root {
	const uint8_t *der;
	size_t der_len;
	const uint8_t *subject; /* DER Name within the file */
	size_t subject_len;
	const uint8_t *fingerprint; /* KT_DIGEST_LEN: SHA-256 of der */
	const char *label;	    /* UTF-8 (\xNN escapes resolved), control characters as '?' */
	unsigned int line;	    /* where the certificate object begins, from 1 */
	enum kt_nss_trust trust;
	const char *reason; /* "" or what was not understood, for people */
	/* purposes is KT_PURPOSE_SERVER when trusted, else 0; permitted_dns may be NULL. */
	struct kt_constraints constraints;
};

struct kt_nss_counts {
	size_t certificates; /* one that is there twice counts once */
	size_t trusted;
	size_t constrained; /* of the trusted, those with a date or a name limit */
	size_t trust_without_certificate;
};

/*
 * Parse a whole text. fn is called for each certificate in the order of the file, after the whole
 * text was found to be good; what it returns other than 0 ends the parse and is returned. fn may
 * be NULL, and so may ret_counts.
 *
 * -EBADMSG malformed, with the line; -ENODATA no certificate in it; -EFBIG more than
 * KT_NSS_TEXT_MAX; -ENOMEM; -EIO, -EOPNOTSUPP: libcrypto has no SHA-256. where goes into errors.
 * What counts as malformed is written out in src/pool/nss_text.h and nss_object.c.
 */
KT_WARN_UNUSED int kt_nss_parse(const char *text, size_t len, const char *where,
				int (*fn)(const struct kt_nss_root *root, void *arg), void *arg,
				struct kt_nss_counts *ret_counts, struct kt_error *error);

/*
 * The DNS names below which Mozilla lets a root vouch though nothing in the file says so, by the
 * SHA-256 fingerprint of the certificate; NULL: no limit known. In the form of
 * kt_constraints.permitted_dns; static storage.
 */
const char *kt_nss_imposed_names(const uint8_t fingerprint[KT_DIGEST_LEN]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
