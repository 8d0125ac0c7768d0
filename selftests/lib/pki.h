/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Throwaway certificates for tests and the demo.
 *
 * A struct pki owns everything made through it; certificates are const views that live until
 * pki_free. An option left zero means the ordinary thing, so that a test names only what its case
 * is about:
 *
 *	struct pki *pki = pki_new();
 *	const struct pki_cert *root = pki_make(pki, NULL, &(struct pki_options){
 *		.cn = "Root", .ca = true});
 *	const struct pki_cert *leaf = pki_make(pki, root, &(struct pki_options){
 *		.cn = "client", .dns = {"client.test"}, .eku = "clientAuth"});
 *
 * Same name, other key: make two with one cn. Cross-signed: make the CA again under the other
 * issuer with .key_of set to the first.
 *
 * Threads: a struct pki belongs to one thread. A failure inside OpenSSL or of memory prints its
 * cause and aborts: a test cannot go on without its certificates. Not for keys worth protecting.
 */
#ifndef KTRUST_SELFTESTS_PKI_H
#define KTRUST_SELFTESTS_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

enum pki_key {
	PKI_P256,
	PKI_RSA2048,
	PKI_ED25519,
	PKI_RSA1024,
	PKI_RSA2047,
	PKI_RSA2052,
	PKI_RSA3072,
	PKI_RSA_PSS, /* 2048 bits, restricted to PSS by its algorithm */
	PKI_P224,
	PKI_P384,
	PKI_P521,
	PKI_SECP256K1,
	PKI_P256_COMPRESSED, /* the same key, its point or curve in another form */
	PKI_P256_EXPLICIT,
	PKI_ED448,
	PKI_KEYS
};

#define PKI_SAN_MAX 8 /* names of one type, the terminating NULL included */
#define PKI_RAW_MAX 4 /* extensions as bytes, likewise */

struct pki_cert;

struct pki_options {
	const char *cn;	 /* UTF-8; NULL: none, and without org the subject is empty */
	const char *org; /* organizationName; NULL: none */
	/*
	 * Instead of both: "/O=Good/CN:printable=x"; "/" is empty. A type of string may be named:
	 * utf8, printable, t61, ia5; else it is what OpenSSL takes for the attribute.
	 */
	const char *subject;
	const char *dns[PKI_SAN_MAX];
	const char *ip[PKI_SAN_MAX]; /* as text, v4 or v6 */
	const char *uri[PKI_SAN_MAX];
	const char *email[PKI_SAN_MAX];
	const char *san; /* instead of these: OpenSSL's words, "dirName:section" */
	enum pki_key key;
	const struct pki_cert *key_of; /* use this certificate's key instead of a new one */
	const char *digest; /* of the signature; NULL: SHA256. Ed25519 issuers have none */
	bool pss;	    /* RSASSA-PSS; else RSASSA-PKCS1-v1_5, where the issuer's key is RSA */
	int pss_salt;	    /* bytes; 0: as long as the digest */
	const char *pss_mask;		  /* the mask's digest; NULL: the same */
	const struct pki_cert *signed_by; /* whose key signs; NULL: the issuer's */
	int64_t not_before;		  /* seconds from pki_now(); 0: an hour ago */
	int64_t not_after;		  /* seconds from pki_now(); 0: in ten years */
	bool ca;			  /* basicConstraints CA:TRUE, and signs as one */
	bool has_pathlen;
	int pathlen;
	bool no_basic_constraints;
	const char *key_usage;	/* OpenSSL's words; NULL: what ca calls for; "": no extension */
	const char *eku;	/* OpenSSL's words; NULL: no extension; "": an empty one */
	bool version1;		/* X.509 v1, hence no extensions at all */
	bool version1_extended; /* says v1 and has extensions nevertheless */
	bool unknown_critical;	/* add a critical extension nobody knows */
	const char *name_constraints;	/* OpenSSL's words: "permitted;DNS:example.test" */
	const char *policies;		/* OIDs with commas between them; NULL: no extension */
	const char *policy_constraints; /* OpenSSL's words: "requireExplicitPolicy:0" */
	const char *policy_mappings;	/* OpenSSL's words: "1.2.3:1.2.4" */
	const char *inhibit_any_policy; /* a number */
	const char *crl_points;		/* OpenSSL's words: "URI:http://a.test/crl" */
	const char *akid;		/* OpenSSL's words; NULL: "keyid:always" */
	bool no_akid;
	bool no_skid;
	uint64_t serial;	/* 0: random */
	const char *serial_hex; /* instead: a number of any length, perhaps with a sign */
	/* Extensions as they are: "2.5.29.19=3000", "critical,2.5.29.19=3000" */
	const char *raw[PKI_RAW_MAX];
	/* Of the extensions above, by their short names, with commas between them: "EKU,SKID" */
	const char *critical;
	const char *not_critical;
	const char *conf; /* the sections that OpenSSL's words refer to; NULL: none */
};

struct pki_cert {
	X509 *x509;
	EVP_PKEY *key;		       /* NULL: of a chain that was loaded */
	const struct pki_cert *issuer; /* NULL: self-signed, or unknown */
	const uint8_t *der;
	size_t der_len;
	const char *pem;       /* the certificate */
	const char *key_pem;   /* PKCS #8, unencrypted; NULL: no key */
	const char *chain_pem; /* itself and its issuers in order, without the self-signed root */
};

struct pki;

struct pki *pki_new(void);
void pki_free(struct pki *pki); /* NULL is fine */

/* The time all validity is counted from: read once in a process, seconds since the epoch. */
int64_t pki_now(void);

/* issuer NULL: self-signed. */
const struct pki_cert *pki_make(struct pki *pki, const struct pki_cert *issuer,
				const struct pki_options *options);

/* Short for the two most common. */
const struct pki_cert *pki_make_ca(struct pki *pki, const struct pki_cert *issuer, const char *cn);
const struct pki_cert *pki_make_leaf(struct pki *pki, const struct pki_cert *issuer, const char *cn,
				     const char *dns, const char *eku);

/* ---- CRLs (pki_crl.c) --------------------------------------------------------------------- */

#define PKI_REVOKED_MAX 8

struct pki_crl {
	const struct pki_cert *revoked[PKI_REVOKED_MAX + 1]; /* ends with NULL */
	int64_t this_update; /* seconds from pki_now(); 0: an hour ago */
	int64_t next_update; /* seconds from pki_now(); 0: in 30 days */
	bool no_next_update;
	const struct pki_cert *signer;	/* whose key signs; NULL: the issuer's own */
	const char *critical_extension; /* OID of one to add; NULL: none */
	/* issuingDistributionPoint, OpenSSL's words: "critical,onlyuser:TRUE"; NULL: none */
	const char *distribution_point;
	const char *digest; /* of the signature; NULL: SHA256. Ed25519 issuers have none */
};

struct pki_der {
	uint8_t *data; /* the caller frees it */
	size_t len;
};

/* A v2 CRL under the issuer's name. */
struct pki_der pki_make_crl(const struct pki_cert *issuer, const struct pki_crl *options);

/* ---- OCSP responses (pki_ocsp.c) ---------------------------------------------------------- */

enum pki_ocsp_status { PKI_OCSP_GOOD, PKI_OCSP_REVOKED, PKI_OCSP_UNKNOWN };

struct pki_ocsp {
	const struct pki_cert *signer; /* whose certificate goes with it; NULL: the issuer, alone */
	enum pki_ocsp_status status;
	bool refuses;	     /* "try later" instead of an answer */
	const char *digest;  /* that the certificate is named by; NULL: SHA1 */
	int64_t this_update; /* seconds from pki_now(); 0: a minute ago */
	int64_t next_update; /* seconds from pki_now(); 0: in an hour */
	bool no_next_update;
};

struct pki_der pki_make_ocsp(const struct pki_cert *about, const struct pki_cert *issuer,
			     const struct pki_ocsp *options);

/*
 * Files prefix.pem, prefix.key (mode 0600) and prefix.chain.pem; pki_load reads the last two.
 * Return 0 or -errno; -EBADMSG: not what pki_save writes.
 */
int pki_save(const struct pki_cert *cert, const char *prefix);
int pki_load(struct pki *pki, const char *prefix, const struct pki_cert **ret_cert);

#endif
