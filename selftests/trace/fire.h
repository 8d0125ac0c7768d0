/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a test says to the program `fire` on its standard input, and what comes back.
 *
 * Each request is a struct kt_fire; each is answered by one byte, once it is done: whether the
 * probe had a listener. As in ktrustd, a probe without one is not fired.
 */
#ifndef KT_SELFTESTS_FIRE_H
#define KT_SELFTESTS_FIRE_H

#include <ktrust/probe.h>

enum kt_fire_what {
	KT_FIRE_HANDSHAKE,
	KT_FIRE_CONN_END,
	KT_FIRE_PUBLISH,
	KT_FIRE_RECLAIM,
	KT_FIRE_REFUSE,
	KT_FIRE_NOTHING,    /* only say which probes have a listener, a bit each */
	KT_FIRE_UNREADABLE, /* a handshake whose struct is not mapped */
};

struct kt_fire {
	__u32 what;
	__u32 times; /* handshakes and ends count conn up with each */
	union {
		struct kt_probe_handshake handshake;
		struct kt_probe_conn_end conn_end;
		struct kt_probe_publish publish;
		struct kt_probe_reclaim reclaim;
		struct kt_probe_refuse refuse;
	};
};

#endif
