/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's EVP_KEYMGMT_names_do_all and EVP_KEYMGMT_is_a, as shortcuts.h has it. Here it is
 * libcrypto that asks itself: for each context that a key is put into, and for each key that is
 * made, what its kind is called, some seven times a handshake, which takes a look at every name of
 * every algorithm there is; and libssl asks another ten times whether a key is of a kind.
 *
 * The names of what libcrypto's own provider manages are taken as they were when first asked for:
 * another provider, loaded later, could add some. Where libcrypto was built so that it does not ask
 * through the dynamic linker, it asks itself, and nothing else changes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "provider.h"
#include "shortcuts.h"

#define NAMES_MAX  8
#define LENGTH_MAX 32
/* OpenSSL 3.5 has 42, and asks for the names of all as soon as one is needed. */
#define KINDS_MAX 64

/* Kept for good, with a reference, so that no other can ever have its address. */
struct kind {
	EVP_KEYMGMT *keymgmt;
	size_t count; /* of names; NAMES_MAX + 1: it has more, or longer ones */
	char names[NAMES_MAX][LENGTH_MAX];
};

static struct kind *kinds[KINDS_MAX]; /* each atomic; set once, from the first on */

static int ask_for_names(const EVP_KEYMGMT *keymgmt, void (*tell)(const char *name, void *arg),
			 void *arg)
{
	static void *found;
	int (*next)(const EVP_KEYMGMT *, void (*)(const char *, void *), void *);

	*(void **)&next = kt_behind_us("EVP_KEYMGMT_names_do_all", &found);
	return next(keymgmt, tell, arg);
}

static void note(const char *name, void *arg)
{
	struct kind *kind = arg;

	if (kind->count < NAMES_MAX && strlen(name) < LENGTH_MAX)
		strcpy(kind->names[kind->count++], name);
	else
		kind->count = NAMES_MAX + 1;
}

static struct kind *learn(const EVP_KEYMGMT *keymgmt)
{
	struct kind *kind = NULL;

	if (kt_provider_is_default(EVP_KEYMGMT_get0_provider(keymgmt)))
		kind = calloc(1, sizeof *kind);
	if (kind && ask_for_names(keymgmt, note, kind) == 1 && kind->count &&
	    kind->count <= NAMES_MAX && EVP_KEYMGMT_up_ref((EVP_KEYMGMT *)keymgmt)) {
		kind->keymgmt = (EVP_KEYMGMT *)keymgmt;
		return kind;
	}
	free(kind);
	return NULL;
}

static void forget(struct kind *kind)
{
	if (kind)
		EVP_KEYMGMT_free(kind->keymgmt);
	free(kind);
}

/* NULL: libcrypto is to be asked. */
static const struct kind *find(const EVP_KEYMGMT *keymgmt)
{
	struct kind *fresh = NULL, *kind;

	for (size_t i = 0; i < KINDS_MAX; i++) {
		kind = __atomic_load_n(&kinds[i], __ATOMIC_ACQUIRE);
		if (!kind) {
			fresh = fresh ? fresh : learn(keymgmt);
			if (!fresh ||
			    __atomic_compare_exchange_n(&kinds[i], &kind, fresh, false,
							__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
				return fresh;
		}
		if (kind->keymgmt == keymgmt) {
			forget(fresh);
			return kind;
		}
	}
	forget(fresh);
	return NULL;
}

__attribute__((visibility("default"))) int
EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT *keymgmt, void (*tell)(const char *name, void *arg),
			 void *arg)
{
	const struct kind *kind = keymgmt && kt_shortcuts_are_on() ? find(keymgmt) : NULL;

	if (!kind)
		return ask_for_names(keymgmt, tell, arg);
	kt_shortcut_took(KT_SHORTCUT_NAMES);
	for (size_t i = 0; i < kind->count; i++)
		tell(kind->names[i], arg);
	return 1;
}

__attribute__((visibility("default"))) int EVP_KEYMGMT_is_a(const EVP_KEYMGMT *keymgmt,
							    const char *name)
{
	static void *found;
	int (*next)(const EVP_KEYMGMT *, const char *);
	const struct kind *kind = keymgmt && name && kt_shortcuts_are_on() ? find(keymgmt) : NULL;

	if (!kind) {
		*(void **)&next = kt_behind_us("EVP_KEYMGMT_is_a", &found);
		return next(keymgmt, name);
	}
	kt_shortcut_took(KT_SHORTCUT_KIND);
	for (size_t i = 0; i < kind->count; i++)
		if (!strcasecmp(kind->names[i], name))
			return 1;
	return 0;
}
