/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of what a pool publishes: stage, check, commit, roll back; guards; history; the state
 * that outlives the process.
 *
 *	set ──stage──► candidate ──check──► commit ──► current ──► history (N) ──► freed
 *	                   │ unstage                      ▲            │
 *	                   ▼                              └─ roll back ┘
 *
 * A roll-back publishes an old digest under a new version.
 *
 * A candidate is beside the current snapshot and changes nothing. What is compared when it is
 * checked or committed is what is current then: a candidate may be staged before other commits and
 * committed after them; it gets its version when it is published.
 *
 * Versions count up and never go back: not by a roll-back, and not over restarts where there is a
 * state directory. Content that is current already is published by none of these calls.
 *
 * Threads: any. Writers of a pool (everything here but what only looks) are serialised by the pool;
 * readers are never held up. Publishing waits for a grace period: -EDEADLK within a read section of
 * the same thread. With a state directory, publishing waits for the disk too.
 *
 * What this does not do: it reads no sources and no manifests (ktrust/source.h, ktrust/manifest.h),
 * and knows nothing of connections.
 */
#ifndef KTRUST_LIFE_H
#define KTRUST_LIFE_H

#include <ktrust/manifest.h>
#include <ktrust/pool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- Guards --------------------------------------------------------------------------------- */

/*
 * What a candidate must be to be published. Anchors are counted by identity: a root listed twice,
 * as it was and re-issued, is one. Zeros mean the default.
 *
 * One guard is always there: a candidate must have a CRL, and none older, of each issuer that has
 * one now, unless the issuer is an anchor that leaves with it. Whoever is revoked would be let in
 * again.
 */
struct kt_guards {
	size_t anchors_min; /* at least so many; default 1 */
	/*
	 * At most so many percent of those that are current (or, before anything is published, of
	 * the newest in the state directory) may vanish at once; default 100, no limit.
	 */
	unsigned int removed_max;
	bool manifest; /* a candidate must come with a manifest */
};

/* Not in a read section: it may wait for a commit. */
void kt_pool_set_guards(struct kt_pool *pool, const struct kt_guards *guards);

/* Publish what a guard refuses, for emergencies and wilful roll-backs. A broken source stays out.
 */
#define KT_FORCE 1u

/*
 * Guards refuse with: -EPERM too few anchors, too many vanish, or not what the manifest says;
 * -ENOKEY no manifest where one must be; -ESTALE the manifest's epoch is lower than one that was
 * published, or the same for other content (for a roll-back: the epoch it was published under).
 */

/* ---- From a candidate to the current snapshot ------------------------------------------------ */

/*
 * Make a candidate of a set, in place of the one before. manifest may be NULL; it is copied. What
 * would change is told; nothing is checked. Of what is current already (new_version == old_version)
 * no candidate is made, but for a manifest with a higher epoch. Errors as kt_snapshot_build;
 * -EDEADLK.
 */
KT_WARN_UNUSED int kt_pool_stage(struct kt_pool *pool, const struct kt_anchor_set *set,
				 const char *source, const struct kt_manifest *manifest,
				 struct kt_pool_change *ret_change, struct kt_error *error);

/* Would the candidate be published now? -ENOENT there is none; what a guard says; -EDEADLK. */
KT_WARN_UNUSED int kt_pool_check(struct kt_pool *pool, struct kt_pool_change *ret_change,
				 struct kt_error *error);

/*
 * Publish the candidate as kt_pool_commit does a set; it is none any more then. When it is refused
 * it stays. flags: KT_FORCE. -ENOENT there is none, what a guard says, -ENOMEM, -EDEADLK.
 */
KT_WARN_UNUSED int kt_pool_commit_staged(struct kt_pool *pool, unsigned int flags,
					 struct kt_pool_change *ret_change, struct kt_error *error);

/* Drop the candidate. -ENOENT there is none; -EDEADLK. */
KT_WARN_UNUSED int kt_pool_unstage(struct kt_pool *pool, struct kt_error *error);

/* Stage and commit in one; a candidate that waits stays. As kt_pool_commit, what a guard says. */
KT_WARN_UNUSED int kt_pool_load(struct kt_pool *pool, const struct kt_anchor_set *set,
				const char *source, const struct kt_manifest *manifest,
				unsigned int flags, struct kt_pool_change *ret_change,
				struct kt_error *error);

/*
 * Publish what was version `version` again, as a new version; 0: the newest of the history that is
 * not what is current. -ENOENT it is not in the history; what a guard says, -ENOMEM, -EDEADLK.
 */
KT_WARN_UNUSED int kt_pool_roll_back(struct kt_pool *pool, uint64_t version, unsigned int flags,
				     struct kt_pool_change *ret_change, struct kt_error *error);

/*
 * Say that a candidate was refused before it came to the pool (its source could not be read): to
 * those who trace (probe `refuse`) and to the count. What guards refuse, and sets that make no
 * snapshot, the calls above say themselves.
 */
void kt_pool_refused(struct kt_pool *pool, const char *source, const struct kt_error *why);

/* ---- Looking --------------------------------------------------------------------------------- */

/* Within a read section, as kt_pool_read_begin: the candidate, or NULL. Its version is a guess. */
const struct kt_snapshot *kt_pool_staged(const struct kt_pool *pool);

#define KT_HISTORY_MAX	   64
#define KT_HISTORY_DEFAULT 8

/* How many snapshots stay beside the current one, at most KT_HISTORY_MAX; 0: none, once
 * something is published. Not in a read section: it may wait for a commit. */
void kt_pool_set_history(struct kt_pool *pool, size_t count);

struct kt_history_entry {
	uint64_t version;
	uint64_t epoch; /* of its manifest; 0: it had none */
	uint64_t created_ns;
	size_t anchors;
	size_t crls;
	uint8_t digest[KT_DIGEST_LEN];
	bool kept; /* in the state directory */
	char source[KT_SOURCE_MAX + 1];
};

/* The current one first, then back in time. Returns how many were written, at most `most`. */
size_t kt_pool_history(const struct kt_pool *pool, struct kt_history_entry *ret_entries,
		       size_t most);

/* The highest epoch that was published; 0: none. */
uint64_t kt_pool_epoch(const struct kt_pool *pool);

enum kt_difference_kind {
	KT_ANCHOR_ADDED,       /* an identity that is new: after */
	KT_ANCHOR_REMOVED,     /* one that vanishes: before */
	KT_ANCHOR_CONSTRAINED, /* name and key stay, the limits change: both */
	KT_ANCHOR_REISSUED,    /* identity stays, the certificate is another one: both */
};

struct kt_difference {
	enum kt_difference_kind kind;
	/* Borrowed from the two snapshots; der is NULL where there is none. */
	struct kt_anchor before;
	struct kt_anchor after;
	uint8_t key[KT_DIGEST_LEN]; /* SHA-256 of the SubjectPublicKeyInfo */
};

/*
 * Show every anchor that differs, in an order that depends on the content alone; from may be NULL.
 * KT_ANCHOR_CONSTRAINED is one anchor added and one removed by the count of kt_snapshot_diff;
 * KT_ANCHOR_REISSUED is neither. fn returns false to end it. -ENOMEM, -EIO, -EOPNOTSUPP (SHA-256).
 */
KT_WARN_UNUSED int
kt_snapshot_compare(const struct kt_snapshot *from, const struct kt_snapshot *to,
		    bool (*fn)(const struct kt_difference *difference, void *arg), void *arg);

/* ---- State that outlives the process --------------------------------------------------------- */

/*
 * Keep the pool's snapshots and its version counter in dir/NAME, made if it is not there (dir must
 * be). Call before anything is published. The history of the last run comes back with it. Whatever
 * is published is written there first, so that a crash or a loss of power at any point leaves the
 * old or the new; when that fails (full disk, read-only) it is published all the same, and
 * kt_pool_change.kept is false. Versions go on behind the last one; after an end without
 * kt_pool_free some are left out, for those that were published but could not be kept.
 *
 * Errors: errno of the directory and its files, -EBUSY another process keeps a pool there, -EBADMSG
 * its counter is damaged or missing (versions could go back), -EALREADY something is published.
 */
KT_WARN_UNUSED int kt_pool_use_state(struct kt_pool *pool, const char *dir, struct kt_error *error);

/*
 * Publish what the last run published last, for a start with a broken source. It must be what the
 * guards ask for today: -EPERM too few anchors, -ENOKEY no manifest where one must be. -EBADMSG it
 * is not in the state directory: its image cannot be read, or it could not be kept; older ones may
 * have anchors that were removed since, and only kt_pool_roll_back publishes those. After an end
 * without kt_pool_free what could not be kept is not known of. -ENOENT there is none; -EALREADY
 * something is published; -ENOMEM.
 */
KT_WARN_UNUSED int kt_pool_restore(struct kt_pool *pool, struct kt_pool_change *ret_change,
				   struct kt_error *error);

/*
 * Why what is current would not survive a restart; ret_error->err is 0 when it would, and where
 * there is no state directory. Before anything is published: what the last run published and the
 * state directory lacks (EBADMSG, as above), or may lack (ENODATA, it did not end in order).
 */
void kt_pool_state_error(const struct kt_pool *pool, struct kt_error *ret_error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
