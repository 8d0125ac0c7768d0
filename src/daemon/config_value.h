/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the values of settings are made of. config.c's table gives each setting a form and the
 * place in its section's struct (config.h) that the value goes to.
 */
#ifndef KTRUST_DAEMON_CONFIG_VALUE_H
#define KTRUST_DAEMON_CONFIG_VALUE_H

#include "config.h"

/* With the type of the place. Those in plural add up, a later one of the others replaces. */
enum kt_value_kind {
	KT_VALUE_TEXT,	      /* char *: not empty */
	KT_VALUE_TEXTS,	      /* struct kt_config_texts */
	KT_VALUE_RULES,	      /* the same, of what kt_allow_check takes */
	KT_VALUE_NAMES,	      /* struct kt_config_names: "NAME POOL" */
	KT_VALUE_NETWORKS,    /* struct kt_config_networks: "ADDRESS/BITS" */
	KT_VALUE_CREDENTIALS, /* struct kt_config_credentials: "CHAIN KEY [OCSP]" */
	KT_VALUE_PROTOCOLS,   /* struct kt_config_protocols: "h2, http/1.1" */
	KT_VALUE_NUMBER,      /* unsigned int: digits, from min to max */
	KT_VALUE_DURATION,    /* unsigned int, milliseconds: "500ms", "10s", "2m", "1h"; to a day */
	KT_VALUE_WORD,	      /* unsigned int, or an enum like it: index of one of the words */
};

struct kt_value_form {
	enum kt_value_kind kind;
	unsigned int min, max;
	const char *const *words; /* ends with NULL */
};

/*
 * Read value to place. EINVAL: it is not of this form, and the place is as it was; why, whose err
 * is 0 before, is set where there is more to say than what was expected. ENOMEM.
 */
KT_WARN_UNUSED int kt_value_set(const struct kt_value_form *form, void *place, const char *value,
				struct kt_error *why);

#define KT_VALUE_HINT_MAX 64

/* What a placeholder in the help does not say of this form, to be put behind it; maybe nothing. */
const char *kt_value_hint(const struct kt_value_form *form, char buf[static KT_VALUE_HINT_MAX]);

/* What they hold, not the structs themselves. */
void kt_config_texts_free(struct kt_config_texts *texts);
void kt_config_name_free(struct kt_config_name *name);
void kt_config_credential_free(struct kt_config_credential *credential);

#endif
