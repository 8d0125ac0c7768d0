/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is behind <ktrust/credentials.h>.
 *
 * Threads: as there. Secrets: the text of a key's file, wiped by kt_secret_file_wipe, and the key
 * itself, which libcrypto wipes when its last reference is gone.
 */
#ifndef KT_TLS_CREDENTIALS_H
#define KT_TLS_CREDENTIALS_H

#include <sys/types.h>

#include <openssl/ssl.h>

#include <ktrust/credentials.h>
#include <ktrust/verify.h>

struct kt_credentials {
	int references; /* atomic */
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* above the leaf, as it is sent */
	X509 *issuer;		/* of the leaf, if it was in the file; sent or not. NULL: unknown */
	struct kt_credentials_info info;
	char **names; /* info.names of them, in lower case */
	/* An OCSPResponse, with the times in info. NULL: none. */
	uint8_t *staple;
	size_t staple_len;
	struct kt_signing *signing; /* atomic; begun with key (signing.h). NULL: not yet */
};

/*
 * The kinds of key that OpenSSL keeps one certificate of in each SSL object (ssl_local.h,
 * SSL_PKEY_*), in the order of our signature algorithms.
 */
enum kt_key_kind {
	KT_KEY_ECDSA,
	KT_KEY_ED25519,
	KT_KEY_ED448,
	KT_KEY_RSA,
	KT_KEY_RSA_PSS,
	KT_KEY_KINDS
};

/* Credentials for one name, borrowed from their set: one of each kind at most. NULL: none. */
struct kt_credentials_group {
	struct kt_credentials *of[KT_KEY_KINDS];
};

/* ---- secret_file.c ----------------------------------------------------------------------------
 */

struct kt_secret_file {
	uint8_t *data;
	size_t len; /* bytes; never 0 once read */
	mode_t mode;
};

/*
 * Read a whole regular file of at most KT_CREDENTIALS_FILE_MAX bytes; -EBADMSG: it is none, or
 * empty; errno. `give` ends the error's sentence: "give a PEM file".
 */
KT_WARN_UNUSED int kt_secret_file_read(const char *path, const char *give,
				       struct kt_secret_file *ret_file, struct kt_error *error);
void kt_secret_file_wipe(struct kt_secret_file *file);

/* ---- chain.c --------------------------------------------------------------------------------- */

/*
 * Put certificates in order: the leaf, which the key belongs to, and above it what is to be sent.
 * Fills leaf, chain, issuer and the counts of info. `file`, of at most KT_CHAIN_MAX certificates as
 * they were read, is emptied of what was taken. -EKEYREJECTED, -EBADMSG, -ENOMEM.
 */
KT_WARN_UNUSED int kt_chain_put_in_order(struct kt_credentials *credentials, STACK_OF(X509) * file,
					 const char *chain_path, const char *key_path,
					 struct kt_error *error);

/* ---- credentials.c --------------------------------------------------------------------------- */

/* What every context of ours asks of keys and signatures (SSL_CTX_set_security_level). */
#define KT_TLS_SECURITY_LEVEL 2

/* KT_KEY_KINDS: TLS cannot use it. */
enum kt_key_kind kt_key_kind(const EVP_PKEY *key);

/* Put certificate, chain and key into an SSL_CTX; the objects are shared, not copied. */
KT_WARN_UNUSED int kt_credentials_use(const struct kt_credentials *credentials, SSL_CTX *context);

/* ---- describe_credentials.c ------------------------------------------------------------------ */

/* Fill names and info once leaf, key and chain are there. -EBADMSG, -ENOMEM. */
KT_WARN_UNUSED int kt_credentials_look(struct kt_credentials *credentials, const char *path,
				       struct kt_error *error);
void kt_credentials_forget(struct kt_credentials *credentials);

/* info.digest anew: something of what is sent has changed. -ENOMEM */
KT_WARN_UNUSED int kt_credentials_sum_up(struct kt_credentials *credentials);

/* Seconds since the epoch, INT64_MIN: not a time. */
int64_t kt_asn1_seconds(const ASN1_TIME *time);

/* ---- credentials_set.c ----------------------------------------------------------------------- */

/* For a name as a client sent it, or "". Never NULL, never empty: the default. */
const struct kt_credentials_group *kt_credentials_set_find(const struct kt_credentials_set *set,
							   const char *name);
const struct kt_credentials_group *kt_credentials_set_default(const struct kt_credentials_set *set);

/* ---- staple.c -------------------------------------------------------------------------------- */

/* Is there a response that may be sent at this time? */
bool kt_credentials_staple_holds(const struct kt_credentials *credentials, int64_t now);

/* ---- credentials_slot.c ---------------------------------------------------------------------- */

/* Has another set been published since this one was? Cheap: no lock. */
bool kt_credentials_slot_is_newer(const struct kt_credentials_slot *slot,
				  const struct kt_credentials_set *set);

#endif
