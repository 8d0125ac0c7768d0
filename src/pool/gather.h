/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all kinds of sources share: where their certificates go and with which constraints, what may
 * be skipped, and who is told.
 *
 * What a function of a source fails with refuses the whole source; what may be skipped instead
 * never gets out of it. Whoever drives the sources (source.c) goes back to where the set was.
 *
 * One thread at a time.
 */
#ifndef KT_POOL_GATHER_H
#define KT_POOL_GATHER_H

#include "content.h"

struct kt_gather {
	struct kt_anchor_set *set;
	const struct kt_source_options *options; /* never NULL */
	const char *source;			 /* as written */
	unsigned int purposes;			 /* of certificates without limits of their own */
	const struct kt_roots *overlay; /* whose limits the same certificates take; NULL: none */
	size_t found;			/* certificates and CRLs, those that came again too */
	size_t skipped;			/* blocks and files */
	size_t not_cas; /* of those found, each once; counted if anybody is to be told */
};

/* ---- Adding (gather.c) ---------------------------------------------------------------------- */

/*
 * Add one certificate, or skip it. DER that is a private key in all but name is -EKEYREJECTED.
 * Else as kt_anchor_set_add.
 */
KT_WARN_UNUSED int kt_gather_certificate(struct kt_gather *gather, const uint8_t *der, size_t len,
					 const char *where, unsigned int line,
					 struct kt_error *error);

/* Is what went wrong to be skipped? Then it has been noted and counted. */
bool kt_gather_skips(struct kt_gather *gather, const struct kt_error *what);

/* What is to be told once all is there: how many were skipped, or are no CAs. */
void kt_gather_sums(const struct kt_gather *gather);

/* Tell the caller's note; err is 0 where nothing is wrong. */
void kt_gather_note(const struct kt_gather *gather, int err, const char *where, unsigned int line,
		    const char *fmt, ...) KT_PRINTF(5, 6);

/* ---- Certificates in memory and in files (source_file.c) ------------------------------------- */

/*
 * PEM or DER, told apart by how it begins. -ENODATA: no certificate in it, or none that was not
 * skipped; else as kt_anchor_set_add_pem.
 */
KT_WARN_UNUSED int kt_gather_content(struct kt_gather *gather, const struct kt_content *content,
				     const char *where, struct kt_error *error);
KT_WARN_UNUSED int kt_gather_pem(struct kt_gather *gather, const char *text, size_t len,
				 const char *where, struct kt_error *error);

/*
 * Does this begin as DER of a certificate or CRL does: a SEQUENCE of more than 127 bytes? No text
 * does: the second byte is beyond ASCII, and goes on with no character that the first began. Or as
 * a short private key, with a number?
 */
bool kt_gather_is_der(const struct kt_content *content);

/* Hand out what stands one behind another in it; what is no DER as the rest. */
KT_WARN_UNUSED int
kt_gather_each_der(struct kt_gather *gather, const struct kt_content *content, const char *where,
		   int (*add)(struct kt_gather *gather, const uint8_t *der, size_t len,
			      const char *where, unsigned int line, struct kt_error *error),
		   struct kt_error *error);

/* ---- Sources, each in source_KIND.c; rest is what stands behind the colon -------------------- */

int kt_source_add_file(struct kt_gather *gather, const char *rest, struct kt_error *error);
int kt_source_add_dir(struct kt_gather *gather, const char *rest, struct kt_error *error);
int kt_source_add_crl(struct kt_gather *gather, const char *rest, struct kt_error *error);
int kt_source_add_certdata(struct kt_gather *gather, const char *rest, struct kt_error *error);
int kt_source_add_system(struct kt_gather *gather, const char *rest, struct kt_error *error);
int kt_source_add_embedded(struct kt_gather *gather, const char *rest, struct kt_error *error);

#endif
