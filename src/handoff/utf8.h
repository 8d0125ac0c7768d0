/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8 (RFC 3629), a character at a time. Pure. */
#ifndef KTRUST_HANDOFF_UTF8_H
#define KTRUST_HANDOFF_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins here; 0: none does (also a surrogate, or an overlong form). */
size_t kt_utf8_len(const unsigned char *at, size_t len);

/* Encode a character other than a surrogate, at most U+10FFFF; returns its bytes, 1 to 4. */
size_t kt_utf8_put(uint32_t character, char out[static 4]);

#endif
