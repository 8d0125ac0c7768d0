/* SPDX-License-Identifier: BSD-2-Clause */
/* Several credentials, and whose turn it is when a client asks for a name. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

/* A name, and those of the set that are for it. */
struct entry {
	/* The credentials' own; of "*.example.org" the part ".example.org", which is no host name.
	 */
	const char *key;
	size_t first; /* index of the first that has it */
	struct kt_credentials_group group;
};

struct kt_credentials_set {
	int references; /* atomic */
	struct kt_credentials **at;
	size_t count;
	struct entry *entries; /* ordered by key, each once */
	size_t entry_count;
	struct kt_credentials_group standard; /* the default */
};

/* ---- Making ---------------------------------------------------------------------------------- */

/* The first of its kind stays. */
static void join(struct kt_credentials_group *group, struct kt_credentials *credentials)
{
	struct kt_credentials **place = &group->of[kt_key_kind(credentials->key)];

	if (!*place)
		*place = credentials;
}

static int compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = strcmp(left->key, right->key);

	return order ? order : (left->first > right->first) - (left->first < right->first);
}

static int compare_key(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return strcmp(left->key, right->key);
}

static void add_entries(struct kt_credentials_set *set, size_t index)
{
	struct kt_credentials *credentials = set->at[index];

	for (size_t i = 0; i < credentials->info.names; i++) {
		const char *name = credentials->names[i];
		struct entry *entry = &set->entries[set->entry_count++];

		entry->key = name[0] == '*' ? name + 1 : name;
		entry->first = index;
		join(&entry->group, credentials);
	}
}

/* Entries of one name become one, in which those that come earlier in the set are first. */
static void merge_entries(struct kt_credentials_set *set)
{
	size_t kept = 0;

	if (set->entry_count)
		qsort(set->entries, set->entry_count, sizeof *set->entries, compare);
	for (size_t i = 0; i < set->entry_count; i++) {
		struct entry *entry = &set->entries[i];

		if (kept && !compare_key(&set->entries[kept - 1], entry))
			join(&set->entries[kept - 1].group, set->at[entry->first]);
		else
			set->entries[kept++] = *entry;
	}
	set->entry_count = kept;
}

static const struct kt_credentials_group *find(const struct kt_credentials_set *set,
					       const char *key)
{
	const struct entry wanted = {.key = key};
	const struct entry *entry = set->entry_count
					    ? bsearch(&wanted, set->entries, set->entry_count,
						      sizeof *set->entries, compare_key)
					    : NULL;

	return entry ? &entry->group : NULL;
}

/* The first, and those of other kinds that are for its first name; or without any, like it. */
static void choose_default(struct kt_credentials_set *set)
{
	struct kt_credentials *first = set->at[0];
	const char *name = kt_credentials_name(first, 0);
	const struct kt_credentials_group *like = NULL;

	join(&set->standard, first);
	if (name)
		like = find(set, name[0] == '*' ? name + 1 : name);
	for (int kind = 0; like && kind < KT_KEY_KINDS; kind++)
		if (like->of[kind])
			join(&set->standard, like->of[kind]);
	for (size_t i = 1; !name && i < set->count; i++)
		if (!set->at[i]->info.names)
			join(&set->standard, set->at[i]);
}

static size_t count_names(struct kt_credentials *const *credentials, size_t count)
{
	size_t names = 0;

	for (size_t i = 0; i < count; i++)
		names += credentials[i]->info.names;
	return names;
}

static void set_free(struct kt_credentials_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		kt_credentials_put(set->at[i]);
	OPENSSL_free(set->at);
	OPENSSL_free(set->entries);
	OPENSSL_free(set);
}

int kt_credentials_set_new(struct kt_credentials *const *credentials, size_t count,
			   struct kt_credentials_set **ret_set, struct kt_error *error)
{
	struct kt_credentials_set *set;

	if (!count)
		return kt_error_set(error, EINVAL, "credentials", 0, "there are none");
	if (count > KT_CREDENTIALS_MAX)
		return kt_error_set(error, E2BIG, "credentials", 0, "more than %d in one set",
				    KT_CREDENTIALS_MAX);
	set = OPENSSL_zalloc(sizeof *set);
	if (!set)
		return kt_error_set(error, ENOMEM, "credentials", 0, "out of memory");
	set->references = 1;
	set->at = OPENSSL_zalloc(count * sizeof *set->at);
	set->entries = OPENSSL_zalloc((count_names(credentials, count) + 1) * sizeof *set->entries);
	if (!set->at || !set->entries) {
		set_free(set);
		return kt_error_set(error, ENOMEM, "credentials", 0, "out of memory");
	}
	for (; set->count < count; set->count++) {
		set->at[set->count] = kt_credentials_get(credentials[set->count]);
		add_entries(set, set->count);
	}
	merge_entries(set);
	choose_default(set);
	*ret_set = set;
	return 0;
}

struct kt_credentials_set *kt_credentials_set_get(struct kt_credentials_set *set)
{
	__atomic_add_fetch(&set->references, 1, __ATOMIC_RELAXED);
	return set;
}

void kt_credentials_set_put(struct kt_credentials_set *set)
{
	/* as kt_credentials_put */
	if (set && !__atomic_sub_fetch(&set->references, 1, __ATOMIC_ACQ_REL))
		set_free(set);
}

/* ---- Looking --------------------------------------------------------------------------------- */

struct kt_credentials *kt_credentials_set_at(const struct kt_credentials_set *set, size_t index)
{
	return index < set->count ? set->at[index] : NULL;
}

static bool has(const struct kt_credentials_group *group, const struct kt_credentials *credentials)
{
	return group->of[kt_key_kind(credentials->key)] == credentials;
}

bool kt_credentials_set_reaches(const struct kt_credentials_set *set, size_t index)
{
	bool reached = has(&set->standard, set->at[index]);

	for (size_t i = 0; i < set->entry_count && !reached; i++)
		reached = has(&set->entries[i].group, set->at[index]);
	return reached;
}

const struct kt_credentials_group *kt_credentials_set_default(const struct kt_credentials_set *set)
{
	return &set->standard;
}

const struct kt_credentials_group *kt_credentials_set_find(const struct kt_credentials_set *set,
							   const char *name)
{
	const struct kt_credentials_group *group = NULL;
	char key[KT_TLS_NAME_SIZE];
	size_t len = strlen(name);
	const char *rest;

	/* What is no host name must not pass for the inside of a wildcard (".example.org"). */
	if (!set->entry_count || len >= sizeof key || !kt_hello_is_host_name(name, len))
		return &set->standard;
	for (size_t i = 0; i <= len; i++)
		key[i] = (char)tolower((unsigned char)name[i]);
	group = find(set, key);
	rest = strchr(key, '.');
	if (!group && rest)
		group = find(set, rest);
	return group ? group : &set->standard;
}
