/* SPDX-License-Identifier: BSD-2-Clause */
#include "limits.h"

#include <string.h>
#include <strings.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* ---- Permitted names ------------------------------------------------------------------------- */

static bool is_at_or_below(const char *name, size_t len, const char *permitted,
			   size_t permitted_len)
{
	size_t above = len - permitted_len;

	if (len < permitted_len || strncasecmp(name + above, permitted, permitted_len))
		return false;
	return above == 0 || name[above - 1] == '.';
}

static bool is_permitted(const ASN1_STRING *dns, const char *list)
{
	const char *name = (const char *)ASN1_STRING_get0_data(dns);
	size_t len = (size_t)ASN1_STRING_length(dns);

	/* A NUL would end the comparison early. */
	if (memchr(name, '\0', len))
		return false;
	if (len > 2 && name[0] == '*' && name[1] == '.') {
		name += 2;
		len -= 2;
	}
	while (*list) {
		size_t permitted_len = strcspn(list, " ");

		if (is_at_or_below(name, len, list, permitted_len))
			return true;
		list += permitted_len + (list[permitted_len] == ' ');
	}
	return false;
}

static enum kt_verdict_code check_each(const GENERAL_NAMES *names, const char *list)
{
	bool any = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_IPADD ||
		    (name->type == GEN_DNS && !is_permitted(name->d.dNSName, list)))
			return KT_NAME_CONSTRAINT;
		any = any || name->type == GEN_DNS;
	}
	return any ? KT_ACCEPTED : KT_NAME_CONSTRAINT;
}

static enum kt_verdict_code check_names(const X509 *leaf, const char *list)
{
	enum kt_verdict_code code;
	GENERAL_NAMES *names;

	if (!list[0])
		return KT_ACCEPTED;
	/* Absent, there twice, or unreadable: nothing in it is permitted. */
	names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	if (!names)
		return KT_NAME_CONSTRAINT;
	code = check_each(names, list);
	GENERAL_NAMES_free(names);
	return code;
}

/* ---- The path -------------------------------------------------------------------------------- */

static unsigned int purpose_of(enum kt_role role)
{
	return role == KT_ROLE_CLIENT ? KT_PURPOSE_CLIENT : KT_PURPOSE_SERVER;
}

static enum kt_verdict_code check_date(const X509 *leaf, int64_t distrust_after)
{
	time_t date = (time_t)distrust_after;
	int way;

	if (distrust_after == KT_DISTRUST_NEVER)
		return KT_ACCEPTED;
	/* 0: it cannot be read; 1: later than the date. */
	way = X509_cmp_time(X509_get0_notBefore(leaf), &date);
	if (!way)
		return KT_MALFORMED;
	return way > 0 ? KT_DISTRUSTED : KT_ACCEPTED;
}

enum kt_verdict_code kt_limits_check(const struct kt_path *path, enum kt_role role, int *ret_depth)
{
	const struct kt_constraints *limits = path->limits;
	enum kt_verdict_code code;

	*ret_depth = path->count;
	if (!(limits->purposes & purpose_of(role)))
		return KT_WRONG_PURPOSE;
	*ret_depth = 0;
	code = check_date(path->certs[0], limits->distrust_after);
	if (code == KT_ACCEPTED)
		code = check_names(path->certs[0], limits->permitted_dns);
	return code;
}
