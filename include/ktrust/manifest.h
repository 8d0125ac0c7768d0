/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A manifest: what a candidate for a pool must be, said by whoever made its sources.
 *
 *	ktrust-manifest 1
 *	anchors 118
 *	crls 0
 *	digest 2ab1…                  64 hexadecimal digits: the snapshot's digest
 *	epoch 7                       counts up; a pool never goes back to a lower one
 *	signature 9f03…               128 hexadecimal digits, Ed25519 (RFC 8032); may be absent
 *
 * Lines end in LF, words are separated by one space, digits are lower-case, numbers have no leading
 * zero, the order is this, and nothing follows. What is signed is everything before the word
 * "signature".
 *
 * With a public key at hand a manifest says who made the content. Without one it guards against
 * accidents only (a bundle cut between two certificates, a mix-up, an old copy): whoever can write
 * the sources can write it too, and a signature in it is not looked at.
 *
 * Threads: plain data and functions without shared state. What reads files blocks for as long as
 * the file system does.
 *
 * What this does not do: it compares nothing with a snapshot (ktrust/life.h does).
 */
#ifndef KTRUST_MANIFEST_H
#define KTRUST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_MANIFEST_MAX		  511  /* bytes of one */
#define KT_MANIFEST_KEY_MAX	  4096 /* bytes of a file with a key */
#define KT_MANIFEST_SIGNATURE_LEN 64

struct kt_manifest {
	uint64_t anchors;
	uint64_t crls;
	uint64_t epoch; /* from 1 */
	uint8_t digest[KT_DIGEST_LEN];
	bool has_signature;
	uint8_t signature[KT_MANIFEST_SIGNATURE_LEN];
	size_t signed_len; /* how many bytes of the text a signature covers */
};

/* Read the text of one; checks no signature. -EBADMSG, with the line. */
KT_WARN_UNUSED int kt_manifest_parse(const char *text, size_t len, const char *where,
				     struct kt_manifest *ret_manifest, struct kt_error *error);

/*
 * Read one from a file and, if key_path is not NULL, demand that it is signed by the key whose
 * other half this file holds (PEM, "PUBLIC KEY", Ed25519). The errno of the files, -EINVAL not a
 * regular file, -EFBIG too long, -EBADMSG malformed, -ENOKEY the key's file holds no such key, or
 * the manifest is not signed; -EKEYREJECTED signed by another, or changed since.
 */
KT_WARN_UNUSED int kt_manifest_read(const char *path, const char *key_path,
				    struct kt_manifest *ret_manifest, struct kt_error *error);

/*
 * Write the text of one, signed if key_path is not NULL (PEM, "PRIVATE KEY", Ed25519, without a
 * password). has_signature, signature and signed_len are not looked at. -EINVAL epoch 0; of the key
 * as above.
 */
KT_WARN_UNUSED int kt_manifest_write(const struct kt_manifest *manifest, const char *key_path,
				     char ret_text[KT_MANIFEST_MAX + 1], struct kt_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
