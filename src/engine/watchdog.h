/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ends a read that does not end: records without content, by the hundred thousand, on a socket
 * whose records are the kernel's.
 *
 * The kernel's recvmsg goes on through data records without content (RFC 8446 §5.4) for as long as
 * there are more, and ends with none of them (net/tls/tls_sw.c: tls_sw_recvmsg). While the client
 * sends as fast as records are opened, its worker is in that one call, with all its other
 * connections. (Where the call finds no more it ends, and relay.c counts.)
 *
 * So a thread looks at the workers. One that has been in the kernel between two looks, and used its
 * processor all the time, may be in such a read. Whose it is the socket's lock tells, which the
 * read has: another thread, made for this, asks the worker's connections that have something unread
 * for TCP_INFO, and waits where the lock is taken. Where it waits too long, the socket is made deaf
 * by IP_MINTTL and IPV6_MINHOPCOUNT, and the read runs dry. These are what can be said to a socket
 * without its lock (since Linux 6.6, over IPv6 since 6.7; before, they wait for it) and keeps
 * segments out; they need no privilege. Deaf it is to whom a router has sent on; a client on the
 * same link, which sends with the highest TTL, ends its read when it likes, and is ended then.
 *
 * The worker, free again, ends the connection as "empty_record_flood" if its content does not
 * explain the bytes that came; if it does (the machine, or its hypervisor, was busy with something
 * else), the connection hears again.
 *
 * Threads: kt_watchdog_start and kt_watchdog_stop the controlling one; kt_watchdog_heed the
 * worker's.
 */
#ifndef KTRUST_ENGINE_WATCHDOG_H
#define KTRUST_ENGINE_WATCHDOG_H

#include <ktrust/error.h>

struct kt_shared;
struct kt_watchdog;
struct kt_worker;

/* For workers that run. -EAGAIN threads; -EMFILE, -ENFILE descriptors, one a worker; -ENOMEM. */
KT_WARN_UNUSED int kt_watchdog_start(struct kt_shared *shared, struct kt_watchdog **ret_watchdog);

/* The workers have stopped. NULL is fine. */
void kt_watchdog_stop(struct kt_watchdog *watchdog);

/* In a round of the worker: end whom the watchdog suspects, if it is so. */
void kt_watchdog_heed(struct kt_worker *worker);

#endif
