/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool manifest */
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ktrust/manifest.h>
#include <ktrust/pool.h>
#include <ktrust/roots.h>

#include "../control/control.h"

static int gather(const struct kt_cli_pool_args *args, struct kt_anchor_set *set,
		  struct kt_error *error)
{
	const struct kt_source_options options = {
		.any_purpose = args->any_purpose,
		.crl_policy = args->crl_warn ? KT_CRL_WARN : KT_CRL_REFUSE,
#if KT_EMBEDDED_ROOTS
		.embedded = &kt_embedded_roots,
#endif
	};
	int ret = 0;

	for (int i = 1; i < args->count && !ret; i++)
		ret = kt_anchor_set_add_source(set, args->words[i], &options, error);
	kt_anchor_set_crl_policy(set, options.crl_policy);
	return ret;
}

/* What the sources come to: the digest does not depend on the pool's name or the version. */
static int describe(const struct kt_anchor_set *set, struct kt_manifest *manifest,
		    struct kt_error *error)
{
	struct kt_snapshot_info info;
	struct kt_snapshot *snapshot;
	int ret = kt_snapshot_build(set, "manifest", "", 1, &snapshot, error);

	if (ret)
		return ret;
	kt_snapshot_describe(snapshot, &info);
	manifest->anchors = info.anchors;
	manifest->crls = info.crls;
	memcpy(manifest->digest, info.digest, sizeof manifest->digest);
	kt_snapshot_free(snapshot);
	return 0;
}

/* Renamed into place: who watches it never sees a half. */
static int write_file(const char *path, const char *text, struct kt_error *error)
{
	char temporary[4096];
	FILE *file;
	int bad;

	if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
		return kt_error_set(error, ENAMETOOLONG, path, 0, "this path is too long");
	file = fopen(temporary, "we");
	if (!file)
		return kt_error_set(error, errno, temporary, 0, "%s", strerror(errno));
	bad = fputs(text, file) < 0 || fflush(file) || fsync(fileno(file));
	bad |= fclose(file) != 0;
	if (!bad && !rename(temporary, path))
		return 0;
	kt_error_set(error, errno ? errno : EIO, path, 0, "cannot be written: %s", strerror(errno));
	unlink(temporary);
	return -error->err;
}

static int put(const struct kt_cli_pool_args *args, const char *text)
{
	struct kt_error error;

	if (!args->out) {
		fputs(text, stdout);
		return kt_print_end();
	}
	if (!write_file(args->out, text, &error))
		return KT_EXIT_OK;
	kt_complain(&error);
	return KT_EXIT_TROUBLE;
}

/* What was written, or would be: the manifest itself is text, for whoever reads it. */
static int put_json(const struct kt_cli_pool_args *args, const struct kt_manifest *manifest,
		    const char *text)
{
	json_t *object;

	if (args->out && put(args, text))
		return KT_EXIT_TROUBLE;
	object = json_pack("{s:I, s:I, s:I, s:o, s:b, s:o, s:s}", "epoch",
			   (json_int_t)manifest->epoch, "anchors", (json_int_t)manifest->anchors,
			   "crls", (json_int_t)manifest->crls, "digest",
			   kt_json_digest(manifest->digest, sizeof manifest->digest), "signed",
			   args->key != NULL, "out", kt_json_text(args->out), "manifest", text);
	return kt_print_json(object);
}

int kt_cli_pool_manifest(const struct kt_cli_pool_args *args)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_manifest manifest = {.epoch = args->epoch};
	char text[KT_MANIFEST_MAX + 1];
	struct kt_error error;
	int ret;

	if (!args->epoch)
		ret = kt_error_set(&error, EINVAL, "pool manifest", 0, "--epoch N is missing");
	else if (!set)
		ret = kt_error_set(&error, ENOMEM, "pool manifest", 0, "out of memory");
	else
		ret = gather(args, set, &error);
	if (!ret)
		ret = describe(set, &manifest, &error);
	if (!ret)
		ret = kt_manifest_write(&manifest, args->key, text, &error);
	kt_anchor_set_free(set);
	if (!ret)
		return args->ask.json ? put_json(args, &manifest, text) : put(args, text);
	kt_complain(&error);
	return KT_EXIT_TROUBLE;
}
