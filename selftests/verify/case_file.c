/* SPDX-License-Identifier: BSD-2-Clause */
#include "case_file.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIFFERENCES "openssl.list"

static struct case_difference *differences;

#define PATH_LEN 64

/* "DIRECTORY/NAME". Tests run in the tree's root, or in its selftests (run_tests.sh). */
static void path_of(const char *name, char ret_path[static PATH_LEN])
{
	bool in_root = !access("selftests/verify/cases", F_OK);

	snprintf(ret_path, PATH_LEN, "%sverify/cases/%s", in_root ? "selftests/" : "", name);
}

/* ---- Differences ----------------------------------------------------------------------------- */

static struct case_difference *find_difference(const char *kind)
{
	struct case_difference *difference = differences;

	while (difference && strcmp(difference->kind, kind))
		difference = difference->next;
	return difference;
}

static enum case_openssl openssl_of(const struct case_statement *statement)
{
	static const char *const words[] = {[OPENSSL_ACCEPTS] = "accepts",
					    [OPENSSL_REFUSES] = "refuses",
					    [OPENSSL_DEPENDS] = "depends"};

	for (int i = OPENSSL_ACCEPTS; i <= OPENSSL_DEPENDS; i++)
		if (!strcmp(statement->words[0], words[i]))
			return (enum case_openssl)i;
	case_fail(statement, "neither accepts, refuses nor depends", statement->words[0]);
}

static void take_difference(const struct case_statement *statement, void *arg)
{
	struct case_difference *difference = calloc(1, sizeof *difference);

	(void)arg;
	if (!difference || statement->count < 5)
		case_fail(statement, "a difference without explanation", statement->words[0]);
	difference->openssl = openssl_of(statement);
	difference->kind = statement->words[1];
	if (find_difference(difference->kind))
		case_fail(statement, "explained before", difference->kind);
	difference->next = differences;
	differences = difference;
}

const struct case_difference *case_differences(void)
{
	return differences;
}

/* ---- A case ---------------------------------------------------------------------------------- */

/* A file, which is kept for what its names are of. */
struct reading {
	char path[PATH_LEN];
	struct case_pki pki;
	const char *theme; /* while it is read */
	size_t theme_len;
	struct verify_case **end;
	struct reading *next;
};

/* A case's words under way. */
struct words {
	const struct case_statement *statement;
	const struct case_pki *pki;
	size_t at;
};

static const char *next(struct words *words)
{
	if (words->at == words->statement->count)
		case_fail(words->statement, "it ends too early, after",
			  words->statement->words[words->at - 1]);
	return words->statement->words[words->at++];
}

static void add(const struct words *words, const char *name, struct case_thing **things, size_t max,
		size_t *count)
{
	if (*count == max)
		case_fail(words->statement, "too many of these", name);
	things[(*count)++] = case_find(words->pki, words->statement, name);
}

static void read_sent(struct words *words, struct verify_case *made)
{
	const char *word;

	while (strcmp(word = next(words), "<"))
		if (strcmp(word, "-"))
			add(words, word, made->sent, CASE_SENT_MAX, &made->sent_count);
}

static enum kt_name_type type_of(const char **name)
{
	static const char *const types[] = {[KT_NAME_DNS] = "dns:",
					    [KT_NAME_IP] = "ip:",
					    [KT_NAME_EMAIL] = "email:",
					    [KT_NAME_URI] = "uri:"};

	for (int i = KT_NAME_DNS; i <= KT_NAME_URI; i++) {
		size_t len = strlen(types[i]);

		if (!strncmp(*name, types[i], len)) {
			*name += len;
			return (enum kt_name_type)i;
		}
	}
	return KT_NAME_DNS;
}

static bool read_role(const char *word, struct kt_query *query)
{
	static const char *const roles[] = {
		[KT_ROLE_CLIENT] = "client", [KT_ROLE_SERVER] = "server"};

	for (int i = KT_ROLE_CLIENT; i <= KT_ROLE_SERVER; i++) {
		query->name = case_value(word, roles[i]);
		if (!query->name && strcmp(word, roles[i]))
			continue;
		query->role = (enum kt_role)i;
		if (query->name)
			query->name_type = type_of(&query->name);
		return true;
	}
	return false;
}

static bool read_policy(const struct words *words, const char *word, struct kt_policy *policy)
{
	if (!strcmp(word, "profile=web"))
		policy->profile = KT_PROFILE_WEB;
	else if (!strcmp(word, "profile=rfc5280"))
		policy->profile = KT_PROFILE_RFC5280;
	else if (case_value(word, "path_max"))
		policy->path_max =
			(unsigned int)case_number(words->statement, case_value(word, "path_max"));
	else
		return false;
	return true;
}

static bool read_option(const struct words *words, const char *word, struct verify_case *made)
{
	const char *value;

	if ((value = case_value(word, "at")))
		made->query.time = pki_now() + case_seconds(words->statement, value);
	else if ((value = case_value(word, "known")))
		add(words, value, made->known, CASE_KNOWN_MAX, &made->known_count);
	else if ((value = case_value(word, "crl")))
		add(words, value, made->crls, CASE_CRLS_MAX, &made->crl_count);
	else if (!strcmp(word, "stale=warn"))
		made->crl_policy = KT_CRL_WARN;
	else
		return false;
	return true;
}

/* Anchors and options, up to the arrow. */
static void read_question(struct words *words, struct verify_case *made)
{
	struct kt_query asked;
	const char *word;

	while (strcmp(word = next(words), "=>")) {
		asked = made->query;
		if (read_role(word, &asked))
			made->query = asked;
		else if (!strcmp(word, "-"))
			made->no_pool = true;
		else if (!read_option(words, word, made) &&
			 !read_policy(words, word, &made->query.policy))
			add(words, word, made->anchors, CASE_ANCHORS_MAX, &made->anchor_count);
	}
	if (!made->anchor_count != made->no_pool)
		case_fail(words->statement, "anchors, or none", made->title);
}

static const struct kt_rule *rule_of(const struct case_statement *statement, const char *name)
{
	const struct kt_rule *rule;

	for (size_t i = 0; (rule = kt_rule_at(i)); i++)
		if (!strcmp(rule->name, name))
			return rule;
	case_fail(statement, "no rule has this name", name);
}

/* "CODE@DEPTH" */
static void read_both(const struct case_statement *statement, const char *value,
		      struct verify_case *made)
{
	size_t len = strcspn(value, "@");

	if (!value[len])
		case_fail(statement, "no depth", value);
	made->both_refuses = true;
	made->both_depth = (int)case_number(statement, value + len + 1);
	for (made->both_code = KT_ACCEPTED; made->both_code < KT_VERDICT_COUNT; made->both_code++) {
		const char *name = kt_verdict_name(made->both_code);

		if (!strncmp(name, value, len) && !name[len])
			return;
	}
	case_fail(statement, "no verdict", value);
}

static const struct case_difference *meet_difference(const struct case_statement *statement,
						     const char *kind)
{
	struct case_difference *difference = find_difference(kind);

	if (!difference)
		case_fail(statement, "not explained in " DIFFERENCES, kind);
	difference->cases++;
	return difference;
}

static void read_answer(struct words *words, struct verify_case *made)
{
	const struct case_statement *statement = words->statement;
	const char *verdict = next(words), *value;

	if (strcmp(verdict, "accepted"))
		made->rule = rule_of(statement, verdict);
	else
		made->by = made->anchors[0];
	made->depth = (int)case_number(statement, next(words));
	while (words->at < statement->count) {
		const char *word = next(words);

		if ((value = case_value(word, "by")))
			made->by = case_find(words->pki, statement, value);
		else if ((value = case_value(word, "both")))
			read_both(statement, value, made);
		else if ((value = case_value(word, "openssl")))
			made->difference = meet_difference(statement, value);
		else
			case_fail(statement, "nothing that an answer has", word);
	}
}

static const char *title_of(const struct reading *reading, const struct case_statement *statement)
{
	char *title;

	if (statement->count < 2 || asprintf(&title, "%.*s.%s", (int)reading->theme_len,
					     reading->theme, statement->words[1]) < 0)
		case_fail(statement, "a name is missing", statement->words[0]);
	return title;
}

static void take_case(struct reading *reading, const struct case_statement *statement)
{
	struct verify_case *made = calloc(1, sizeof *made);
	struct words words = {statement, &reading->pki, 2};

	if (!made)
		case_fail(statement, "no memory", statement->words[0]);
	made->title = title_of(reading, statement);
	made->query.time = pki_now();
	read_sent(&words, made);
	read_question(&words, made);
	read_answer(&words, made);
	*reading->end = made;
	reading->end = &made->next;
}

static void take_statement(const struct case_statement *statement, void *arg)
{
	struct reading *reading = arg;

	if (!strcmp(statement->words[0], "case"))
		take_case(reading, statement);
	else if (!case_take(&reading->pki, statement))
		case_fail(statement, "no statement begins like this", statement->words[0]);
}

/* Returns where the next case goes. */
static struct verify_case **read_file(const char *path, struct verify_case **end)
{
	static struct reading *kept;
	struct reading *reading = calloc(1, sizeof *reading);

	if (!reading || strlen(path) >= PATH_LEN)
		abort();
	strcpy(reading->path, path);
	reading->pki.pki = pki_new();
	reading->theme = strrchr(path, '/') + 1;
	reading->theme_len = strcspn(reading->theme, ".");
	reading->end = end;
	reading->next = kept;
	kept = reading;
	case_read_statements(reading->path, take_statement, reading);
	return reading->end;
}

const struct verify_case *case_read_all(void)
{
	static struct verify_case *cases;
	struct verify_case **end = &cases;
	char path[PATH_LEN];
	glob_t files;

	path_of(DIFFERENCES, path);
	case_read_statements(path, take_difference, NULL);
	path_of("*.cases", path);
	if (glob(path, 0, NULL, &files)) {
		fprintf(stderr, "%s: no such files\n", path);
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < files.gl_pathc; i++)
		end = read_file(files.gl_pathv[i], end);
	globfree(&files);
	return cases;
}

static void make_each(struct case_thing *const *things, size_t count)
{
	for (size_t i = 0; i < count; i++)
		case_make(things[i]);
}

void case_make_all(const struct verify_case *asked)
{
	make_each(asked->sent, asked->sent_count);
	make_each(asked->anchors, asked->anchor_count);
	make_each(asked->known, asked->known_count);
	make_each(asked->crls, asked->crl_count);
}
