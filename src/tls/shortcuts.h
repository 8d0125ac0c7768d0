/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files have in common by which a program stands between libssl and libcrypto, and
 * between libcrypto and itself: each defines functions of libcrypto's (the name of the file says
 * which), is asked in its place, being ahead of it in the dynamic linker's order (ld.so(8)), and
 * answers by itself what it knows. For
 * executables only: a library that did this would do it to whoever loads it. ktrustd links them.
 *
 * The switch is for the whole process, for those who measure, and those who doubt; on at start. The
 * certificates that stay decoded have one of their own (decoded.h).
 *
 * Threads: any; a change of the switch holds for what is asked from then on.
 */
#ifndef KT_TLS_SHORTCUTS_H
#define KT_TLS_SHORTCUTS_H

#include <stdbool.h>
#include <stdint.h>

enum kt_shortcut {
	KT_SHORTCUT_KEY_SCHEDULE, /* EVP_KDF_derive */
	KT_SHORTCUT_KDF,	  /* EVP_KDF_fetch */
	KT_SHORTCUT_MAC,	  /* EVP_Q_mac */
	KT_SHORTCUT_SUPPORTED,	  /* EVP_PKEY_digestsign_supports_digest */
	KT_SHORTCUT_PEER,	  /* EVP_PKEY_derive_set_peer */
	KT_SHORTCUT_NAMES,	  /* EVP_KEYMGMT_names_do_all */
	KT_SHORTCUT_KIND,	  /* EVP_KEYMGMT_is_a */
	KT_SHORTCUT_SIGNATURE,	  /* EVP_DigestSignInit_ex */
	KT_SHORTCUT_STEP,	  /* EVP_KDF_CTX_new */
	KT_SHORTCUT_BLANK,	  /* X509_new_ex */
	KT_SHORTCUT_ENCODING,	  /* i2d_X509 */
	KT_SHORTCUT_COUNT,
};

void kt_shortcuts_turn(bool on);
bool kt_shortcuts_are_on(void);

/* One was taken; and how many were, by this thread. */
void kt_shortcut_took(enum kt_shortcut which);
uint64_t kt_shortcuts_taken(enum kt_shortcut which);

/*
 * What the program would have called had it not defined the function name itself. *known keeps it
 * from call to call; it is NULL at first. Copy it into a pointer to a function by
 * *(void **)&pointer, as dlsym(3) says.
 */
void *kt_behind_us(const char *name, void **known);

#endif
