/* SPDX-License-Identifier: BSD-2-Clause */
/* A verdict, and how it came about, as text and as JSON. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "../control/control.h"
#include "cli.h"

#define DIGITS_SHOWN 16 /* of a fingerprint, as in other listings */

int kt_cli_verdict_status(enum kt_verdict_code code)
{
	switch (code) {
	case KT_ACCEPTED:
		return KT_EXIT_OK;
	case KT_INTERNAL:
	case KT_NO_ANCHORS:
		return KT_EXIT_TROUBLE;
	default:
		return KT_EXIT_NO;
	}
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static json_t *certificate(const struct kt_der *der)
{
	const struct kt_anchor anchor = {.der = der->data, .der_len = der->len};
	struct kt_anchor_text text;

	kt_anchor_describe(&anchor, &text);
	return json_pack("{s:s, s:o, s:o}", "subject", text.subject, "not_before",
			 kt_json_date(text.not_before), "not_after", kt_json_date(text.not_after));
}

static json_t *anchor_object(const struct kt_anchor *anchor)
{
	struct kt_anchor_text text;

	kt_anchor_describe(anchor, &text);
	return json_pack("{s:s, s:o}", "subject", text.subject, "fingerprint",
			 kt_json_digest(anchor->fingerprint, KT_DIGEST_LEN));
}

json_t *kt_cli_rule_json(const struct kt_rule *rule)
{
	return rule ? json_string(rule->name) : json_null();
}

void kt_cli_tell_attempt(const struct kt_attempt *attempt, void *arg)
{
	json_t *certs = json_array();

	for (size_t i = 0; i < attempt->count; i++)
		json_array_append_new(certs, certificate(&attempt->certs[i]));
	json_array_append_new(
		arg,
		json_pack("{s:o, s:o, s:s, s:o, s:i, s:s, s:s}", "certificates", certs, "anchor",
			  attempt->anchor ? anchor_object(attempt->anchor) : json_null(), "verdict",
			  kt_verdict_name(attempt->code), "rule", kt_cli_rule_json(attempt->rule),
			  "depth", attempt->depth, "why", attempt->why, "source",
			  attempt->rule ? attempt->rule->source : ""));
}

static json_t *accepting_anchor(const struct kt_cli_answer *answer)
{
	const struct kt_verdict *verdict = answer->verdict;
	struct kt_anchor anchor;

	if (verdict->code != KT_ACCEPTED ||
	    kt_snapshot_find_fingerprint(answer->snapshot, verdict->anchor, &anchor))
		return json_null();
	return anchor_object(&anchor);
}

json_t *kt_cli_answer_json(const struct kt_cli_answer *answer)
{
	const struct kt_verdict *verdict = answer->verdict;
	json_t *object = json_pack(
		"{s:s, s:o, s:i, s:o, s:i, s:I}", "verdict", kt_verdict_name(verdict->code), "rule",
		kt_cli_rule_json(verdict->rule), "depth", verdict->depth, "anchor",
		accepting_anchor(answer), "alert", (int)kt_verdict_alert(verdict->code),
		"duration_ns", (json_int_t)verdict->duration_ns);

	if (object && answer->paths && json_object_set(object, "paths", answer->paths)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* ---- Text ---------------------------------------------------------------------------------- */

static const char *subject_of(json_t *certificate)
{
	const char *text = json_string_value(json_object_get(certificate, "subject"));

	return !text ? "?" : *text ? text : "(no subject)";
}

static void print_anchor(json_t *anchor)
{
	printf("%s (%.*s)", subject_of(anchor), DIGITS_SHOWN, kt_text(anchor, "fingerprint"));
}

/* The certificate that the verdict is about: a path that ended by it has it; NULL: none has. */
static json_t *concerned(const struct kt_cli_answer *answer)
{
	const char *name = kt_verdict_name(answer->verdict->code);
	json_t *path;
	size_t i;

	json_array_foreach (answer->paths, i, path) {
		json_t *certs = json_object_get(path, "certificates");

		if (kt_number(path, "depth") == answer->verdict->depth &&
		    !strcmp(kt_text(path, "verdict"), name))
			return json_array_get(certs, (size_t)answer->verdict->depth);
	}
	return NULL;
}

static void print_refusal(const struct kt_cli_answer *answer)
{
	const struct kt_verdict *verdict = answer->verdict;
	json_t *cert = NULL;

	printf("%s: %s", verdict->code == KT_INTERNAL ? "not decided" : "refused",
	       kt_verdict_name(verdict->code));
	if (verdict->depth >= 0) {
		cert = json_incref(concerned(answer));
		if (!cert && verdict->depth == 0 && answer->chain->count)
			cert = certificate(&answer->chain->certs[0]);
		printf(", certificate %d", verdict->depth);
		if (cert)
			printf(": %s", subject_of(cert));
		json_decref(cert);
	}
	printf(": %s\n", verdict->rule ? verdict->rule->text : "?");
}

static void print_path(json_t *path, size_t number)
{
	json_t *certs = json_object_get(path, "certificates"), *cert, *anchor;
	long long depth = kt_number(path, "depth");
	bool accepted = !strcmp(kt_text(path, "verdict"), kt_verdict_name(KT_ACCEPTED));
	size_t i;

	printf("path %zu: %s", number, kt_text(path, "verdict"));
	if (!accepted && depth >= 0)
		printf(", certificate %lld", depth);
	if (!accepted)
		printf(": %s", kt_text(path, "why"));
	if (strcmp(kt_text(path, "source"), "-"))
		printf(" (%s)", kt_text(path, "source"));
	putchar('\n');
	json_array_foreach (certs, i, cert) {
		printf("  %zu  %s, until %.10s\n", i, subject_of(cert), kt_text(cert, "not_after"));
	}
	anchor = json_object_get(path, "anchor");
	if (json_is_null(anchor)) {
		printf("  -  no anchor\n");
		return;
	}
	printf("  %zu  anchor ", json_array_size(certs));
	print_anchor(anchor);
	putchar('\n');
}

void kt_cli_answer_text(const struct kt_cli_answer *answer, bool with_paths)
{
	json_t *anchor, *path;
	size_t i;

	if (answer->verdict->code == KT_ACCEPTED) {
		anchor = accepting_anchor(answer);
		printf("accepted: by ");
		print_anchor(anchor);
		printf(", depth %d\n", answer->verdict->depth);
		json_decref(anchor);
	} else {
		print_refusal(answer);
	}
	if (!with_paths)
		return;
	json_array_foreach (answer->paths, i, path) {
		print_path(path, i + 1);
	}
}
