/* SPDX-License-Identifier: BSD-2-Clause */
#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ktrust/roots.h>

#include "log.h"

struct telling {
	const struct kt_config_pool *pool;
	struct kt_notes *notes;
};

static void note(const struct kt_error *what, void *arg)
{
	const struct telling *telling = arg;
	char text[600];

	kt_log(what->err ? LOG_WARNING : LOG_INFO, "pool %s: %s", telling->pool->name,
	       kt_error_format(what, text, sizeof text));
	if (what->err && telling->notes->count < KT_NOTES_KEPT)
		telling->notes->at[telling->notes->count++] = *what;
}

static int add_name(const struct kt_config_pool *pool, const char *source,
		    char names[static KT_SOURCE_MAX + 1], struct kt_error *error)
{
	size_t used = strlen(names);

	used += (size_t)snprintf(names + used, KT_SOURCE_MAX + 1 - used, "%s%s", used ? " " : "",
				 source);
	if (used <= KT_SOURCE_MAX)
		return 0;
	return kt_error_set(error, EINVAL, pool->name, 0,
			    "the sources' names have more than %u characters in all (use shorter "
			    "paths, or put the files into one)",
			    KT_SOURCE_MAX);
}

int kt_gather(const struct kt_config *config, const struct kt_config_pool *pool,
	      struct kt_sources sources, struct kt_anchor_set *set,
	      char ret_names[static KT_SOURCE_MAX + 1], struct kt_notes *ret_notes,
	      struct kt_error *error)
{
	struct telling telling = {pool, ret_notes};
	const struct kt_source_options options = {
		.lenient = pool->lenient,
		.any_purpose = pool->purpose == KT_CONFIG_PURPOSE_ANY,
		.crl_policy = pool->crl_policy,
#if KT_EMBEDDED_ROOTS
		.embedded = &kt_embedded_roots,
#endif
		.note = note,
		.note_arg = &telling,
	};
	int err = 0;

	ret_names[0] = '\0';
	ret_notes->count = 0;
	for (size_t i = 0; !err && i < sources.count; i++) {
		err = add_name(pool, sources.at[i], ret_names, error);
		if (!err)
			err = kt_config_check_source(config, pool, sources.at[i], error);
		if (!err)
			err = kt_anchor_set_add_source(set, sources.at[i], &options, error);
	}
	return err;
}
