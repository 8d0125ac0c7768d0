/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a program that stands between libssl and libcrypto (d2i_x509.c and its neighbours)
 * answers by itself what it knows. A switch for the whole process, for those who measure, and those
 * who doubt; on at start. The certificates that stay decoded have one of their own (decoded.h).
 *
 * Threads: any; a change holds for what is asked from then on.
 */
#ifndef KT_TLS_SHORTCUTS_H
#define KT_TLS_SHORTCUTS_H

#include <stdbool.h>

void kt_shortcuts_turn(bool on);
bool kt_shortcuts_are_on(void);

#endif
