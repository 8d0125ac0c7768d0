/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of a certdata.txt: certificates, trust objects, and others that limit a certificate.
 *
 * Each object is checked by itself here; how they belong together is nss.c's affair. A list is
 * built by one thread, and its views live as long as the struct kt_nss_text it was read through.
 */
#ifndef KT_POOL_NSS_OBJECT_H
#define KT_POOL_NSS_OBJECT_H

#include <ktrust/nss.h>

#include "nss_text.h"

enum kt_nss_class {
	KT_NSS_CERTIFICATE, /* value, issuer, serial, subject and label are there and agree */
	KT_NSS_TRUST,	    /* issuer, serial and trust are there */
	KT_NSS_OTHER,	    /* issuer and serial are there, and a date or something unknown */
};

struct kt_nss_object {
	enum kt_nss_class class;
	unsigned int line; /* of its CKA_CLASS */
	struct kt_der_view value;
	struct kt_der_view issuer; /* DER Name */
	struct kt_der_view serial; /* DER INTEGER */
	struct kt_der_view subject;
	const char *label;
	struct kt_nss_span trust; /* CKT_… for server authentication; of a trust object */
	int64_t distrust_after;	  /* KT_DISTRUST_NEVER: none */
	/* An attribute of the distrust family that is not understood; len 0: there is none. */
	struct kt_nss_span unknown;
	bool unknown_value; /* its name is known, its value is not */
};

struct kt_nss_objects {
	struct kt_nss_object *list;
	size_t count;
	size_t room;
};

/* All of the text. -EBADMSG, -ENOMEM. objects is to be freed in any case. */
KT_WARN_UNUSED int kt_nss_objects_read(struct kt_nss_objects *objects, struct kt_nss_text *text,
				       struct kt_error *error);
void kt_nss_objects_free(struct kt_nss_objects *objects);

#endif
