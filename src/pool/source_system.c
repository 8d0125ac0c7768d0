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

/* ---- The places, in order ------------------------------------------------------------------- */

struct place {
	const char *path; /* without the prefix, not NUL-terminated */
	size_t len;
	const char *variable; /* that names it; NULL: it is one of ours */
	bool directory;
};

/* What it returns, when it is not 0, ends the round. */
typedef int visit(const struct place *place, void *arg);

static int each_of(const char *const *paths, bool directory, visit *fn, void *arg)
{
	int ret = 0;

	for (size_t i = 0; !ret && paths[i]; i++) {
		struct place place = {paths[i], strlen(paths[i]), NULL, directory};

		ret = fn(&place, arg);
	}
	return ret;
}

static int each_file(visit *fn, void *arg)
{
	struct place place = {variable("SSL_CERT_FILE"), 0, "SSL_CERT_FILE", false};

	if (!place.path)
		return each_of(files, false, fn, arg);
	place.len = strlen(place.path);
	return fn(&place, arg);
}

static int each_dir(visit *fn, void *arg)
{
	struct place place = {variable("SSL_CERT_DIR"), 0, "SSL_CERT_DIR", true};
	int ret = 0;

	if (!place.path)
		return each_of(dirs, true, fn, arg);
	for (; !ret; place.path += place.len + 1) {
		place.len = strcspn(place.path, ":");
		if (place.len)
			ret = fn(&place, arg);
		if (!place.path[place.len])
			break;
	}
	return ret;
}

static bool is_forced(void)
{
	const char *forced = variable("KTRUST_EMBEDDED_ROOTS");

	return forced && strcmp(forced, "1") == 0;
}

/* NULL: out of memory. */
static char *whole_path(const char *root, const struct place *place)
{
	const char *slash = root && root[0] && place->path[0] != '/' ? "/" : "";
	char *made = NULL;

	if (asprintf(&made, "%s%s%.*s", root ? root : "", slash, (int)place->len, place->path) < 0)
		return NULL;
	return made;
}

/* ---- Told ----------------------------------------------------------------------------------- */

struct telling {
	const char *root;
	void (*tell)(const char *path, bool directory, void *arg);
	void *arg;
};

static int tell(const struct place *place, void *arg)
{
	const struct telling *telling = arg;
	char *path = whole_path(telling->root, place);

	if (!path)
		return -ENOMEM;
	telling->tell(path, place->directory, telling->arg);
	free(path);
	return 0;
}

int kt_source_system_places(const char *system_root,
			    void (*fn)(const char *path, bool directory, void *arg), void *arg)
{
	struct telling telling = {system_root, fn, arg};
	int ret = is_forced() ? 0 : each_file(tell, &telling);

	return ret || is_forced() ? ret : each_dir(tell, &telling);
}

/* ---- Gathered ------------------------------------------------------------------------------- */

struct trying {
	struct kt_gather *gather;
	bool any; /* some place gave certificates */
	struct kt_error *error;
};

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
	ret = place->directory ? kt_gather_dir(gather, path, &why)
			       : kt_source_add_file(gather, path, &why);
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

/* A file that gave certificates is the only one; directories add up. */
static int try_place(const struct place *place, void *arg)
{
	struct trying *trying = arg;
	char *path = whole_path(trying->gather->options->system_root, place);
	int ret;

	if (!path)
		return kt_error_set(trying->error, ENOMEM, trying->gather->source, 0,
				    "out of memory");
	ret = add_place(trying->gather, place, path, trying->error);
	free(path);
	trying->any |= ret == 1;
	return place->directory && ret == 1 ? 0 : ret;
}

/* As add_place, of all of them. */
static int try_each(struct kt_gather *gather, int (*each)(visit *fn, void *arg),
		    struct kt_error *error)
{
	struct trying trying = {.gather = gather, .error = error};
	int ret = each(try_place, &trying);

	return ret < 0 ? ret : trying.any;
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
	int ret;

	(void)rest;
	if (is_forced())
		return step_in(gather, "KTRUST_EMBEDDED_ROOTS is set", error);
	gather->overlay = gather->options->embedded;
	ret = try_each(gather, each_file, error);
	if (ret == 1 && variable("SSL_CERT_DIR"))
		kt_gather_note(gather, EEXIST, "SSL_CERT_DIR", 0,
			       "not looked at, since there is a file, which comes first (name one "
			       "by SSL_CERT_FILE)");
	if (ret == 0)
		ret = try_each(gather, each_dir, error);
	if (ret == 0)
		return step_in(gather, "this system has no certificates", error);
	return ret < 0 ? ret : 0;
}
