/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon says: one line a fact on stderr, "ktrustd: …", with a syslog level in front
 * ("<4>") when stderr is a journal's (JOURNAL_STREAM is set), as systemd reads it.
 *
 * Threads: any; a line is one write. Never give it a key.
 */
#ifndef KTRUST_DAEMON_LOG_H
#define KTRUST_DAEMON_LOG_H

#include <syslog.h>

#include <ktrust/error.h>

void kt_log(int level, const char *fmt, ...) KT_PRINTF(2, 3);

/* "what: <error>" at LOG_ERR */
void kt_log_error(const char *what, const struct kt_error *error);

#endif
