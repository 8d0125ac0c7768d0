/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks of a PEM text (RFC 7468), strictly, one at a time.
 *
 * What is allowed: lines that end in LF or CR LF, spaces and tabs at the end of any line, a UTF-8
 * byte order mark at the very start, text before, between and behind blocks, base64 lines of any
 * length. The last line may lack its line end.
 *
 * What is refused, with its line: a boundary that does not stand alone in the first columns of its
 * line (in a comment or behind another boundary too: it may be a certificate that went missing by
 * accident), an END without BEGIN or of another label, a block without END, a last line that is
 * the beginning of a BEGIN, a first line that is the end of an END (both: a cut file), empty lines
 * and headers and anything but strict base64 within a block, NUL anywhere. Private keys and labels
 * other than CERTIFICATE: see ktrust/pool.h. Their content is never decoded.
 *
 * The reader borrows the text and owns a buffer for one certificate; one thread at a time.
 */
#ifndef KT_POOL_PEM_H
#define KT_POOL_PEM_H

#include <ktrust/pool.h>

struct kt_pem;

struct kt_pem_block {
	const uint8_t *der; /* borrowed until the next call */
	size_t der_len;
	unsigned int line; /* of its BEGIN, from 1 */
};

/* where goes into errors; text and where are borrowed until kt_pem_free. NULL: out of memory. */
struct kt_pem *kt_pem_new(const char *text, size_t len, const char *where);
void kt_pem_free(struct kt_pem *pem); /* NULL is fine */

/*
 * The next certificate. 1: there is one; 0: the text is at its end. -EBADMSG, -EKEYREJECTED,
 * -EOPNOTSUPP as kt_anchor_set_add_pem, -EFBIG longer than KT_CERTIFICATE_MAX; after an error the
 * reader is spent.
 */
KT_WARN_UNUSED int kt_pem_next(struct kt_pem *pem, struct kt_pem_block *ret_block,
			       struct kt_error *error);

#endif
