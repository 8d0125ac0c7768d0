/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place a snapshot is published in.
 *
 * The one file behind this header uses liburcu, flavour urcu-bp: readers live in threads of the
 * library's users, which register with nobody. What a publisher owes is in the names:
 *
 *	old = kt_slot_switch(&slot, next);   readers that come now see next
 *	kt_slot_wait_readers();              those that may still see old have left
 *	kt_snapshot_free(old);
 *
 * Threads: any number of readers; switches are serialised by the caller. `current` is written by
 * kt_slot_switch alone and read by readers through kt_slot_read_begin, or kt_pool_read_begin beside
 * it; the publisher itself may use kt_slot_peek, since nobody else switches meanwhile.
 *
 * What it does not do: it frees nothing. After a fork without exec in a process with several
 * threads, the child must not use it (liburcu's fork handlers are not installed).
 */
#ifndef KT_POOL_SLOT_H
#define KT_POOL_SLOT_H

#include <stdbool.h>

struct kt_snapshot;

struct kt_slot {
	struct kt_snapshot *current; /* NULL: nothing was published */
};

/* What is returned lives until the matching kt_slot_read_end of this thread. Sections nest. */
const struct kt_snapshot *kt_slot_read_begin(const struct kt_slot *slot);
void kt_slot_read_end(void);

/* Is this thread in a read section, of whichever slot? */
bool kt_slot_in_section(void);

/* For the one who switches: no read section needed. */
struct kt_snapshot *kt_slot_peek(const struct kt_slot *slot);

/* Publish; returns what was there before. The caller waits for the readers, then frees it. */
__attribute__((warn_unused_result)) struct kt_snapshot *kt_slot_switch(struct kt_slot *slot,
								       struct kt_snapshot *next);

/* Blocks until every read section that began before this call has ended. Never within one. */
void kt_slot_wait_readers(void);

#endif
