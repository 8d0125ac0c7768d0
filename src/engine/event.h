/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's probes; see ktrust/probe.h for when they fire. */
#ifndef KTRUST_ENGINE_EVENT_H
#define KTRUST_ENGINE_EVENT_H

#include "conn.h"

void kt_event_handshake(const struct kt_conn *conn, const struct kt_tls_info *info,
			const char *outcome);
void kt_event_conn_end(const struct kt_conn *conn);

#endif
