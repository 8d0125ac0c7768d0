/* SPDX-License-Identifier: BSD-2-Clause */
/* What a certdata.txt says of each certificate: its objects joined, and the verdict. */
#include <ktrust/nss.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "nss_object.h"

#define WORD_SHOWN 64 /* bytes of a word of the file in a reason */

/* A certificate with all that was found about it. */
struct verdict {
	const struct kt_nss_object *certificate;
	const struct kt_nss_object *trust;
	int64_t distrust_after;
	struct kt_nss_span unknown;
	bool unknown_value;
};

struct parse {
	struct kt_nss_text text;
	struct kt_nss_objects objects;
	const struct kt_nss_object **sorted; /* by what they are about */
	struct verdict *verdicts;	     /* in the order of the file */
	struct kt_nss_counts counts;
	struct kt_digest digest;
};

static const char *const trust_names[] = {
	[KT_NSS_TRUSTED] = "trusted",
	[KT_NSS_NOT_FOR_SERVERS] = "not_for_servers",
	[KT_NSS_DISTRUSTED] = "distrusted",
	[KT_NSS_UNKNOWN_CONSTRAINT] = "unknown_constraint",
};

const char *kt_nss_trust_name(enum kt_nss_trust trust)
{
	return (size_t)trust < sizeof trust_names / sizeof trust_names[0] ? trust_names[trust]
									  : "unknown";
}

/* ---- Joining ------------------------------------------------------------------------------- */

static int compare_views(struct kt_der_view a, struct kt_der_view b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.data, b.data, a.len);
}

static int compare_subjects(const struct kt_nss_object *a, const struct kt_nss_object *b)
{
	int order = compare_views(a->serial, b->serial);

	return order ? order : compare_views(a->issuer, b->issuer);
}

/* Objects about one certificate come together: certificates first, then in the order of the file.
 */
static int compare_objects(const void *a, const void *b)
{
	const struct kt_nss_object *x = *(const struct kt_nss_object *const *)a;
	const struct kt_nss_object *y = *(const struct kt_nss_object *const *)b;
	int order = compare_subjects(x, y);

	if (order)
		return order;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void add_limits(struct verdict *verdict, const struct kt_nss_object *object)
{
	if (object->distrust_after < verdict->distrust_after)
		verdict->distrust_after = object->distrust_after;
	if (object->unknown.len > 0) {
		verdict->unknown = object->unknown;
		verdict->unknown_value = object->unknown_value;
	}
}

static int add_object(struct verdict *verdict, const struct kt_nss_object *object,
		      const char *where, struct kt_error *error)
{
	add_limits(verdict, object);
	if (object->class == KT_NSS_CERTIFICATE &&
	    !kt_der_equal(object->value, verdict->certificate->value))
		return kt_error_set(error, EBADMSG, where, object->line,
				    "another certificate with issuer and serial number of the one "
				    "in line %u",
				    verdict->certificate->line);
	if (object->class != KT_NSS_TRUST)
		return 0;
	if (verdict->trust)
		return kt_error_set(error, EBADMSG, where, object->line,
				    "a second trust object for the certificate in line %u",
				    verdict->certificate->line);
	verdict->trust = object;
	return 0;
}

/* The objects about one certificate, from first to before end. */
static int join_group(struct parse *parse, const struct kt_nss_object **first,
		      const struct kt_nss_object **end, struct kt_error *error)
{
	const struct kt_nss_object *head = *first;
	struct verdict *verdict;
	int ret;

	if (head->class != KT_NSS_CERTIFICATE) {
		for (; first < end; first++)
			parse->counts.trust_without_certificate += (*first)->class == KT_NSS_TRUST;
		return 0;
	}
	/* Kept at the certificate's place in the file; places of other objects stay empty. */
	verdict = &parse->verdicts[head - parse->objects.list];
	*verdict = (struct verdict){.certificate = head, .distrust_after = KT_DISTRUST_NEVER};
	for (; first < end; first++) {
		ret = add_object(verdict, *first, parse->text.where, error);
		if (ret)
			return ret;
	}
	parse->counts.certificates++;
	if (!verdict->trust)
		return kt_error_set(error, EBADMSG, parse->text.where, head->line,
				    "a certificate without trust object (the file has lost it: "
				    "fetch it again)");
	return 0;
}

static int join(struct parse *parse, struct kt_error *error)
{
	size_t count = parse->objects.count, end;
	int ret;

	for (size_t i = 0; i < count; i++)
		parse->sorted[i] = &parse->objects.list[i];
	qsort(parse->sorted, count, sizeof parse->sorted[0], compare_objects);
	for (size_t first = 0; first < count; first = end) {
		for (end = first + 1; end < count; end++)
			if (compare_subjects(parse->sorted[first], parse->sorted[end]))
				break;
		ret = join_group(parse, &parse->sorted[first], &parse->sorted[end], error);
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- Verdicts ------------------------------------------------------------------------------ */

static bool is_known_trust(struct kt_nss_span trust)
{
	static const char *const others[] = {"CKT_NSS_MUST_VERIFY_TRUST", "CKT_NSS_TRUST_UNKNOWN",
					     "CKT_NSS_VALID_DELEGATOR", "CKT_NSS_TRUSTED"};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (kt_nss_span_is(trust, others[i]))
			return true;
	return false;
}

static void say(char *reason, size_t size, struct kt_nss_span word, const char *what)
{
	int shown = word.len < WORD_SHOWN ? (int)word.len : WORD_SHOWN;

	snprintf(reason, size, "%.*s%s", shown, word.text, what);
}

static enum kt_nss_trust judge(const struct verdict *verdict, char *reason, size_t size)
{
	struct kt_nss_span trust = verdict->trust->trust;

	reason[0] = '\0';
	if (kt_nss_span_is(trust, "CKT_NSS_NOT_TRUSTED"))
		return KT_NSS_DISTRUSTED;
	if (!kt_nss_span_is(trust, "CKT_NSS_TRUSTED_DELEGATOR")) {
		if (!is_known_trust(trust))
			say(reason, size, trust, " is not known here");
		return KT_NSS_NOT_FOR_SERVERS;
	}
	if (verdict->unknown.len == 0)
		return KT_NSS_TRUSTED;
	say(reason, size, verdict->unknown,
	    verdict->unknown_value ? " has a value that is not understood" : " is not known here");
	return KT_NSS_UNKNOWN_CONSTRAINT;
}

struct report {
	struct kt_nss_root root;
	uint8_t fingerprint[KT_DIGEST_LEN];
	char reason[128];
};

static int fill_report(struct parse *parse, const struct verdict *verdict, struct report *report,
		       struct kt_error *error)
{
	const struct kt_nss_object *certificate = verdict->certificate;
	struct kt_nss_root *root = &report->root;
	int ret = kt_digest_of(&parse->digest, &certificate->value, 1, report->fingerprint);

	if (ret)
		return kt_error_set(error, -ret, parse->text.where, certificate->line,
				    "SHA-256 failed");
	*root = (struct kt_nss_root){
		.der = certificate->value.data,
		.der_len = certificate->value.len,
		.subject = certificate->subject.data,
		.subject_len = certificate->subject.len,
		.fingerprint = report->fingerprint,
		.label = certificate->label,
		.line = certificate->line,
		.trust = judge(verdict, report->reason, sizeof report->reason),
		.reason = report->reason,
		.constraints = {.distrust_after = verdict->distrust_after,
				.permitted_dns = kt_nss_imposed_names(report->fingerprint)},
	};
	if (root->trust == KT_NSS_TRUSTED)
		root->constraints.purposes = KT_PURPOSE_SERVER;
	return 0;
}

static void count(struct kt_nss_counts *counts, const struct kt_nss_root *root)
{
	if (root->trust != KT_NSS_TRUSTED)
		return;
	counts->trusted++;
	counts->constrained += root->constraints.distrust_after != KT_DISTRUST_NEVER ||
			       root->constraints.permitted_dns != NULL;
}

/* Each certificate goes to fn, or is counted when there is none. */
static int each(struct parse *parse, int (*fn)(const struct kt_nss_root *root, void *arg),
		void *arg, struct kt_error *error)
{
	struct report report;
	int ret;

	for (size_t i = 0; i < parse->objects.count; i++) {
		if (!parse->verdicts[i].certificate)
			continue;
		ret = fill_report(parse, &parse->verdicts[i], &report, error);
		if (ret)
			return ret;
		if (!fn)
			count(&parse->counts, &report.root);
		ret = fn ? fn(&report.root, arg) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int read_and_join(struct parse *parse, struct kt_error *error)
{
	int ret = kt_nss_objects_read(&parse->objects, &parse->text, error);
	size_t room = parse->objects.count ? parse->objects.count : 1;

	if (ret)
		return ret;
	parse->sorted = calloc(room, sizeof parse->sorted[0]);
	parse->verdicts = calloc(room, sizeof parse->verdicts[0]);
	if (!parse->sorted || !parse->verdicts)
		return kt_error_set(error, ENOMEM, parse->text.where, 0, "out of memory");
	ret = join(parse, error);
	if (ret)
		return ret;
	if (parse->counts.certificates == 0)
		return kt_error_set(error, ENODATA, parse->text.where, 0,
				    "no certificate in it (expected: Mozilla's certdata.txt, with "
				    "BEGINDATA and objects behind it)");
	return each(parse, NULL, NULL, error);
}

int kt_nss_parse(const char *text, size_t len, const char *where,
		 int (*fn)(const struct kt_nss_root *root, void *arg), void *arg,
		 struct kt_nss_counts *ret_counts, struct kt_error *error)
{
	struct parse parse = {0};
	int ret;

	if (len > KT_NSS_TEXT_MAX)
		return kt_error_set(error, EFBIG, where, 0,
				    "the text has more than %lu bytes (is it the right one?)",
				    KT_NSS_TEXT_MAX);
	ret = kt_digest_init(&parse.digest);
	if (!ret)
		ret = kt_nss_text_init(&parse.text, text, len, where);
	if (ret) {
		kt_error_set(error, -ret, where, 0, "%s", strerror(-ret));
		goto free_all;
	}
	ret = read_and_join(&parse, error);
	if (!ret && fn)
		ret = each(&parse, fn, arg, error);
	if (!ret && ret_counts)
		*ret_counts = parse.counts;
free_all:
	free(parse.verdicts);
	free(parse.sorted);
	kt_nss_objects_free(&parse.objects);
	kt_nss_text_fini(&parse.text);
	kt_digest_fini(&parse.digest);
	return ret;
}
