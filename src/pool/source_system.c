/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The certificates that the system trusts. Which places are looked at, in which order, and when the
 * program's own roots step in: ktrust/source.h.
 *
 * Threads: reads the environment, which nobody may change meanwhile.
 */
#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ktrust/roots.h>

#include "source_dir.h"

/* Debian, Ubuntu; Fedora; openSUSE; older; RHEL; Alpine, the BSDs. */
static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
				    "/etc/pki/tls/certs/ca-bundle.crt",
				    "/etc/ssl/ca-bundle.pem",
				    "/etc/pki/tls/cacert.pem",
				    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
				    "/etc/ssl/cert.pem",
				    NULL};
static const char *const dirs[] = {"/etc/ssl/certs", "/etc/pki/tls/certs", NULL};

/* Set and not empty; unset for programs that run with more rights than their caller has. */
static const char *variable(const char *name)
{
	const char *value = secure_getenv(name);

	return value && value[0] ? value : NULL;
}

/* ---- One place ------------------------------------------------------------------------------ */

struct place {
	const char *path;     /* without the prefix */
	const char *variable; /* that names it; NULL: it is one of ours */
	int (*add)(struct kt_gather *gather, const char *path, struct kt_error *error);
};

static char *whole_path(const struct kt_gather *gather, const char *path)
{
	const char *root = gather->options->system_root ? gather->options->system_root : "";
	char *made = NULL;

	if (asprintf(&made, "%s%s%s", root, root[0] && path[0] != '/' ? "/" : "", path) < 0)
		return NULL;
	return made;
}

/* Nothing of this name; a link that leads nowhere is something. */
static bool is_absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR);
}

/* 1: it gave certificates; 0: it is not there, or empty; else it is there and no good. */
static int add_place(struct kt_gather *gather, const struct place *place, const char *path,
		     struct kt_error *error)
{
	size_t found = gather->found, skipped = gather->skipped;
	struct kt_error why = {0};
	int ret;

	if (is_absent(path)) {
		if (place->variable)
			kt_gather_note(gather, ENOENT, path, 0, "%s names it, but it is not there",
				       place->variable);
		return 0;
	}
	ret = place->add(gather, path, &why);
	if (ret == -ENODATA && gather->skipped == skipped) {
		kt_gather_note(gather, ENODATA, path, 0, "no certificates of the system in it");
		return 0;
	}
	if (ret) {
		if (error)
			*error = why;
		return ret;
	}
	kt_gather_note(gather, 0, path, 0, "%zu certificates of the system", gather->found - found);
	return 1;
}

static int try_place(struct kt_gather *gather, const struct place *place, struct kt_error *error)
{
	char *path = whole_path(gather, place->path);
	int ret;

	if (!path)
		return kt_error_set(error, ENOMEM, place->path, 0, "out of memory");
	ret = add_place(gather, place, path, error);
	free(path);
	return ret;
}

/* ---- Files, then directories: each returns as add_place ------------------------------------- */

static int try_files(struct kt_gather *gather, struct kt_error *error)
{
	struct place place = {variable("SSL_CERT_FILE"), "SSL_CERT_FILE", kt_source_add_file};
	int ret = 0;

	if (place.path)
		return try_place(gather, &place, error);
	place.variable = NULL;
	for (size_t i = 0; ret == 0 && files[i]; i++) {
		place.path = files[i];
		ret = try_place(gather, &place, error);
	}
	return ret;
}

static int try_listed_dirs(struct kt_gather *gather, const char *list, struct kt_error *error)
{
	struct place place = {NULL, "SSL_CERT_DIR", kt_gather_dir};
	char *copy = strdup(list), *rest = copy, *path;
	int ret = 0, any = 0;

	if (!copy)
		return kt_error_set(error, ENOMEM, list, 0, "out of memory");
	while (ret >= 0 && (path = strsep(&rest, ":"))) {
		place.path = path;
		ret = path[0] ? try_place(gather, &place, error) : 0;
		any |= ret == 1;
	}
	free(copy);
	return ret < 0 ? ret : any;
}

static int try_dirs(struct kt_gather *gather, struct kt_error *error)
{
	struct place place = {.add = kt_gather_dir};
	const char *list = variable("SSL_CERT_DIR");
	int ret = 0, any = 0;

	if (list)
		return try_listed_dirs(gather, list, error);
	for (size_t i = 0; ret >= 0 && dirs[i]; i++) {
		place.path = dirs[i];
		ret = try_place(gather, &place, error);
		any |= ret == 1;
	}
	return ret < 0 ? ret : any;
}

/* ---- The program's own ---------------------------------------------------------------------- */

static int step_in(struct kt_gather *gather, const char *why, struct kt_error *error)
{
	const struct kt_roots *embedded = gather->options->embedded;

	if (!embedded)
		return kt_error_set(error, ENOENT, gather->source, 0,
				    "%s, and this program carries no embedded roots (install "
				    "ca-certificates, or name a file)",
				    why);
	kt_gather_note(gather, ENOENT, gather->source, 0,
		       "%s: the embedded roots, of NSS %s, step in", why, embedded->version);
	return kt_source_add_embedded(gather, "", error);
}

int kt_source_add_system(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	const char *forced = variable("KTRUST_EMBEDDED_ROOTS");
	int ret;

	(void)rest;
	if (forced && strcmp(forced, "1") == 0)
		return step_in(gather, "KTRUST_EMBEDDED_ROOTS is set", error);
	gather->overlay = gather->options->embedded;
	ret = try_files(gather, error);
	if (ret == 1 && variable("SSL_CERT_DIR"))
		kt_gather_note(gather, EEXIST, "SSL_CERT_DIR", 0,
			       "not looked at, since there is a file, which comes first (name one "
			       "by SSL_CERT_FILE)");
	if (ret == 0)
		ret = try_dirs(gather, error);
	if (ret == 0)
		return step_in(gather, "this system has no certificates", error);
	return ret < 0 ? ret : 0;
}
