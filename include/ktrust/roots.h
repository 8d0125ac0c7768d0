/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mozilla's roots, compiled into a program: trust for systems that have none.
 *
 * The data is a library of its own, libktrust_roots (MPL-2.0), which programs link and libktrust
 * does not: whoever builds a program decides whether it carries roots that age with it
 * (-lktrust_roots before -lktrust). A program hands kt_embedded_roots to the source "embedded"
 * through struct kt_source_options.
 *
 * Threads: immutable.
 */
#ifndef KTRUST_ROOTS_H
#define KTRUST_ROOTS_H

#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kt_root {
	const uint8_t *der;
	size_t der_len;
	const uint8_t *subject; /* DER Name within der */
	size_t subject_len;
	uint8_t fingerprint[KT_DIGEST_LEN]; /* SHA-256 of der */
	const char *label;		    /* Mozilla's name for it, UTF-8 without controls */
	struct kt_constraints constraints;
};

struct kt_roots {
	const char *version; /* of the NSS builtins library they are from: "2.92" */
	int64_t date;	     /* of the release they came with, seconds since the epoch, UTC */
	const struct kt_root *roots; /* by fingerprint */
	size_t count;
	uint8_t digest[KT_DIGEST_LEN]; /* of a snapshot of exactly these anchors */
};

/* Only where a program links libktrust_roots. */
extern const struct kt_roots kt_embedded_roots __attribute__((visibility("default")));

/*
 * Roots age: which of these does the system's own set (the source "system", without embedded roots)
 * not have? It has dropped them since, or never had them. fn (may be NULL) is called for each, in
 * order. Returns how many, or what reading the system's set gives: -ENOENT there is none; -ENOMEM.
 * system_root as in struct kt_source_options. Blocks on file IO.
 */
KT_WARN_UNUSED __attribute__((visibility("default"))) int
kt_roots_not_in_system(const struct kt_roots *roots, const char *system_root,
		       void (*fn)(const struct kt_root *root, void *arg), void *arg,
		       struct kt_error *error);

#ifdef __cplusplus
}
#endif
#endif
