/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a setting's value. Each function returns 0 or a positive errno. */
#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_text(char **place, const char *value)
{
	char *copy;

	if (!value[0])
		return EINVAL;
	copy = strdup(value);
	if (!copy)
		return ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int add_text(struct kt_config_texts *texts, const char *value)
{
	char *copy = NULL;
	char **grown;
	int err = set_text(&copy, value);

	if (err)
		return err;
	grown = reallocarray(texts->at, texts->count + 1, sizeof *grown);
	if (!grown) {
		free(copy);
		return ENOMEM;
	}
	texts->at = grown;
	texts->at[texts->count++] = copy;
	return 0;
}

static int add_rule(struct kt_config_texts *rules, const char *value, struct kt_error *why)
{
	int err = kt_allow_check(value, why);

	return err ? -err : add_text(rules, value);
}

void kt_config_texts_free(struct kt_config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
}

/* "NAME POOL", whose first half is a pattern. */
static int split_name(const char *value, struct kt_config_name *name)
{
	static const char blanks[] = " \t";
	size_t len = strcspn(value, blanks);

	name->pattern = strndup(value, len);
	name->pool = strdup(value + len + strspn(value + len, blanks));
	if (!name->pattern || !name->pool)
		return ENOMEM;
	if (kt_pattern_check(name->pattern, NULL) || !name->pool[0] ||
	    name->pool[strcspn(name->pool, blanks)])
		return EINVAL;
	return 0;
}

void kt_config_name_free(struct kt_config_name *name)
{
	free(name->pattern);
	free(name->pool);
}

static int add_name(struct kt_config_names *names, const char *value)
{
	struct kt_config_name name;
	struct kt_config_name *grown;
	int err = split_name(value, &name);

	if (err)
		goto free_name;
	err = ENOMEM;
	grown = reallocarray(names->at, names->count + 1, sizeof *grown);
	if (!grown)
		goto free_name;
	names->at = grown;
	names->at[names->count++] = name;
	return 0;
free_name:
	kt_config_name_free(&name);
	return err;
}

static int add_network(struct kt_config_networks *networks, const char *value, struct kt_error *why)
{
	struct kt_network network;
	struct kt_network *grown;
	int err = kt_network_parse(value, &network, why);

	if (err)
		return -err;
	grown = reallocarray(networks->at, networks->count + 1, sizeof *grown);
	if (!grown)
		return ENOMEM;
	networks->at = grown;
	networks->at[networks->count++] = network;
	return 0;
}

void kt_config_credential_free(struct kt_config_credential *credential)
{
	free(credential->certificate);
	free(credential->key);
	free(credential->ocsp);
}

/* The next word of *at, which goes on behind it; NULL: none is left. -ENOMEM in *err. */
static char *take_word(const char **at, int *err)
{
	static const char blanks[] = " \t";
	const char *start = *at + strspn(*at, blanks);
	size_t len = strcspn(start, blanks);
	char *word = len ? strndup(start, len) : NULL;

	if (len && !word)
		*err = ENOMEM;
	*at = start + len;
	return word;
}

/* "CHAIN KEY [OCSP]": none of these paths has a blank in it. */
static int split_credential(const char *value, struct kt_config_credential *credential)
{
	char *beyond;
	int err = 0;

	credential->certificate = take_word(&value, &err);
	credential->key = take_word(&value, &err);
	credential->ocsp = take_word(&value, &err);
	beyond = take_word(&value, &err);
	if (!err && (!credential->key || beyond))
		err = EINVAL;
	free(beyond);
	return err;
}

static int add_credential(struct kt_config_credentials *credentials, const char *value)
{
	struct kt_config_credential credential = {0};
	struct kt_config_credential *grown;
	int err = split_credential(value, &credential);

	if (err)
		goto free_credential;
	err = ENOMEM;
	grown = reallocarray(credentials->at, credentials->count + 1, sizeof *grown);
	if (!grown)
		goto free_credential;
	credentials->at = grown;
	credentials->at[credentials->count++] = credential;
	return 0;
free_credential:
	kt_config_credential_free(&credential);
	return err;
}

/* "h2, http/1.1" into a length and a name each. */
static int set_protocols(struct kt_config_protocols *protocols, const char *value)
{
	uint8_t *list = malloc(strlen(value) + 1), *at = list;
	bool more = true;

	if (!list)
		return ENOMEM;
	while (more) {
		const char *name = value + strspn(value, " \t");
		size_t len = strcspn(name, ",");

		more = name[len] == ',';
		value = name + len + 1;
		while (len && (name[len - 1] == ' ' || name[len - 1] == '\t'))
			len--;
		if (!len || len > UINT8_MAX || strcspn(name, " \t") < len ||
		    at - list + 1 + len > UINT16_MAX) {
			free(list);
			return EINVAL;
		}
		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
	}
	free(protocols->list);
	protocols->list = list;
	protocols->len = (size_t)(at - list);
	return 0;
}

/* Digits, then whatever *ret_rest points at. */
static int parse_digits(const char *value, unsigned long *ret_number, const char **ret_rest)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return EINVAL;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (errno)
		return EINVAL;
	*ret_number = number;
	*ret_rest = end;
	return 0;
}

static int set_number(unsigned int *place, const char *value, const struct kt_value_form *form)
{
	unsigned long number;
	const char *rest;

	if (parse_digits(value, &number, &rest) || *rest || number < form->min ||
	    number > form->max)
		return EINVAL;
	*place = (unsigned int)number;
	return 0;
}

#define DAY_MS 86400000UL

/* "500ms", "10s", "2m", "1h": a bare number could mean anything. At most a day. */
static int set_duration(unsigned int *place_ms, const char *value)
{
	static const struct {
		const char *unit;
		unsigned int ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	unsigned long number;
	const char *rest;

	if (parse_digits(value, &number, &rest) || !number)
		return EINVAL;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(rest, units[i].unit))
			continue;
		if (number > DAY_MS / units[i].ms)
			return EINVAL;
		*place_ms = (unsigned int)number * units[i].ms;
		return 0;
	}
	return EINVAL;
}

static int set_word(unsigned int *place, const char *value, const char *const *words)
{
	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(value, words[i]))
			continue;
		*place = i;
		return 0;
	}
	return EINVAL;
}

int kt_value_set(const struct kt_value_form *form, void *place, const char *value,
		 struct kt_error *why)
{
	switch (form->kind) {
	case KT_VALUE_TEXT:
		return set_text(place, value);
	case KT_VALUE_TEXTS:
		return add_text(place, value);
	case KT_VALUE_RULES:
		return add_rule(place, value, why);
	case KT_VALUE_NAMES:
		return add_name(place, value);
	case KT_VALUE_NETWORKS:
		return add_network(place, value, why);
	case KT_VALUE_CREDENTIALS:
		return add_credential(place, value);
	case KT_VALUE_PROTOCOLS:
		return set_protocols(place, value);
	case KT_VALUE_NUMBER:
		return set_number(place, value, form);
	case KT_VALUE_DURATION:
		return set_duration(place, value);
	case KT_VALUE_WORD:
		return set_word(place, value, form->words);
	}
	return EINVAL;
}

const char *kt_value_hint(const struct kt_value_form *form, char buf[static KT_VALUE_HINT_MAX])
{
	switch (form->kind) {
	case KT_VALUE_DURATION:
		return " (a number with its unit: 500ms, 10s, 5m, 1h; a day at most)";
	case KT_VALUE_PROTOCOLS:
		return " (with commas between, and no blank in a name)";
	case KT_VALUE_NUMBER:
		snprintf(buf, KT_VALUE_HINT_MAX, " (from %u to %u)", form->min, form->max);
		return buf;
	default:
		return "";
	}
}
