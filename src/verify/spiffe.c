/* SPDX-License-Identifier: BSD-2-Clause */
#include "spiffe.h"

#include <string.h>

#include "ascii.h"

#define TRUST_DOMAIN_MAX 255 /* bytes (§2.3) */

static const char prefix[] = "spiffe://";

static struct kt_der_view take(struct kt_der_view *in, size_t len)
{
	struct kt_der_view taken = {in->data, len};

	in->data += len;
	in->len -= len;
	return taken;
}

static bool is_text(struct kt_der_view view, const char *text)
{
	return view.len == strlen(text) && !memcmp(view.data, text, view.len);
}

/* ---- Syntax ---------------------------------------------------------------------------------- */

bool kt_spiffe_is_meant(struct kt_der_view text)
{
	static const char scheme[] = "spiffe:";

	if (text.len < sizeof scheme - 1)
		return false;
	for (size_t i = 0; i < sizeof scheme - 1; i++)
		if (kt_ascii_lower(text.data[i]) != scheme[i])
			return false;
	return true;
}

static bool is_mark(uint8_t c)
{
	return c == '.' || c == '-' || c == '_';
}

static bool is_trust_domain(struct kt_der_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!kt_ascii_is_digit(text.data[i]) && !is_mark(text.data[i]) &&
		    !(kt_ascii_is_letter(text.data[i]) &&
		      kt_ascii_lower(text.data[i]) == text.data[i]))
			return false;
	return text.len > 0 && text.len <= TRUST_DOMAIN_MAX;
}

static bool is_segment(struct kt_der_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!kt_ascii_is_digit(text.data[i]) && !is_mark(text.data[i]) &&
		    !kt_ascii_is_letter(text.data[i]))
			return false;
	return text.len > 0 && !is_text(text, ".") && !is_text(text, "..");
}

/* Up to the next slash, which is taken too. False: nothing is left. */
static bool next_segment(struct kt_der_view *path, struct kt_der_view *ret_segment)
{
	const uint8_t *slash;

	if (path->len == 0)
		return false;
	slash = memchr(path->data, '/', path->len);
	*ret_segment = take(path, slash ? (size_t)(slash - path->data) : path->len);
	if (slash)
		take(path, 1);
	return true;
}

/* A final slash leaves no segment behind it for the loop to find. */
static bool is_path(struct kt_der_view path, bool pattern)
{
	struct kt_der_view segment;

	if (path.len == 0 || path.data[path.len - 1] == '/')
		return false;
	while (next_segment(&path, &segment)) {
		bool wild = is_text(segment, "*") || (path.len == 0 && is_text(segment, "**"));

		if (!is_segment(segment) && !(pattern && wild))
			return false;
	}
	return true;
}

/* Everything up to the path. NULL, or what is wrong. */
static const char *read_front(struct kt_der_view text, struct kt_spiffe *id)
{
	const uint8_t *slash;

	if (text.len > KT_SPIFFE_MAX)
		return "more than 2048 bytes (no SPIFFE ID is that long)";
	if (text.len < sizeof prefix - 1 || memcmp(text.data, prefix, sizeof prefix - 1))
		return "not a SPIFFE ID (it begins with spiffe://, in lower case)";
	take(&text, sizeof prefix - 1);
	slash = memchr(text.data, '/', text.len);
	id->trust_domain = take(&text, slash ? (size_t)(slash - text.data) : text.len);
	id->path = text;
	if (!is_trust_domain(id->trust_domain))
		return "not a trust domain (1 to 255 of a-z, 0-9, '.', '-' and '_'; no user, no "
		       "port)";
	if (slash)
		take(&id->path, 1);
	if (id->path.len == 0)
		return "a trust domain, and nobody in it (spiffe://TRUST-DOMAIN/** is all of its "
		       "workloads)";
	return NULL;
}

bool kt_spiffe_read(struct kt_der_view text, struct kt_spiffe *ret_id)
{
	struct kt_spiffe id;

	if (read_front(text, &id) || !is_path(id.path, false))
		return false;
	*ret_id = id;
	return true;
}

const char *kt_spiffe_read_pattern(struct kt_der_view text, struct kt_spiffe *ret_pattern)
{
	struct kt_spiffe pattern;
	const char *why = read_front(text, &pattern);

	if (why)
		return why;
	if (!is_path(pattern.path, true))
		return "not a SPIFFE path (segments of letters, digits, '.', '-' and '_', none of "
		       "them empty, '.' or '..', no '/' at the end; '*' stands for a whole "
		       "segment, "
		       "'**' at the end for one or more)";
	*ret_pattern = pattern;
	return NULL;
}

/* ---- Comparison ------------------------------------------------------------------------------ */

bool kt_spiffe_matches(const struct kt_spiffe *id, const struct kt_spiffe *pattern)
{
	struct kt_der_view path = id->path, wanted = pattern->path, segment, want;

	if (!kt_der_equal(id->trust_domain, pattern->trust_domain))
		return false;
	while (next_segment(&wanted, &want)) {
		if (!next_segment(&path, &segment))
			return false;
		if (is_text(want, "**"))
			return true;
		if (!is_text(want, "*") && !kt_der_equal(segment, want))
			return false;
	}
	return path.len == 0;
}
