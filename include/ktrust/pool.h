/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of trust anchors that are replaced while readers use them.
 *
 *   struct kt_anchor_set   mutable: anchors gathered from sources (ktrust/source.h)
 *   struct kt_snapshot     immutable: one state of a pool, version and digest included
 *   struct kt_pool         a name and the slot its current snapshot is published in
 *
 * A snapshot is one flat, position-independent image (header, index, DER). The pointer a reader
 * gets from a pool points into that very image: there is no second form. The image can be written
 * to a file or memfd and mapped by another process, which reads it with the same functions.
 *
 * Threads. kt_snapshot: immutable, any number of threads.
 * kt_pool: readers in any thread, without registration (the RCU flavour is urcu-bp); writers
 * (kt_pool_commit) are serialised by the pool itself. A commit waits for a grace period: never
 * call it between kt_pool_read_begin and kt_pool_read_end of any pool, nor under a lock that
 * readers take.
 *
 * What this does not do: it reads no sources (ktrust/source.h) and watches no files (the daemon).
 * Candidates, guards, history and the state directory are in ktrust/life.h.
 */
#ifndef KTRUST_POOL_H
#define KTRUST_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>
#include <ktrust/source.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_POOL_NAME_MAX 31 /* bytes, without the terminating NUL */

/* ---- Snapshot: one immutable state -------------------------------------------------------- */

struct kt_snapshot;

struct kt_snapshot_info {
	const char *pool;    /* borrowed from the snapshot, NUL-terminated */
	const char *source;  /* likewise: the sources it was built from, as written */
	uint64_t version;    /* from 1; never goes back within a pool */
	uint64_t created_ns; /* CLOCK_REALTIME when it was built */
	/* KT_DIGEST_LEN: SHA-256 over the sorted anchors with their constraints, and the CRLs */
	const uint8_t *digest;
	size_t anchors;
	size_t crls;
	enum kt_crl_policy crl_policy;
	size_t image_len; /* bytes of the image */
};

/*
 * Build an image. The set is read only and may be freed afterwards. Errors: -EINVAL pool name
 * empty, longer than KT_POOL_NAME_MAX, or with other characters than letters, digits, '.', '_', '-'
 * (not at the start: '.', '-'), version 0, source longer than KT_SOURCE_MAX; -ENODATA an empty set;
 * -ENOMEM, and the errno of mmap and mprotect. The memory is read-only: a write to it faults.
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

/* Likewise the anchors with this subjectKeyIdentifier (the extension's content, len bytes). */
KT_WARN_UNUSED int kt_snapshot_find_key_id(const struct kt_snapshot *snapshot,
					   const uint8_t *key_id, size_t len, size_t *cursor,
					   struct kt_anchor *ret_anchor);

/* The anchor with this certificate (SHA-256 of its DER, KT_DIGEST_LEN bytes). -ENOENT: none. */
KT_WARN_UNUSED int kt_snapshot_find_fingerprint(const struct kt_snapshot *snapshot,
						const uint8_t *fingerprint,
						struct kt_anchor *ret_anchor);

/* A CRL of a snapshot. Pointers are borrowed from it, lengths in bytes. */
struct kt_crl {
	const uint8_t *der;
	size_t der_len;
	const uint8_t *issuer; /* DER Name within der */
	size_t issuer_len;
	const uint8_t *fingerprint; /* KT_DIGEST_LEN: SHA-256 of der */
	int64_t this_update;	    /* seconds since the epoch, UTC */
	int64_t next_update;	    /* INT64_MAX: the CRL names none */
};

/* CRL number `index` (0 … crls - 1, ordered by fingerprint). -ERANGE beyond. */
KT_WARN_UNUSED int kt_snapshot_crl(const struct kt_snapshot *snapshot, size_t index,
				   struct kt_crl *ret_crl);

/* The CRLs of this issuer, one after another, as kt_snapshot_find_subject. */
KT_WARN_UNUSED int kt_snapshot_find_crl(const struct kt_snapshot *snapshot, const uint8_t *issuer,
					size_t issuer_len, size_t *cursor, struct kt_crl *ret_crl);

/* How many anchors (by identity) `to` has that `from` lacks, and the reverse. from may be NULL. */
void kt_snapshot_diff(const struct kt_snapshot *from, const struct kt_snapshot *to,
		      size_t *ret_added, size_t *ret_removed);

/*
 * A sealed memfd (F_SEAL_WRITE|GROW|SHRINK|SEAL) with a copy of the image, its offset at the start;
 * the caller closes it. Or the errno of memfd_create, pwrite and fcntl, negative.
 */
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

/*
 * No reader may be in a read section of this pool. The end of a state directory's use: what is kept
 * is marked as complete. NULL is fine.
 */
void kt_pool_free(struct kt_pool *pool);
const char *kt_pool_name(const struct kt_pool *pool);

struct kt_allow; /* ktrust/allow.h */

/*
 * Of those the pool's anchors vouch for, only whom these rules name is allowed; NULL, as at first:
 * everybody. They are the pool's, not a snapshot's: no swap changes them. Only before any other
 * thread has the pool. The rules are borrowed until kt_pool_free, and are none of the pool's own
 * affair: whoever verifies by it passes them on (struct kt_query).
 */
void kt_pool_set_allow(struct kt_pool *pool, const struct kt_allow *allow);
const struct kt_allow *kt_pool_allow(const struct kt_pool *pool);

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
	size_t old_crls;
	size_t crls;
	bool kept; /* a state directory has the new snapshot (false also where there is none) */
};

/*
 * Build the next version from a set, publish it, wait for a grace period and put the previous
 * snapshot into the history (ktrust/life.h). When it returns, no reader uses the previous snapshot
 * any more. A set with the digest of the current snapshot publishes nothing. On failure (errors as
 * kt_snapshot_build, what a guard says, -EDEADLK when called within a read section) the current
 * snapshot stays. Blocks for the grace period.
 */
KT_WARN_UNUSED int kt_pool_commit(struct kt_pool *pool, const struct kt_anchor_set *set,
				  const char *source, struct kt_pool_change *ret_change,
				  struct kt_error *error);

struct kt_pool_stats {
	uint64_t published; /* snapshots published since kt_pool_new */
	uint64_t reclaimed; /* of those, past their grace period: no reader has them */
	uint64_t refused;   /* candidates refused; those that kt_pool_refused told of too */
};

void kt_pool_get_stats(const struct kt_pool *pool, struct kt_pool_stats *ret_stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
