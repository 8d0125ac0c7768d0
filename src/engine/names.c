/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 §2.3.4 */

static bool is_label(const char *label, size_t len)
{
	if (!len || len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)label[i]) ||
		    (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_'))
			return false;
	return true;
}

static bool is_host_name(const char *name)
{
	size_t len = strcspn(name, ".");

	while (is_label(name, len)) {
		if (!name[len])
			return true;
		name += len + 1;
		len = strcspn(name, ".");
	}
	return false;
}

static bool is_wildcard(const char *pattern)
{
	return pattern[0] == '*' && pattern[1] == '.';
}

int kt_pattern_check(const char *pattern, struct kt_error *error)
{
	if (strlen(pattern) <= KT_PATTERN_MAX &&
	    is_host_name(is_wildcard(pattern) ? pattern + 2 : pattern))
		return 0;
	return kt_error_set(error, EINVAL, pattern, 0,
			    "neither a host name nor \"*.\" and one (write it in A-labels, without "
			    "a final dot; one '*' stands for the whole first label)");
}

static int fill(struct kt_named_pool *row, const struct kt_pool_for *from, struct kt_error *error)
{
	int err = kt_pattern_check(from->pattern, error);

	if (err)
		return err;
	if (!from->pool)
		return kt_error_set(error, EINVAL, from->pattern, 0, "a pattern needs a pool");
	row->pool = from->pool;
	row->key = strdup(is_wildcard(from->pattern) ? from->pattern + 1 : from->pattern);
	if (!row->key)
		return kt_error_set(error, ENOMEM, from->pattern, 0, "out of memory");
	for (char *c = row->key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct kt_named_pool *left = a, *right = b;

	return strcmp(left->key, right->key);
}

static int put_in_order(struct kt_names *names, struct kt_error *error)
{
	qsort(names->rows, names->count, sizeof *names->rows, compare);
	for (size_t i = 1; i < names->count; i++)
		if (!compare(&names->rows[i - 1], &names->rows[i]))
			return kt_error_set(error, EINVAL, names->rows[i].key, 0,
					    "this name has two pools (drop one)");
	return 0;
}

int kt_names_init(struct kt_names *names, const struct kt_pool_for *pools, size_t count,
		  struct kt_error *error)
{
	struct kt_names made = {0};
	int err = 0;

	if (!count)
		return 0;
	made.rows = calloc(count, sizeof *made.rows);
	if (!made.rows)
		return kt_error_set(error, ENOMEM, "names", 0, "out of memory");
	while (!err && made.count < count) {
		err = fill(&made.rows[made.count], &pools[made.count], error);
		made.count++;
	}
	if (!err)
		err = put_in_order(&made, error);
	if (err)
		kt_names_fini(&made);
	else
		*names = made;
	return err;
}

void kt_names_fini(struct kt_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->rows[i].key);
	free(names->rows);
	*names = (struct kt_names){0};
}

static struct kt_pool *find(const struct kt_names *names, char *key)
{
	const struct kt_named_pool wanted = {.key = key};
	const struct kt_named_pool *row =
		bsearch(&wanted, names->rows, names->count, sizeof *names->rows, compare);

	return row ? row->pool : NULL;
}

struct kt_pool *kt_names_find(const struct kt_names *names, const char *name)
{
	char key[KT_PATTERN_MAX + 1];
	struct kt_pool *pool;
	size_t len = strlen(name);

	/* What is no host name must not pass for the inside of a pattern (".example.org"). */
	if (!names->count || len > KT_PATTERN_MAX || !is_host_name(name))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		key[i] = (char)tolower((unsigned char)name[i]);
	pool = find(names, key);
	if (pool || !strchr(key, '.'))
		return pool;
	return find(names, strchr(key, '.'));
}
