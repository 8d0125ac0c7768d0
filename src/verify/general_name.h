/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GeneralName (RFC 5280 §4.2.1.6), one after the other, as views into the DER.
 *
 * Read strictly: of a type that RFC 5280 names, in its tag's right form, with content that the type
 * allows. That is the form alone: whether a dNSName is a host name is for others to say (host.h).
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_GENERAL_NAME_H
#define KTRUST_VERIFY_GENERAL_NAME_H

#include "../pool/der.h"

/* The numbers are those of the tags. */
enum kt_general_name_type {
	KT_GENERAL_OTHER = 0,
	KT_GENERAL_EMAIL = 1, /* rfc822Name */
	KT_GENERAL_DNS = 2,
	KT_GENERAL_X400 = 3,
	KT_GENERAL_DIRECTORY = 4,
	KT_GENERAL_EDI_PARTY = 5,
	KT_GENERAL_URI = 6,
	KT_GENERAL_IP = 7,
	KT_GENERAL_REGISTERED_ID = 8,
};

struct kt_general_name {
	enum kt_general_name_type type;
	struct kt_der_view content; /* behind tag and length; KT_GENERAL_DIRECTORY: the DER Name */
};

/*
 * Read the next name: of a certificate, where texts and Names are not empty and an iPAddress has 4
 * or 16 bytes, or of a subtree of nameConstraints (§4.2.1.10), where the empty stands for all there
 * is and an iPAddress has 8 or 32. False: there is none, or it is malformed; nothing is changed.
 */
bool kt_general_name_read(struct kt_der_view *in, struct kt_general_name *ret_name);
bool kt_general_name_read_base(struct kt_der_view *in, struct kt_general_name *ret_name);

/* names: what is in the SEQUENCE. At least one, and each can be read. */
bool kt_general_names_are_well_formed(struct kt_der_view names);

#endif
