/* SPDX-License-Identifier: BSD-2-Clause */
#include "constraints.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One name takes two bytes at least, a letter and a space. */
#define NAMES_MAX ((KT_PERMITTED_DNS_MAX + 1) / 2)

struct name {
	const char *text;
	size_t len;
};

static size_t split(const char *list, struct name names[NAMES_MAX])
{
	size_t count = 0;

	while (*list) {
		size_t len = strcspn(list, " ");

		names[count++] = (struct name){list, len};
		list += len + (list[len] == ' ');
	}
	return count;
}

static int compare(const void *left, const void *right)
{
	const struct name *a = left, *b = right;
	int way = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return way ? way : (a->len > b->len) - (a->len < b->len);
}

/* Is inner the name outer, or below it? */
static bool covers(const struct name *outer, const struct name *inner)
{
	size_t above = inner->len - outer->len;

	if (inner->len < outer->len || memcmp(inner->text + above, outer->text, outer->len))
		return false;
	return above == 0 || inner->text[above - 1] == '.';
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 characters (RFC 1035 §2.3.4) with single dots between them. */
static bool is_name(const struct name *name)
{
	size_t label = 0;

	for (size_t i = 0; i < name->len; i++) {
		if (name->text[i] == '.' && label == 0)
			return false;
		if (name->text[i] == '.')
			label = 0;
		else if (!is_label_char(name->text[i]) || ++label > 63)
			return false;
	}
	return label > 0 && name->len <= 253;
}

static const char *check_names(const char *list)
{
	struct name names[NAMES_MAX];
	size_t len = strnlen(list, KT_PERMITTED_DNS_MAX + 1), count;

	if (len > KT_PERMITTED_DNS_MAX)
		return "the list of permitted names is too long";
	if (len && (list[0] == ' ' || list[len - 1] == ' ' || strstr(list, "  ")))
		return "the permitted names are not separated by one space each";
	count = split(list, names);
	for (size_t i = 0; i < count; i++) {
		if (!is_name(&names[i]))
			return "a permitted name is no DNS name in lower case";
		if (i > 0 && compare(&names[i - 1], &names[i]) >= 0)
			return "the permitted names are not in alphabetical order";
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			if (i != k && covers(&names[i], &names[k]))
				return "a permitted name is below another";
	return NULL;
}

const char *kt_constraints_check(const struct kt_constraints *constraints)
{
	if (!constraints->purposes || (constraints->purposes & ~KT_PURPOSE_ANY))
		return "the purposes are none or unknown";
	return constraints->permitted_dns ? check_names(constraints->permitted_dns) : NULL;
}

/* Those of inner that lie within outer; equal ones are left to the other direction if asked. */
static size_t gather(const struct name *inner, size_t inner_count, const struct name *outer,
		     size_t outer_count, bool take_equal, struct name *ret_names)
{
	size_t count = 0;

	for (size_t i = 0; i < inner_count; i++)
		for (size_t k = 0; k < outer_count; k++) {
			if (!covers(&outer[k], &inner[i]))
				continue;
			if (take_equal || outer[k].len != inner[i].len)
				ret_names[count++] = inner[i];
			break;
		}
	return count;
}

/* Each list may have its long names below a short one of the other: both at once may not fit. */
static int join(struct name *names, size_t count, char ret_list[KT_PERMITTED_DNS_MAX + 1])
{
	size_t used = 0;

	qsort(names, count, sizeof names[0], compare);
	for (size_t i = 0; i < count; i++)
		used += names[i].len + 1;
	if (used > KT_PERMITTED_DNS_MAX + 1)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		memcpy(ret_list, names[i].text, names[i].len);
		ret_list += names[i].len;
		*ret_list++ = i + 1 < count ? ' ' : '\0';
	}
	return 0;
}

int kt_constraints_meet(const char *left, const char *right,
			char ret_names[KT_PERMITTED_DNS_MAX + 1])
{
	struct name a[NAMES_MAX], b[NAMES_MAX], both[2 * NAMES_MAX];
	size_t a_count = split(left, a), b_count = split(right, b), count;

	if (!a_count || !b_count) {
		strcpy(ret_names, a_count ? left : right);
		return 0;
	}
	count = gather(a, a_count, b, b_count, true, both);
	count += gather(b, b_count, a, a_count, false, both + count);
	if (!count)
		return -EBADMSG;
	return join(both, count, ret_names);
}
