/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * _LGPL_SOURCE makes the read section inline: a third of the time of the calls into liburcu. What
 * is inlined are functions of less than ten lines each, which LGPL 2.1 §5 leaves free of
 * conditions; what is long (registration, grace periods) stays behind calls. Without the macro the
 * file works just the same, as it does under sanitizers: liburcu 0.13 puts its readers at addresses
 * less aligned than it declares, and UBSan would report every section.
 *
 * A pool's own read section is here too, so that it is one call deep: one more makes it a third
 * longer, of two nanoseconds. The Makefile compiles this file for the initial-exec model of
 * thread-local storage, else each section in libktrust.so would call __tls_get_addr four times,
 * which doubles it. So liburcu's variable, one pointer a thread, must have room in what a thread is
 * given when it starts: it has in a program that is linked with the library, and for one that loads
 * it later (dlopen) glibc keeps some to spare.
 *
 * The pointer itself is switched and read by the compiler's atomics. They order as much as
 * liburcu's rcu_xchg_pointer and rcu_dereference do, and ThreadSanitizer knows them, while it sees
 * nothing of what happens in liburcu.
 */
#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&                             \
	!HAS_FEATURE(address_sanitizer) && !HAS_FEATURE(thread_sanitizer)
#define _LGPL_SOURCE
#endif

#include "inside.h"

#include <urcu/urcu-bp.h>

static inline const struct kt_snapshot *begin(const struct kt_slot *slot)
{
	urcu_bp_read_lock();
	return __atomic_load_n(&slot->current, __ATOMIC_ACQUIRE);
}

const struct kt_snapshot *kt_slot_read_begin(const struct kt_slot *slot)
{
	return begin(slot);
}

void kt_slot_read_end(void)
{
	urcu_bp_read_unlock();
}

const struct kt_snapshot *kt_pool_read_begin(const struct kt_pool *pool)
{
	return begin(&pool->slot);
}

void kt_pool_read_end(const struct kt_pool *pool)
{
	(void)pool;
	urcu_bp_read_unlock();
}

bool kt_slot_in_section(void)
{
	return urcu_bp_read_ongoing();
}

struct kt_snapshot *kt_slot_peek(const struct kt_slot *slot)
{
	return __atomic_load_n(&slot->current, __ATOMIC_RELAXED);
}

struct kt_snapshot *kt_slot_switch(struct kt_slot *slot, struct kt_snapshot *next)
{
	return __atomic_exchange_n(&slot->current, next, __ATOMIC_SEQ_CST);
}

void kt_slot_wait_readers(void)
{
	urcu_bp_synchronize_rcu();
}
