/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what sock_diag says of a socket's upper layer protocol. Pure: no system call, any thread.
 * The bytes come from the kernel; lengths are checked all the same.
 */
#ifndef KTLS_ULP_INFO_H
#define KTLS_ULP_INFO_H

#include <stddef.h>

#include <ktrust/error.h>

/*
 * attributes: those that follow struct inet_diag_msg, len bytes, aligned to 4, borrowed for the
 * call. Writes KT_KTLS_TX and KT_KTLS_RX bits. -ENODATA: nothing is said of kTLS.
 */
KT_WARN_UNUSED int kt_ktls_read_ulp_info(const void *attributes, size_t len,
					 unsigned int *ret_bits);

#endif
