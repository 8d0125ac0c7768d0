/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names that an anchor is limited to from outside (kt_constraints.permitted_dns).
 *
 * Stricter than name constraints (name_constraints.h), which say nothing of names of other types
 * and of certificates without names: such a limit is about whom a root may speak for, and those it
 * could not mean.
 *
 * Pure: any thread.
 */
#ifndef KTRUST_VERIFY_PERMITTED_DNS_H
#define KTRUST_VERIFY_PERMITTED_DNS_H

#include "../pool/der.h"

/*
 * names: what is in the end entity's GeneralNames, len 0 where there are none. There is a dNSName,
 * each is a host name (underscores are letters) at or below one of the list ("*.gov.tr" counts as
 * gov.tr), and there is no iPAddress, nothing malformed. list: names with a space between them; the
 * empty one permits everything.
 */
bool kt_permitted_dns_allows(struct kt_der_view names, const char *list);

#endif
