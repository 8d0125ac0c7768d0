/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One case of a batch: a JSON object in, a JSON object out. What was built of the anchors of the
 * case before is used again where they are the same.
 */
#include "verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ktrust/source.h>

#include "../control/control.h"
#include "../pool/pem.h"
#include "cli.h"

/* What a snapshot was made of; NULL: the case before had none of it. */
struct made_of {
	json_t *certificates; /* array of PEM */
	json_t *sources;
	json_t *crls;
	enum kt_role role; /* of sources */
};

struct built {
	struct made_of of;
	struct kt_snapshot *snapshot;
	size_t skipped; /* certificates that are none, of intermediates */
};

struct kt_cli_judge {
	const struct kt_cli_batch *batch;
	struct kt_verifier *verifier;
	struct built anchors;
	struct built intermediates;
};

/* A case as it is written; everything is borrowed from its JSON, NULL where it is absent. */
struct told {
	const char *id;
	json_t *anchors;
	json_t *sources;
	json_t *intermediates;
	json_t *crls;
	json_t *chain;
	const char *role;
	const char *name;
	json_t *allow;
	json_t *time;
	json_t *max_depth;
	const char *profile;
	const char *expected;
};

/* Where a case is, for errors. */
struct place {
	const char *where;
	unsigned int line;
};

struct kt_cli_judge *kt_cli_judge_new(const struct kt_cli_batch *batch)
{
	const struct kt_verifier_options options = {.mode = batch->mode};
	struct kt_cli_judge *judge = calloc(1, sizeof *judge);

	if (!judge)
		return NULL;
	judge->batch = batch;
	judge->verifier = kt_verifier_new(&options);
	if (judge->verifier)
		return judge;
	free(judge);
	return NULL;
}

static void forget(struct built *built)
{
	kt_snapshot_free(built->snapshot);
	json_decref(built->of.certificates);
	json_decref(built->of.sources);
	json_decref(built->of.crls);
	*built = (struct built){0};
}

void kt_cli_judge_free(struct kt_cli_judge *judge)
{
	if (!judge)
		return;
	forget(&judge->anchors);
	forget(&judge->intermediates);
	kt_verifier_free(judge->verifier);
	free(judge);
}

/* ---- Building -------------------------------------------------------------------------------- */

static bool same(const json_t *a, const json_t *b)
{
	return a == b || (a && b && json_equal(a, b));
}

static bool is_made_of(const struct built *built, const struct made_of *of)
{
	return built->snapshot && same(built->of.certificates, of->certificates) &&
	       same(built->of.sources, of->sources) && same(built->of.crls, of->crls) &&
	       (!of->sources || built->of.role == of->role);
}

static void keep(struct built *built, const struct made_of *of, struct kt_snapshot *snapshot,
		 size_t skipped)
{
	*built = (struct built){*of, snapshot, skipped};
	json_incref(of->certificates);
	json_incref(of->sources);
	json_incref(of->crls);
}

/* "FILE:LINE: sources[2]: PATH:LINE: …" */
static int in_member(const char *member, size_t index, const struct place *place,
		     struct kt_error *error)
{
	char inner[sizeof error->where + sizeof error->text];

	return kt_error_set(error, error->err, place->where, place->line, "%s[%zu]: %s", member,
			    index, kt_error_format(error, inner, sizeof inner));
}

static int add_certificate(struct kt_anchor_set *set, const char *pem, size_t len,
			   struct kt_error *error)
{
	return kt_anchor_set_add_pem(set, pem, len, "", error);
}

static int add_crl(struct kt_anchor_set *set, const char *text, size_t len, struct kt_error *error)
{
	struct kt_pem *pem = kt_pem_new(text, len, "", KT_PEM_CRL);
	struct kt_pem_block block;
	size_t found = 0;
	int ret;

	if (!pem)
		return kt_error_set(error, ENOMEM, "", 0, "out of memory");
	while ((ret = kt_pem_next(pem, &block, error)) > 0) {
		ret = kt_anchor_set_add_crl(set, block.der, block.der_len, "", block.line, error);
		if (ret)
			break;
		found++;
	}
	kt_pem_free(pem);
	if (ret == 0 && !found)
		return kt_error_set(error, ENODATA, "", 0, "no CRL in it");
	return ret;
}

/* Each string of an array, NULL being an empty one. skipped NULL: nothing may be skipped. */
static int add_each(struct kt_anchor_set *set, json_t *texts, const char *member,
		    int (*add)(struct kt_anchor_set *set, const char *text, size_t len,
			       struct kt_error *error),
		    const struct place *place, size_t *skipped, struct kt_error *error)
{
	json_t *text;
	size_t i;
	int ret;

	json_array_foreach (texts, i, text) {
		ret = add(set, json_string_value(text), json_string_length(text), error);
		if ((ret == -EBADMSG || ret == -EFBIG) && skipped)
			(*skipped)++;
		else if (ret)
			return in_member(member, i, place, error);
	}
	return 0;
}

static int add_sources(struct kt_anchor_set *set, const struct made_of *of, bool any_purpose,
		       const struct place *place, struct kt_error *error)
{
	json_t *source;
	size_t i;

	json_array_foreach (of->sources, i, source) {
		if (kt_cli_trust_add(set, json_string_value(source), of->role, any_purpose, error))
			return in_member("sources", i, place, error);
	}
	return 0;
}

static int out_of_memory(const struct place *place, struct kt_error *error)
{
	return kt_error_set(error, ENOMEM, place->where, place->line, "out of memory");
}

/* Of no anchors at all no snapshot is made: the verdict is KT_NO_ANCHORS. */
static int build_anchors(struct kt_cli_judge *judge, const struct made_of *of,
			 const struct place *place, struct kt_error *error)
{
	struct kt_anchor_set *set;
	struct kt_snapshot *snapshot = NULL;
	int ret;

	if (is_made_of(&judge->anchors, of))
		return 0;
	forget(&judge->anchors);
	set = kt_anchor_set_new();
	if (!set)
		return out_of_memory(place, error);
	ret = add_each(set, of->certificates, "anchors", add_certificate, place, NULL, error);
	if (ret == 0)
		ret = add_sources(set, of, judge->batch->any_purpose, place, error);
	if (ret == 0)
		ret = add_each(set, of->crls, "crls", add_crl, place, NULL, error);
	if (ret == 0 && kt_anchor_set_count(set))
		ret = kt_snapshot_build(set, "case", "", 1, &snapshot, error);
	if (ret == 0)
		keep(&judge->anchors, of, snapshot, 0);
	kt_anchor_set_free(set);
	return ret;
}

/* No trust comes from them: what is no certificate is counted, and leads nowhere. */
static int build_intermediates(struct kt_cli_judge *judge, json_t *intermediates,
			       const struct place *place, struct kt_error *error)
{
	const struct made_of of = {.certificates = intermediates};
	struct kt_anchor_set *set;
	struct kt_snapshot *snapshot = NULL;
	size_t skipped = 0;
	int ret;

	if (is_made_of(&judge->intermediates, &of))
		return 0;
	forget(&judge->intermediates);
	set = kt_anchor_set_new();
	if (!set)
		return out_of_memory(place, error);
	ret = add_each(set, intermediates, "intermediates", add_certificate, place, &skipped,
		       error);
	if (ret == 0 && kt_anchor_set_count(set))
		ret = kt_snapshot_build(set, "case", "", 1, &snapshot, error);
	if (ret == 0)
		keep(&judge->intermediates, &of, snapshot, skipped);
	kt_anchor_set_free(set);
	return ret;
}

static int read_chain(json_t *texts, struct kt_cli_chain *chain, const struct place *place,
		      struct kt_error *error)
{
	json_t *text;
	size_t i;

	json_array_foreach (texts, i, text) {
		if (kt_cli_chain_add_pem(chain, json_string_value(text), json_string_length(text),
					 "", error))
			return in_member("chain", i, place, error);
	}
	return 0;
}

/* Their number was looked at. */
static int build_allow(json_t *texts, struct kt_allow **ret_allow, const struct place *place,
		       struct kt_error *error)
{
	char inner[sizeof error->where + sizeof error->text];
	const char *rules[KT_ALLOW_RULES_MAX];
	json_t *text;
	size_t i;
	int ret;

	json_array_foreach (texts, i, text) {
		rules[i] = json_string_value(text);
	}
	ret = kt_allow_new(rules, json_array_size(texts), ret_allow, error);
	if (ret == 0)
		return 0;
	return kt_error_set(error, -ret, place->where, place->line, "allow: %s",
			    kt_error_format(error, inner, sizeof inner));
}

/* ---- Reading a case -------------------------------------------------------------------------- */

static int refuse(const struct place *place, const char *member, const char *expected,
		  struct kt_error *error)
{
	return kt_error_set(error, EINVAL, place->where, place->line, "%s: %s is expected", member,
			    expected);
}

/* null is as good as nothing. */
static void drop_nulls(json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe (object, next, key, value) {
		if (json_is_null(value))
			json_object_del(object, key);
	}
}

static int unpack(json_t *object, struct told *told, const struct place *place,
		  struct kt_error *error)
{
	json_error_t wrong;

	drop_nulls(object);
	/* Strictly: of a member that is not known, something was expected. */
	if (json_unpack_ex(object, &wrong, JSON_STRICT,
			   "{s?s, s?o, s?o, s?o, s?o, s?o, s?s, s?s, s?o, s?o, s?o, s?s, s?s}",
			   "id", &told->id, "anchors", &told->anchors, "sources", &told->sources,
			   "intermediates", &told->intermediates, "crls", &told->crls, "chain",
			   &told->chain, "role", &told->role, "name", &told->name, "allow",
			   &told->allow, "time", &told->time, "max_depth", &told->max_depth,
			   "profile", &told->profile, "expected", &told->expected))
		return kt_error_set(error, EINVAL, place->where, place->line, "not a case: %s",
				    wrong.text);
	return 0;
}

static bool are_texts(json_t *array)
{
	json_t *text;
	size_t i;

	json_array_foreach (array, i, text) {
		if (!json_is_string(text))
			return false;
	}
	return !array || json_is_array(array);
}

static int check_arrays(const struct told *told, const struct place *place, struct kt_error *error)
{
	const struct {
		const char *name;
		json_t *array;
	} members[] = {
		{"anchors", told->anchors}, {"sources", told->sources},
		{"crls", told->crls},	    {"intermediates", told->intermediates},
		{"chain", told->chain},	    {"allow", told->allow},
	};

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (!are_texts(members[i].array))
			return refuse(place, members[i].name, "an array of strings", error);
	if (told->allow &&
	    (!json_array_size(told->allow) || json_array_size(told->allow) > KT_ALLOW_RULES_MAX))
		return refuse(place, "allow", "an array of 1 to 256 rules", error);
	if (!told->anchors && !told->sources)
		return refuse(place, "anchors", "this or sources", error);
	if (!told->chain)
		return refuse(place, "chain", "an array of PEM, the peer's own first,", error);
	return 0;
}

static int read_time(json_t *value, int64_t *ret_seconds)
{
	if (!value) {
		*ret_seconds = time(NULL);
		return 0;
	}
	if (json_is_string(value))
		return kt_cli_time(json_string_value(value), ret_seconds);
	if (!json_is_integer(value))
		return -EINVAL;
	*ret_seconds = json_integer_value(value);
	return 0;
}

static int read_query(const struct told *told, struct kt_query *query, const struct place *place,
		      struct kt_error *error)
{
	if (!told->role || kt_cli_role(told->role, &query->role))
		return refuse(place, "role", KT_CLI_ROLES, error);
	if (told->name && kt_cli_name(told->name, &query->name_type, &query->name))
		return refuse(place, "name", KT_CLI_NAMES, error);
	if (told->profile && kt_cli_profile(told->profile, &query->policy.profile))
		return refuse(place, "profile", KT_CLI_PROFILES, error);
	if (read_time(told->time, &query->time))
		return refuse(place, "time", KT_CLI_TIMES, error);
	if (!told->max_depth)
		return 0;
	if (!json_is_integer(told->max_depth) || json_integer_value(told->max_depth) < 0)
		return refuse(place, "max_depth", "a number from 0", error);
	query->policy.path_max =
		kt_cli_path_max((unsigned long long)json_integer_value(told->max_depth));
	return 0;
}

static bool is_expectation(const char *text)
{
	if (!strcmp(text, "refused"))
		return true;
	for (int code = 0; code < KT_VERDICT_COUNT; code++)
		if (!strcmp(text, kt_verdict_name((enum kt_verdict_code)code)))
			return true;
	return false;
}

static int check_case(const struct told *told, struct kt_query *query, const struct place *place,
		      struct kt_error *error)
{
	int ret = check_arrays(told, place, error);

	if (ret == 0)
		ret = read_query(told, query, place, error);
	if (ret == 0 && told->expected && !is_expectation(told->expected))
		ret = refuse(place, "expected", "accepted, refused or the name of a verdict",
			     error);
	return ret;
}

/* ---- Judging --------------------------------------------------------------------------------- */

static bool is_as_expected(enum kt_verdict_code code, const char *expected)
{
	if (!strcmp(expected, "refused"))
		return code != KT_ACCEPTED && code != KT_INTERNAL;
	return !strcmp(expected, kt_verdict_name(code));
}

static enum kt_cli_outcome outcome_of(enum kt_verdict_code code)
{
	if (code == KT_INTERNAL)
		return KT_CLI_CASE_UNDECIDED;
	return code == KT_ACCEPTED ? KT_CLI_CASE_ACCEPTED : KT_CLI_CASE_REFUSED;
}

static json_t *answer(const struct kt_cli_judge *judge, const struct told *told,
		      const struct kt_verdict *verdict, json_t *paths, bool as_expected)
{
	json_t *object =
		json_pack("{s:s?, s:s, s:o, s:i, s:I, s:o}", "id", told->id, "verdict",
			  kt_verdict_name(verdict->code), "rule", kt_cli_rule_json(verdict->rule),
			  "depth", verdict->depth, "duration_ns", (json_int_t)verdict->duration_ns,
			  "as_expected", told->expected ? json_boolean(as_expected) : json_null());

	if (object && judge->intermediates.skipped)
		json_object_set_new(object, "skipped_intermediates",
				    json_integer((json_int_t)judge->intermediates.skipped));
	if (object && paths)
		json_object_set(object, "paths", paths);
	return object;
}

static void decide(struct kt_cli_judge *judge, const struct told *told,
		   const struct kt_query *query, const struct kt_cli_chain *certs,
		   struct kt_cli_case_result *result)
{
	const struct kt_chain chain = {certs->certs, certs->count};
	json_t *paths = judge->batch->explain ? json_array() : NULL;
	struct kt_verdict verdict;
	bool as_expected;

	if (paths)
		kt_verify_explain(judge->verifier, judge->anchors.snapshot, &chain, query,
				  kt_cli_tell_attempt, paths, &verdict);
	else
		kt_verify(judge->verifier, judge->anchors.snapshot, &chain, query, &verdict);
	as_expected = !told->expected || is_as_expected(verdict.code, told->expected);
	result->outcome = outcome_of(verdict.code);
	result->unexpected = !as_expected && result->outcome != KT_CLI_CASE_UNDECIDED;
	result->answer = answer(judge, told, &verdict, paths, as_expected);
	json_decref(paths);
}

static int judge_case(struct kt_cli_judge *judge, const struct told *told,
		      const struct place *place, struct kt_cli_case_result *result)
{
	struct kt_query query = {0};
	struct kt_cli_chain chain = {0};
	struct made_of anchors = {told->anchors, told->sources, told->crls, KT_ROLE_SERVER};
	struct kt_error *error = &result->error;
	struct kt_allow *allow = NULL;
	int ret = check_case(told, &query, place, error);

	anchors.role = query.role;
	if (ret == 0)
		ret = build_anchors(judge, &anchors, place, error);
	if (ret == 0)
		ret = build_intermediates(judge, told->intermediates, place, error);
	if (ret == 0)
		ret = read_chain(told->chain, &chain, place, error);
	if (ret == 0 && told->allow)
		ret = build_allow(told->allow, &allow, place, error);
	if (ret == 0) {
		query.intermediates = judge->intermediates.snapshot;
		query.allow = allow;
		decide(judge, told, &query, &chain, result);
	}
	kt_allow_free(allow);
	kt_cli_chain_fini(&chain);
	return ret;
}

void kt_cli_judge_line(struct kt_cli_judge *judge, const char *line, size_t len, const char *where,
		       unsigned int number, struct kt_cli_case_result *ret_result)
{
	struct kt_cli_case_result result = {.outcome = KT_CLI_CASE_UNDECIDED};
	const struct place place = {where, number};
	struct told told = {0};
	json_error_t wrong;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &wrong);

	if (!object)
		kt_error_set(&result.error, EBADMSG, where, number, "not JSON: %s", wrong.text);
	else if (!unpack(object, &told, &place, &result.error) &&
		 !judge_case(judge, &told, &place, &result))
		result.error.err = 0; /* there may be one of a certificate that was skipped */
	if (result.error.err)
		result.answer = json_pack("{s:s?, s:o}", "id", told.id, "error",
					  kt_json_text(result.error.text));
	*ret_result = result;
	json_decref(object);
}
