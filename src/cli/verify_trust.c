/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command line or a case lets vouch for the peer, and what a path may go through. */
#include "verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ktrust/roots.h>
#include <ktrust/source.h>

#include "cli.h"

static bool is_source(const char *text)
{
	return kt_source_purposes(text) || kt_source_path(text);
}

static bool vouches_for(const char *source, enum kt_role role)
{
	unsigned int purposes = kt_source_purposes(source);

	return role == KT_ROLE_SERVER || !purposes || (purposes & KT_PURPOSE_CLIENT);
}

int kt_cli_trust_add(struct kt_anchor_set *set, const char *source, enum kt_role role,
		     bool any_purpose, struct kt_error *error)
{
	const struct kt_source_options options = {
		.any_purpose = any_purpose,
		.crl_policy = KT_CRL_WARN, /* at load: see below */
#if KT_EMBEDDED_ROOTS
		.embedded = &kt_embedded_roots,
#endif
	};
	char file[KT_SOURCE_MAX + 1];
	int ret;

	if (!is_source(source)) {
		if (snprintf(file, sizeof file, "file:%s", source) >= (int)sizeof file)
			return kt_error_set(error, ENAMETOOLONG, source, 0,
					    "this path is too long");
		source = file;
	}
	if (!any_purpose && !vouches_for(source, role))
		return kt_error_set(error, EINVAL, source, 0,
				    "its roots are for verifying servers (name a source of client "
				    "CAs; or --purpose any, if whoever they vouch for is meant)");
	ret = kt_anchor_set_add_source(set, source, &options, error);
	/* An old CRL is the verdict's affair: it is refused there, under its own name. */
	kt_anchor_set_crl_policy(set, KT_CRL_REFUSE);
	return ret;
}

/* Leaves among intermediates are no mistake: files of whole chains have them. */
static void complain(const struct kt_error *what, void *arg)
{
	(void)arg;
	if (what->err != EINVAL)
		kt_complain(what);
}

/* Leniently, since no trust comes from them: what is no certificate only leads nowhere. */
static int add_intermediates(struct kt_anchor_set *set, const char *path, struct kt_error *error)
{
	const struct kt_source_options options = {.lenient = true, .note = complain};
	char source[KT_SOURCE_MAX + 1];

	if (snprintf(source, sizeof source, "file:%s", path) >= (int)sizeof source)
		return kt_error_set(error, ENAMETOOLONG, path, 0, "this path is too long");
	return kt_anchor_set_add_source(set, source, &options, error);
}

int kt_cli_trust_intermediates(const char *path, struct kt_snapshot **ret_snapshot,
			       struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	int ret;

	if (!set)
		return kt_error_set(error, ENOMEM, path, 0, "out of memory");
	ret = add_intermediates(set, path, error);
	if (ret == 0)
		ret = kt_snapshot_build(set, "intermediates", "", 1, ret_snapshot, error);
	kt_anchor_set_free(set);
	return ret;
}
