/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Labels of a certdata.txt: escapes resolved, and made fit to be shown.
 *
 * Pure functions of their arguments.
 */
#ifndef KT_POOL_NSS_LABEL_H
#define KT_POOL_NSS_LABEL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decode what stands between the quotes: \xHH (two digits), \ooo, \" and \\. What is no UTF-8
 * afterwards (RFC 3629), and each control character, is '?'. label has room for len + 1 bytes and
 * is NUL-terminated. False: another escape; label is then undefined.
 */
bool kt_nss_label_decode(const char *text, size_t len, char *label, size_t *ret_len);

#endif
