/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each listener proves itself with: loaded at start, on SIGHUP, and by the watcher when a file
 * changes.
 *
 * A listener's certificates and keys are one set, which is replaced as a whole: one file that is
 * missing, cut off, or not the other's, and the set that was there stays, said in the log and kept
 * for kt_identities_state. An OCSP response that is no good is not sent, and stops nothing else: a
 * new certificate must not wait for it.
 *
 * Threads: after kt_identities_new any thread may call these; one load of a listener at a time (it
 * waits). Looking never waits for a load.
 */
#ifndef KTRUST_DAEMON_IDENTITIES_H
#define KTRUST_DAEMON_IDENTITIES_H

#include <ktrust/credentials.h>

#include "config.h"

struct kt_identities;

/* Load those of all listeners; each must load. The configuration is borrowed for the life of it. */
KT_WARN_UNUSED int kt_identities_new(const struct kt_config *config,
				     struct kt_identities **ret_identities, struct kt_error *error);
/* Nobody may use the slots any more. NULL is fine. */
void kt_identities_free(struct kt_identities *identities);

/* Where a listener's are published; NULL: it has none (an origin's). */
struct kt_credentials_slot *kt_identities_slot(struct kt_identities *identities, size_t listener);

/* Load a listener's anew, if it has any. Says what happened in the log. */
KT_WARN_UNUSED int kt_identities_load(struct kt_identities *identities, size_t listener);

struct kt_identities_state {
	struct kt_credentials_set *set; /* a reference for the caller; NULL: it has none */
	uint64_t since_ns;		/* CLOCK_REALTIME: when it was published */
	struct kt_error last_error;	/* why the last load was refused; err is 0 if it was not */
};

void kt_identities_state(struct kt_identities *identities, size_t listener,
			 struct kt_identities_state *ret_state);

/*
 * Why the OCSP response of a listener's index-th credentials is not sent; err is 0: there is none
 * in the configuration, or it was taken.
 */
void kt_identities_staple_error(struct kt_identities *identities, size_t listener, size_t index,
				struct kt_error *ret_error);

#endif
