/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of trust anchors that are replaced while readers use them.
 *
 *   struct kt_anchor_set   mutable: anchors gathered from sources, owned by one thread
 *   struct kt_snapshot     immutable: one state of a pool, version and digest included
 *   struct kt_pool         a name and the slot its current snapshot is published in
 *
 * A snapshot is one flat, position-independent image (header, index, DER). The pointer a reader
 * gets from a pool points into that very image: there is no second form. The image can be written
 * to a file or memfd and mapped by another process, which reads it with the same functions.
 *
 * Threads. kt_anchor_set: one thread at a time. kt_snapshot: immutable, any number of threads.
 * kt_pool: readers in any thread, without registration (the RCU flavour is urcu-bp); writers
 * (kt_pool_commit) are serialised by the pool itself. A commit waits for a grace period: never
 * call it between kt_pool_read_begin and kt_pool_read_end of any pool, nor under a lock that
 * readers take.
 *
 * What this does not do: it does not check signatures, validity or basic constraints of anchors
 * (verification does), and it does not watch files (the daemon does).
 */
#ifndef KTRUST_POOL_H
#define KTRUST_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_POOL_NAME_MAX   31		/* bytes, without the terminating NUL */
#define KT_SOURCE_MAX	   255		/* bytes, without the terminating NUL */
#define KT_PEM_FILE_MAX	   (64UL << 20) /* bytes; a larger PEM file is refused */
#define KT_ANCHORS_MAX	   (1U << 20)	/* anchors in one set */
#define KT_CERTIFICATE_MAX (64U << 10)	/* bytes of DER of one certificate */

/* ---- Anchor set: gathering ---------------------------------------------------------------- */

struct kt_anchor_set;

/* NULL: out of memory. Freed by kt_anchor_set_free, which accepts NULL. */
struct kt_anchor_set *kt_anchor_set_new(void);
void kt_anchor_set_free(struct kt_anchor_set *set);
size_t kt_anchor_set_count(const struct kt_anchor_set *set);

/*
 * Add one certificate; the DER is copied. A certificate that is already there (same DER) is
 * counted once and is no error. Errors: -EBADMSG not a well-formed X.509 certificate (strict DER
 * of the outer fields, trailing bytes refused), -EFBIG longer than KT_CERTIFICATE_MAX, -E2BIG set
 * full, -ENOMEM. `where` and `line` go into error.
 */
KT_WARN_UNUSED int kt_anchor_set_add_der(struct kt_anchor_set *set, const uint8_t *der, size_t len,
					 const char *where, unsigned int line,
					 struct kt_error *error);

/*
 * Add every certificate of a PEM text (RFC 7468) in memory. Strict: text between blocks is
 * allowed, but a malformed, cut or foreign block refuses the whole text and names its line:
 * -EBADMSG malformed or truncated, -EKEYREJECTED a private key (its content is neither kept nor
 * shown), -EOPNOTSUPP "TRUSTED CERTIFICATE" (its trust settings would be lost) or another label,
 * -ENODATA no certificate at all; and those of kt_anchor_set_add_der. On failure the set is
 * unchanged. What counts as strict is written out in src/pool/pem.h.
 */
KT_WARN_UNUSED int kt_anchor_set_add_pem(struct kt_anchor_set *set, const char *text, size_t len,
					 const char *where, struct kt_error *error);

/*
 * The same from a regular file. Blocks on file IO. Errors besides those of kt_anchor_set_add_pem:
 * the errno of open and read, -EINVAL not a regular file, -EFBIG larger than KT_PEM_FILE_MAX.
 */
KT_WARN_UNUSED int kt_anchor_set_add_pem_file(struct kt_anchor_set *set, const char *path,
					      struct kt_error *error);

/*
 * Add what a source in the words of the command line names: "file:PATH" (later versions: dir:,
 * certdata:, system, embedded). -EINVAL for a word that is none. Else as the source's own function.
 */
KT_WARN_UNUSED int kt_anchor_set_add_source(struct kt_anchor_set *set, const char *source,
					    struct kt_error *error);

/* ---- Snapshot: one immutable state -------------------------------------------------------- */

struct kt_snapshot;

struct kt_snapshot_info {
	const char *pool;      /* borrowed from the snapshot, NUL-terminated */
	const char *source;    /* likewise: the sources it was built from, as written */
	uint64_t version;      /* from 1; never goes back within a pool */
	uint64_t created_ns;   /* CLOCK_REALTIME when it was built */
	const uint8_t *digest; /* KT_DIGEST_LEN: SHA-256 over the sorted anchors' fingerprints */
	size_t anchors;
	size_t image_len; /* bytes of the image */
};

/*
 * Build an image. The set is read only and may be freed afterwards. Errors: -EINVAL pool name
 * empty, longer than KT_POOL_NAME_MAX, or with other characters than letters, digits, '.', '_', '-'
 * (not at the start: '.', '-'), version 0, source longer than KT_SOURCE_MAX; -ENODATA an empty set;
 * -ENOMEM. The memory is read-only: a write to it faults.
 */
KT_WARN_UNUSED int kt_snapshot_build(const struct kt_anchor_set *set, const char *pool,
				     const char *source, uint64_t version,
				     struct kt_snapshot **ret_snapshot, struct kt_error *error);

/* Only for a snapshot that was never published, or whose grace period has passed. NULL is fine. */
void kt_snapshot_free(struct kt_snapshot *snapshot);

void kt_snapshot_describe(const struct kt_snapshot *snapshot, struct kt_snapshot_info *ret_info);

/* Anchor number `index` (0 … anchors - 1, ordered by fingerprint). -ERANGE beyond. */
KT_WARN_UNUSED int kt_snapshot_anchor(const struct kt_snapshot *snapshot, size_t index,
				      struct kt_anchor *ret_anchor);

/*
 * Anchors whose subject equals a DER Name (RFC 5280 §7.1 comparison: exact DER, or equal after
 * case folding and white space compression). Several anchors may share a name. Start with
 * *cursor = 0; each call that returns 0 fills ret_anchor and advances the cursor; -ENOENT: no more.
 */
KT_WARN_UNUSED int kt_snapshot_find_subject(const struct kt_snapshot *snapshot, const uint8_t *name,
					    size_t name_len, size_t *cursor,
					    struct kt_anchor *ret_anchor);

/* The anchor with this certificate (SHA-256 of its DER, KT_DIGEST_LEN bytes). -ENOENT: none. */
KT_WARN_UNUSED int kt_snapshot_find_fingerprint(const struct kt_snapshot *snapshot,
						const uint8_t *fingerprint,
						struct kt_anchor *ret_anchor);

/* How many anchors (by identity) `to` has that `from` lacks, and the reverse. from may be NULL. */
void kt_snapshot_diff(const struct kt_snapshot *from, const struct kt_snapshot *to,
		      size_t *ret_added, size_t *ret_removed);

/* A sealed memfd (F_SEAL_WRITE|GROW|SHRINK|SEAL) with the image; the caller closes it. */
KT_WARN_UNUSED int kt_snapshot_to_memfd(const struct kt_snapshot *snapshot);

/*
 * Map an image from a file or memfd. Every offset and length in it is checked before it is
 * believed, the digests too: -EBADMSG names what is wrong. A memfd must carry the seals
 * F_SEAL_WRITE|GROW|SHRINK (-EPERM else), a regular file is copied, so that nobody can change what
 * was checked. Freed by kt_snapshot_free.
 */
KT_WARN_UNUSED int kt_snapshot_map(int fd, struct kt_snapshot **ret_snapshot,
				   struct kt_error *error);

/* ---- Pool: what is published ---------------------------------------------------------------- */

struct kt_pool;

/* An empty pool: nothing is published, so every verification answers no_anchors. */
KT_WARN_UNUSED int kt_pool_new(const char *name, struct kt_pool **ret_pool, struct kt_error *error);

/* No reader may be in a read section of this pool. NULL is fine. */
void kt_pool_free(struct kt_pool *pool);
const char *kt_pool_name(const struct kt_pool *pool);

/*
 * Begin a read section and return the current snapshot, NULL when nothing was ever published. The
 * pointer is valid until the matching kt_pool_read_end in the same thread. Sections may nest.
 * Never blocks.
 */
const struct kt_snapshot *kt_pool_read_begin(const struct kt_pool *pool);
void kt_pool_read_end(const struct kt_pool *pool);

struct kt_pool_change {
	uint64_t old_version; /* 0: nothing was published before */
	uint64_t new_version; /* == old_version: same content, nothing was published */
	size_t added;	      /* anchors by identity */
	size_t removed;
	size_t anchors; /* in the new snapshot */
};

/*
 * Build the next version from a set, publish it, wait for a grace period and free the previous
 * snapshot. When it returns, no reader uses the previous snapshot any more. A set with the digest
 * of the current snapshot publishes nothing. On failure (errors as kt_snapshot_build, -EDEADLK
 * when called within a read section) the current snapshot stays. Blocks for the grace period.
 */
KT_WARN_UNUSED int kt_pool_commit(struct kt_pool *pool, const struct kt_anchor_set *set,
				  const char *source, struct kt_pool_change *ret_change,
				  struct kt_error *error);

struct kt_pool_stats {
	uint64_t published; /* snapshots published since kt_pool_new */
	uint64_t reclaimed; /* of those, freed after their grace period */
};

void kt_pool_get_stats(const struct kt_pool *pool, struct kt_pool_stats *ret_stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
