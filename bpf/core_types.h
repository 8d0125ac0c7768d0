/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types the programs look into, each with the fields they read and no other.
 *
 * The loader moves every access to where the running kernel has the field (CO-RE), by the names of
 * type and field alone, so that one object fits kernels of different layout and needs no dump of
 * one kernel's types.
 */
#ifndef KTRUST_CORE_TYPES_H
#define KTRUST_CORE_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kt_core_atomic64 {
	__s64 counter;
};

struct sock_common {
	struct kt_core_atomic64 skc_cookie; /* 0 until somebody asked for it */
};

struct sock {
	struct sock_common __sk_common;
};

#pragma clang attribute pop

#endif
