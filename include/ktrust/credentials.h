/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a side of TLS proves itself with.
 *
 *   struct kt_credentials       one certificate chain, its key, perhaps an OCSP response
 *   struct kt_credentials_set   several, and which of them are for which name
 *   struct kt_credentials_slot  where a set is published for those who shake hands
 *
 * A set is chosen from in two steps, when a ClientHello is there. The name (SNI) comes first: the
 * credentials whose certificate has the whole name, else those with a wildcard for it, else the
 * default; of each kind of key (ECDSA, RSA, Ed25519, …) the first in the set. Among those the
 * client's signature algorithms and cipher suites decide (RFC 8446 §4.4.2.2), in our order: ECDSA,
 * EdDSA, RSA. So a client that takes nothing of what the name has is refused (no_shared_cipher),
 * even where another name's certificate would do.
 *
 *   name      a dNSName among the certificate's subjectAltNames, A-labels, case does not count.
 *             "*." and a name stands for exactly one label (RFC 9525 §6.3). Others do not count.
 *   default   for clients that send no name, or one that nobody has: the first credentials of the
 *             set, and of the other kinds of key those that are for its first name too (those
 *             without any name, if the first has none).
 *
 * Lifetimes. Credentials and sets are immutable and have counted references, which any thread may
 * take and give back. A slot belongs to whoever made it, and must outlive the contexts that look
 * into it.
 *
 * Swapping. kt_credentials_slot_publish replaces a set as a whole. Each connection that is made
 * after it returned has the new one; each made before keeps the one it had until its handshake is
 * over. Nobody waits for anybody: a lock is held for copying a pointer.
 *
 * What this does not do: judge our own certificates (an expired one is presented, see
 * kt_credentials_describe), fetch OCSP responses, keep keys anywhere but in this process's memory.
 */
#ifndef KTRUST_CREDENTIALS_H
#define KTRUST_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- One ------------------------------------------------------------------------------------- */

struct kt_credentials;

#define KT_CREDENTIALS_FILE_MAX (1L << 20) /* bytes of a file with a chain, a key or a response */

/*
 * Read a PEM chain and its unencrypted PEM key; neither is written. The certificates may stand in
 * any order: the one that the key belongs to is the leaf, and is sent first, then each issuer after
 * whom it issued, by name and signature; where there are several ways up (cross-signed CAs), the
 * second after the first (RFC 8446 §4.4.2). Not sent: what is there twice, and a self-signed root
 * above the leaf, which a peer has or does not trust. A certificate that issued none of the others
 * does not belong, and refuses all.
 *
 * Blocks on file IO. Errors: errno of the files; -EBADMSG malformed, too many, or one that does not
 * belong; -EKEYREJECTED the key belongs to none of the certificates, is encrypted, or is of a kind
 * or strength that TLS cannot use. The caller holds one reference.
 */
KT_WARN_UNUSED int kt_credentials_load(const char *chain_path, const char *key_path,
				       struct kt_credentials **ret_credentials,
				       struct kt_error *error);

/*
 * Let a server send this OCSP response (RFC 6066 §8, RFC 8446 §4.4.2.1) to clients that ask for
 * one: a DER file with a successful response that says "good" of the leaf, signed by its issuer or
 * by whom that delegated it to, with a nextUpdate. The issuer has to be in the chain's file. Sent
 * from thisUpdate to nextUpdate only.
 *
 * Before anybody else has the credentials. Blocks on file IO. Errors: errno of the file; -EBADMSG
 * malformed, or not what is said above: the credentials are as they were.
 */
KT_WARN_UNUSED int kt_credentials_staple(struct kt_credentials *credentials, const char *path,
					 struct kt_error *error);

struct kt_credentials *kt_credentials_get(struct kt_credentials *credentials);
void kt_credentials_put(struct kt_credentials *credentials); /* NULL is fine */

struct kt_credentials_info {
	char subject[128]; /* common name, else the first name; printable; may be empty */
	char key_type[32]; /* "ECDSA P-256", "RSA 2048", "Ed25519" */
	uint8_t fingerprint[KT_DIGEST_LEN]; /* SHA-256 of the leaf's DER */
	uint8_t digest[KT_DIGEST_LEN];	    /* SHA-256 of all that is sent, in order */
	int64_t not_before, not_after;	    /* of the leaf; seconds since the epoch */
	size_t names;			    /* that it is chosen by, see kt_credentials_name */
	size_t sent;			    /* certificates, the leaf included */
	size_t left_out;		    /* doubles and roots of the file that are not sent */
	bool reordered;			    /* they stood in another order in the file */
	/* Everybody on this machine could read the key's file when it was loaded. */
	bool exposed;
	bool stapled; /* there is an OCSP response, with these times */
	int64_t this_update, next_update;
};

void kt_credentials_describe(const struct kt_credentials *credentials,
			     struct kt_credentials_info *ret_info);

/* The index-th name that it is chosen by, in lower case; its own. NULL beyond the last. */
const char *kt_credentials_name(const struct kt_credentials *credentials, size_t index);

/* ---- Several --------------------------------------------------------------------------------- */

#define KT_CREDENTIALS_MAX 1024 /* in a set */

struct kt_credentials_set;

/*
 * References to the credentials are taken. -EINVAL: none; -E2BIG: more than KT_CREDENTIALS_MAX;
 * -ENOMEM. The caller holds one reference to the set.
 */
KT_WARN_UNUSED int kt_credentials_set_new(struct kt_credentials *const *credentials, size_t count,
					  struct kt_credentials_set **ret_set,
					  struct kt_error *error);
struct kt_credentials_set *kt_credentials_set_get(struct kt_credentials_set *set);
void kt_credentials_set_put(struct kt_credentials_set *set); /* NULL is fine */

/* In the order they were given, borrowed. NULL beyond the last. */
struct kt_credentials *kt_credentials_set_at(const struct kt_credentials_set *set, size_t index);

/* Could a client get these? No: all their names have others of that kind of key before them. */
bool kt_credentials_set_reaches(const struct kt_credentials_set *set, size_t index);

/* ---- Published ------------------------------------------------------------------------------- */

struct kt_credentials_slot;

/* A reference to the set, which is there from the start, is taken. -ENOMEM. */
KT_WARN_UNUSED int kt_credentials_slot_new(struct kt_credentials_set *set,
					   struct kt_credentials_slot **ret_slot);
/* Nobody may look into it any more. NULL is fine. */
void kt_credentials_slot_free(struct kt_credentials_slot *slot);

/* Any thread. A reference to the set is taken, the slot's to the one before is given back. */
void kt_credentials_slot_publish(struct kt_credentials_slot *slot, struct kt_credentials_set *set);

/* Any thread: a new reference to the set that is there now. */
struct kt_credentials_set *kt_credentials_slot_current(struct kt_credentials_slot *slot);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
