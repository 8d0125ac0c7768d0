/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates of a certdata.txt. A pure function of its arguments. */
#ifndef KT_POOL_NSS_DATE_H
#define KT_POOL_NSS_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The content of a UTCTime, "YYMMDDHHMMSSZ" (RFC 5280 §4.1.2.5.1: from 50 on it is 19YY), as
 * seconds since the epoch. False: not that, or no real date; a leap second is none.
 */
bool kt_nss_date_read(const uint8_t *bytes, size_t len, int64_t *ret_seconds);

#endif
