/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the CA/Browser Baseline Requirements (BR), and RFC 5280 of those who issue, ask of the form
 * of certificates (KT_PROFILE_WEB), on top of rules.h.
 *
 * The requirements on roots are younger than some roots: those that Mozilla trusts and that fall
 * short are known by name here, and their form is not looked at.
 *
 * Not checked: how long a certificate is valid (BR §6.3.2), Certificate Transparency, what only its
 * issuer can know. Ed25519 and ML-DSA are taken, which the BR do not know yet.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_WEB_H
#define KTRUST_VERIFY_WEB_H

#include "path.h"

struct kt_finding kt_web_check(const struct kt_path *path);

/* The part about an anchor, whatever it issued. */
enum kt_rule_id kt_web_check_anchor(const struct kt_cert *anchor, const uint8_t *fingerprint);

/* The same of one that is not known by name. */
enum kt_rule_id kt_web_check_anchor_form(const struct kt_cert *anchor);

/* Is it one of those roots? fingerprint: KT_DIGEST_LEN. web_roots.c says of each what it lacks. */
bool kt_web_is_known_root(const uint8_t *fingerprint);

/* Number `index` of them, from 0; NULL: there are no more. */
const uint8_t *kt_web_known_root(size_t index);

#endif
