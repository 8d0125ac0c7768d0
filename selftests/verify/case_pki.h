/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The certificates and CRLs that cases name, made as their statements say:
 *
 *   root NAME [OPTION...]          a CA of its own signature, with NAME as its common name
 *   ca NAME ISSUER [OPTION...]     a CA, likewise
 *   leaf NAME ISSUER [OPTION...]   O=Test, dns=good.test, both usages; ISSUER "-": of its own
 * signature bytes NAME HEX                 what a peer may send besides certificates anchor NAME
 * CERT [purposes=server|client] [distrust=TIME] [permitted="NAME ..."] a certificate with limits,
 * as an anchor crl NAME ISSUER [OPTION...] section NAME KEY=VALUE...      what OpenSSL's words in
 * the statements below it refer to
 *
 * Options are the members of struct pki_options and struct pki_crl: KEY=VALUE, the flags KEY alone.
 * dns, ip, uri, email, raw and revoked add up. "eku=-" and "key_usage=-" leave the extension out.
 * Times are seconds from now, or "-3d", "+2h". Who is named has to be above.
 *
 * Things are made when they are first asked for, with all that they need. Of each kind of RSA key
 * there is one, for all, made when it is first read of: they take long.
 *
 * What cannot be made ends the program. One thread.
 */
#ifndef KTRUST_SELFTESTS_CASE_PKI_H
#define KTRUST_SELFTESTS_CASE_PKI_H

#include <ktrust/verify.h>

#include "../lib/pki.h"
#include "case_words.h"

struct case_pki;

/* A certificate, an anchor or a CRL. */
struct case_thing {
	const char *name;
	struct case_pki *pki;
	struct case_statement statement;
	void (*make)(struct case_thing *thing); /* NULL: it is made */
	const struct pki_cert *cert;		/* NULL: bytes, a CRL */
	struct kt_der der;
	struct kt_constraints limits; /* of an anchor */
	struct case_thing *next;
};

/* The names of one file, and what they are of. All zeros but for pki: none yet. */
struct case_pki {
	struct pki *pki;
	struct case_thing *things;
	char *conf; /* NULL: no sections yet */
};

/* Does it begin with one of the words above? Then it is taken. */
bool case_take(struct case_pki *pki, const struct case_statement *statement);

/* What has this name. Fails if there is none. */
struct case_thing *case_find(const struct case_pki *pki, const struct case_statement *statement,
			     const char *name);

/* Unless it is made. */
void case_make(struct case_thing *thing);

#endif
