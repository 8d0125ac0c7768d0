/* SPDX-License-Identifier: BSD-2-Clause */
/* The words that name sources, and adding one as a whole or not at all. */
#include <ktrust/source.h>

#include <errno.h>
#include <string.h>

#include "gather.h"
#include "set.h"

static const struct kind {
	const char *word; /* with its colon, where a path follows */
	int (*add)(struct kt_gather *gather, const char *rest, struct kt_error *error);
	unsigned int purposes; /* of its certificates, if the options do not say any */
} kinds[] = {
	{"file:", kt_source_add_file, KT_PURPOSE_ANY},
	{"dir:", kt_source_add_dir, KT_PURPOSE_ANY},
	{"certdata:", kt_source_add_certdata, KT_PURPOSE_SERVER},
	{"crl:", kt_source_add_crl, 0},
	{"system", kt_source_add_system, KT_PURPOSE_SERVER},
	{"embedded", kt_source_add_embedded, KT_PURPOSE_SERVER},
};

/* The kind of a source, and what stands behind its word; NULL: it is none. */
static const struct kind *find_kind(const char *source, const char **ret_rest)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct kind *kind = &kinds[i];
		size_t len = strlen(kind->word);
		bool wants_path = kind->word[len - 1] == ':';

		if (strncmp(source, kind->word, len) || wants_path != (source[len] != '\0'))
			continue;
		*ret_rest = source + len;
		return kind;
	}
	return NULL;
}

unsigned int kt_source_purposes(const char *source)
{
	const char *rest;
	const struct kind *kind = find_kind(source, &rest);

	return kind ? kind->purposes : 0;
}

const char *kt_source_path(const char *source)
{
	const char *rest;

	return find_kind(source, &rest) && rest[0] ? rest : NULL;
}

static int add(struct kt_gather *gather, const struct kind *kind, const char *rest,
	       struct kt_error *error)
{
	struct kt_set_mark mark = kt_set_mark(gather->set);
	int ret = kind->add(gather, rest, error);

	if (ret) {
		kt_set_go_back(gather->set, &mark);
		return ret;
	}
	kt_anchor_set_crl_policy(gather->set, gather->options->crl_policy);
	kt_gather_sums(gather);
	return 0;
}

int kt_anchor_set_add_source(struct kt_anchor_set *set, const char *source,
			     const struct kt_source_options *options, struct kt_error *error)
{
	static const struct kt_source_options defaults;
	const char *rest;
	const struct kind *kind = find_kind(source, &rest);
	struct kt_gather gather = {
		.set = set, .options = options ? options : &defaults, .source = source};

	if (!kind)
		return kt_error_set(error, EINVAL, source, 0,
				    "not a source (expected: file:PATH, dir:PATH, certdata:PATH, "
				    "crl:PATH, system or embedded)");
	gather.purposes = gather.options->any_purpose ? KT_PURPOSE_ANY : kind->purposes;
	return add(&gather, kind, rest, error);
}
