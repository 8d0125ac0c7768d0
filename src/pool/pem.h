/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks of one kind in a PEM text (RFC 7468), strictly, one at a time.
 *
 * What is allowed: lines that end in LF or CR LF, spaces and tabs at the end of any line, a UTF-8
 * byte order mark at the very start, text before, between and behind blocks, base64 lines of any
 * length. The last line may lack its line end.
 *
 * What is refused, with its line: a boundary that does not stand alone in the first columns of its
 * line (in a comment or behind another boundary too: it may be a certificate that went missing by
 * accident), an END without BEGIN or of another label, a block without END, a last line that is
 * the beginning of a BEGIN, a first line that is the end of an END (both: a cut file), empty lines
 * and headers and anything but strict base64 within a block, NUL anywhere. Private keys and other
 * labels than the one asked for: see ktrust/source.h. Their content is never decoded.
 *
 * A refusal may be skipped by those who said that they want to lose blocks rather than the text.
 *
 * The reader borrows the text and owns a buffer for one block; one thread at a time.
 */
#ifndef KT_POOL_PEM_H
#define KT_POOL_PEM_H

#include <ktrust/pool.h>

struct kt_pem;

enum kt_pem_kind {
	KT_PEM_CERTIFICATE, /* label CERTIFICATE, up to KT_CERTIFICATE_MAX */
	KT_PEM_CRL,	    /* label X509 CRL, up to KT_CRL_LEN_MAX */
};

struct kt_pem_block {
	const uint8_t *der; /* borrowed until the next call */
	size_t der_len;
	unsigned int line; /* of its BEGIN, from 1 */
};

/* where goes into errors; text and where are borrowed until kt_pem_free. NULL: out of memory. */
struct kt_pem *kt_pem_new(const char *text, size_t len, const char *where, enum kt_pem_kind kind);
void kt_pem_free(struct kt_pem *pem); /* NULL is fine */

/*
 * The next block. 1: there is one; 0: the text is at its end. -EBADMSG, -EKEYREJECTED, -EOPNOTSUPP
 * as kt_anchor_set_add_pem, -EFBIG longer than its kind may be; after an error the reader is spent
 * unless kt_pem_skip helps.
 */
KT_WARN_UNUSED int kt_pem_next(struct kt_pem *pem, struct kt_pem_block *ret_block,
			       struct kt_error *error);

/*
 * After an error of kt_pem_next: go behind the block that caused it, to its END or to where the
 * next one begins. 0: kt_pem_next may go on. The refusals that nobody may skip come back instead,
 * with the error that kt_pem_next wrote, or one of their own: -EKEYREJECTED a private key, also
 * within what is skipped; -EOPNOTSUPP a CRL among certificates, or certificates among CRLs.
 */
KT_WARN_UNUSED int kt_pem_skip(struct kt_pem *pem, struct kt_error *error);

#endif
