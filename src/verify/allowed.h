/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of <ktrust/allow.h> as allow.c has read them, and the question they are asked.
 *
 * Immutable once made: any thread.
 */
#ifndef KTRUST_VERIFY_ALLOWED_H
#define KTRUST_VERIFY_ALLOWED_H

#include <ktrust/allow.h>

#include "../pool/der.h"
#include "mailbox.h"
#include "spiffe.h"
#include "uri.h"

enum kt_allow_kind {
	KT_ALLOW_HOST,	       /* host */
	KT_ALLOW_HOSTS_BELOW,  /* host: one label in front of it */
	KT_ALLOW_SPIFFE,       /* spiffe */
	KT_ALLOW_URI,	       /* uri, of another scheme */
	KT_ALLOW_MAILBOX,      /* mailbox */
	KT_ALLOW_MAILBOXES_AT, /* host */
	KT_ALLOW_ATTRIBUTE,    /* attribute */
};

/* Views into the text of struct kt_allow, the type of an attribute into static storage. */
struct kt_allow_rule {
	enum kt_allow_kind kind;
	union {
		struct kt_der_view host;
		struct kt_spiffe spiffe;
		struct kt_uri uri;
		struct kt_mailbox mailbox;
		struct {
			struct kt_der_view type;  /* content of the OID */
			struct kt_der_view value; /* UTF-8 */
		} attribute;
	};
};

struct kt_allow {
	char *text;
	size_t count;
	struct kt_allow_rule rules[];
};

/*
 * Does a rule name it? names: what is in the SEQUENCE of GeneralNames, len 0 where there is none;
 * subject: a Name. Allocates nothing; takes time by rules times names and attributes.
 */
bool kt_allow_admits(const struct kt_allow *allow, struct kt_der_view names,
		     struct kt_der_view subject);

#endif
