/* SPDX-License-Identifier: BSD-2-Clause */
/* A listing of roots as text, PEM and JSON. */
#include "roots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../control/control.h"
#include "cli.h"
#include "trace.h"

#define DAY_S	    86400
#define LABEL_SHOWN 1024 /* bytes of an escaped label */

static const char *date(int64_t seconds, char buf[static 32])
{
	time_t clock = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&clock, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, 32, "?");
	return buf;
}

static const char *hex(const uint8_t *digest, char buf[static 2 * KT_DIGEST_LEN + 1])
{
	for (size_t i = 0; i < KT_DIGEST_LEN; i++)
		snprintf(buf + 2 * i, 3, "%02x", digest[i]);
	return buf;
}

/* Lines that say what limits a root. */
static void print_limits(const struct kt_listed *root, const char *indent)
{
	char buf[32];

	if (root->distrust_after != KT_DISTRUST_NEVER)
		printf("%sonly certificates issued until %s\n", indent,
		       date(root->distrust_after, buf));
	if (root->permitted_dns)
		printf("%sonly names below: %s\n", indent, root->permitted_dns);
}

static int64_t age_days(const struct kt_listing *listing)
{
	return (listing->now - listing->date) / DAY_S;
}

/* ---- Text ---------------------------------------------------------------------------------- */

static void print_totals(const struct kt_listing *listing, bool all)
{
	char buf[2 * KT_DIGEST_LEN + 1];

	printf("\n%zu certificates, %zu of them trusted for servers, %zu of these with limits",
	       listing->certificates, listing->trusted, listing->constrained);
	if (!all && listing->certificates > listing->trusted)
		printf("; --all lists the other %zu", listing->certificates - listing->trusted);
	putchar('\n');
	if (listing->version)
		printf("version %s of %.10s, %" PRId64 " days old\n", listing->version,
		       date(listing->date, buf), age_days(listing));
	if (listing->digest)
		printf("digest %s\n", hex(listing->digest, buf));
}

int kt_roots_print_text(const struct kt_listing *listing, bool all)
{
	char digest[2 * KT_DIGEST_LEN + 1], label[LABEL_SHOWN], buf[32];

	printf("%-16s  %-10s  %-18s  %s\n", "FINGERPRINT", "EXPIRES", "TRUST", "LABEL");
	for (size_t i = 0; i < listing->count; i++) {
		const struct kt_listed *root = &listing->roots[i];

		if (!all && !root->trusted)
			continue;
		printf("%.16s  %.10s  %-18s  %s\n", hex(root->fingerprint, digest),
		       date(root->text.not_after, buf), root->trust,
		       kt_cli_escape(root->label, label, sizeof label));
		print_limits(root, "    ");
		if (root->reason[0])
			printf("    %s\n", root->reason);
	}
	print_totals(listing, all);
	return kt_print_end();
}

/* ---- PEM ----------------------------------------------------------------------------------- */

static void print_base64(const uint8_t *bytes, size_t len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned int column = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;

		group |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= i + 2 < len ? bytes[i + 2] : 0;
		putchar(alphabet[group >> 18]);
		putchar(alphabet[group >> 12 & 63]);
		putchar(i + 1 < len ? alphabet[group >> 6 & 63] : '=');
		putchar(i + 2 < len ? alphabet[group & 63] : '=');
		column += 4;
		if (column == 64 || i + 3 >= len) {
			putchar('\n');
			column = 0;
		}
	}
}

/* Explanatory text must not look like a boundary, whatever a label says (RFC 7468 §2). */
static char *without_dashes(char *text)
{
	char *dashes;

	while ((dashes = strstr(text, "-----")))
		memset(dashes, '_', strlen("-----"));
	return text;
}

int kt_roots_print_pem(const struct kt_listing *listing, bool all)
{
	char digest[2 * KT_DIGEST_LEN + 1], label[LABEL_SHOWN];

	for (size_t i = 0; i < listing->count; i++) {
		const struct kt_listed *root = &listing->roots[i];

		if (!all && !root->trusted)
			continue;
		kt_cli_escape(root->label, label, sizeof label);
		printf("# %s\n# SHA-256 %s\n", without_dashes(label),
		       hex(root->fingerprint, digest));
		print_limits(root, "# ");
		if (!root->trusted)
			printf("# %s%s%s\n", root->trust, root->reason[0] ? ": " : "",
			       root->reason);
		printf("-----BEGIN CERTIFICATE-----\n");
		print_base64(root->der, root->der_len);
		printf("-----END CERTIFICATE-----\n\n");
	}
	return kt_print_end();
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* The names of a list with one space between them; null: no limit. */
static json_t *names_of(const char *list)
{
	json_t *names;
	size_t len;

	if (!list || !list[0])
		return json_null();
	names = json_array();
	for (; *list; list += len + (list[len] == ' ')) {
		len = strcspn(list, " ");
		json_array_append_new(names, json_stringn(list, len));
	}
	return names;
}

static json_t *date_or_null(int64_t seconds)
{
	return seconds == KT_DISTRUST_NEVER ? json_null() : kt_json_date(seconds);
}

static json_t *root_object(const struct kt_listed *root)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "label",
		kt_json_text(root->label), "fingerprint",
		kt_json_digest(root->fingerprint, KT_DIGEST_LEN), "subject",
		kt_json_text(root->text.subject), "not_before", kt_json_date(root->text.not_before),
		"not_after", kt_json_date(root->text.not_after), "trust", root->trust, "reason",
		root->reason[0] ? kt_json_text(root->reason) : json_null(), "distrust_after",
		date_or_null(root->distrust_after), "permitted_dns", names_of(root->permitted_dns),
		"line", root->line ? json_integer(root->line) : json_null());
}

static json_t *release(const struct kt_listing *listing)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "version", kt_json_text(listing->version), "date",
			 listing->version ? kt_json_date(listing->date) : json_null(), "age_days",
			 listing->version ? json_integer(age_days(listing)) : json_null(), "digest",
			 listing->digest ? kt_json_digest(listing->digest, KT_DIGEST_LEN)
					 : json_null());
}

int kt_roots_print_json(const struct kt_listing *listing, bool all)
{
	json_t *roots = json_array(), *whole;
	size_t unknown = 0;

	for (size_t i = 0; i < listing->count; i++) {
		const struct kt_listed *root = &listing->roots[i];

		unknown += root->unknown;
		/* What is not understood is always told. */
		if (all || root->trusted || root->unknown)
			json_array_append_new(roots, root_object(root));
	}
	whole = json_pack(
		"{s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "source", kt_json_text(listing->source),
		"certificates", (json_int_t)listing->certificates, "trusted",
		(json_int_t)listing->trusted, "constrained", (json_int_t)listing->constrained,
		"unknown_constraint", (json_int_t)unknown, "trust_without_certificate",
		(json_int_t)listing->trust_without_certificate, "roots", roots);
	if (whole && json_object_update_new(whole, release(listing))) {
		json_decref(whole);
		whole = NULL;
	}
	return kt_print_json(whole);
}
