/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One subtree of nameConstraints and one name: what is the name to the subtree (RFC 5280
 * §4.2.1.10)?
 *
 *   DNS        A host name (host.h) and all below it; the empty one: every name. Leading dots and
 *              wildcards are not taken.
 *   IP         Address and mask, whose ones come first; addresses of the other family are outside.
 *   EMAIL      A mailbox, all mailboxes at a host, or ("." in front) at all hosts below a domain. A
 *              wildcard has no meaning.
 *   URI        The host of its authority, or ("." in front) all hosts below a domain
 *   DIRECTORY  A Name whose first RDNs are these. To be permitted, they have to compare as equal
 *              (pool/name.h); to be excluded, that a reader could take them so is enough
 *
 * A name that is no host name, mailbox …, has no place in the tree, so that it is neither within a
 * subtree nor outside: a name that cannot be compared. So are names of the types for which nobody
 * has said what a subtree of theirs is (otherName, x400Address, ediPartyName, registeredID).
 *
 * A wildcard stands for all the names that it would match, one label each; a Name with letters
 * beyond ASCII for all that differ from it in their case or form.
 *
 * Pure functions: any thread. Views last as long as what was read.
 */
#ifndef KTRUST_VERIFY_SUBTREE_H
#define KTRUST_VERIFY_SUBTREE_H

#include "general_name.h"
#include "mailbox.h"

/* A name, read as far as a comparison needs. */
struct kt_subtree_name {
	enum kt_general_name_type type;
	bool comparable;
	bool wildcard;		   /* in front of host */
	struct kt_der_view host;   /* DNS, EMAIL, URI */
	struct kt_mailbox mailbox; /* EMAIL */
	struct kt_der_view value;  /* IP, DIRECTORY */
};

struct kt_subtree_name kt_subtree_name_of(const struct kt_general_name *name);

/*
 * Read the next GeneralSubtree. False: there is none, or it is malformed: a base in a form other
 * than above, a minimum (its DEFAULT 0 is not encoded in DER) or a maximum.
 */
bool kt_subtree_read(struct kt_der_view *in, struct kt_general_name *ret_base);

/*
 * What is wrong with the first of these subtrees that cannot be read, for people (static storage).
 * NULL: each can be.
 */
const char *kt_subtrees_fault(struct kt_der_view subtrees);

/* Of a name that is comparable and a base of its type: does the subtree hold all, or any, of it? */
bool kt_subtree_holds_all(const struct kt_general_name *base, const struct kt_subtree_name *name);
bool kt_subtree_holds_any(const struct kt_general_name *base, const struct kt_subtree_name *name);

#endif
