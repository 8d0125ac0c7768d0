/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel with TLS says, for programs that stand in for it (linked with --wrap): they take
 * the engine's keys, and from then on the socket carries the records' contents as they are. What
 * that kernel says beside the bytes (Documentation/networking/tls.rst) is said here.
 *
 * Threads: no state.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_STAND_IN_H
#define KTRUST_SELFTESTS_ENGINE_STAND_IN_H

#include "../../src/engine/conn.h"

/* All versions and ciphers, both ways; rekey: since Linux 6.14. */
void stand_in_support(bool rekey, struct kt_ktls_support *ret_support);

/*
 * The flags of a completion that now says this: a read that gives nothing brings no block, which
 * the kernel keeps for the next one. Where there was nothing to read, it brings one all the same,
 * as with Linux 6.1.
 */
uint32_t stand_in_flags(struct kt_conn *conn, int res, uint32_t flags);

/* The recvmsg that has ended gave (of) a record of this type. */
void stand_in_label(struct kt_conn *conn, uint8_t type);

#endif
