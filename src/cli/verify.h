/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the verb `ktrust verify`: words and files become what kt_verify is asked with, what
 * it answers becomes text or JSON.
 *
 * Threads: nothing here is shared; a batch may have several workers, each with structs of its own.
 */
#ifndef KT_CLI_VERIFY_H
#define KT_CLI_VERIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <ktrust/verify.h>

/* ---- Words (verify_words.c) ------------------------------------------------------------------ */

/* 0, or -EINVAL: text is none of it, and ret is untouched. */
KT_WARN_UNUSED int kt_cli_role(const char *text, enum kt_role *ret_role);
KT_WARN_UNUSED int kt_cli_profile(const char *text, enum kt_profile *ret_profile);
KT_WARN_UNUSED int kt_cli_verifier(const char *text, enum kt_verifier_mode *ret_mode);
/* "dns:example.org"; *ret_name points into text. */
KT_WARN_UNUSED int kt_cli_name(const char *text, enum kt_name_type *ret_type,
			       const char **ret_name);
/* Seconds since the epoch, or RFC 3339, of which a fraction is cut off. */
KT_WARN_UNUSED int kt_cli_time(const char *text, int64_t *ret_seconds);
/* Of so many intermediates, 0 and more, the path length for a struct kt_policy: KT_PATH_MAX at
 * most. */
unsigned int kt_cli_path_max(unsigned long long intermediates);

#define KT_CLI_NAMES "dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI"
#define KT_CLI_RULES                                                                               \
	"dns:NAME, dns:*.NAME, uri:URI, uri:spiffe://TD/PATTERN, email:ADDRESS, email:@HOST or "   \
	"subject:TYPE=VALUE"
#define KT_CLI_PROFILES "web or rfc5280"
#define KT_CLI_ROLES	"server or client"
#define KT_CLI_TIMES	"seconds since 1970, or as 2026-01-31T12:00:00Z"

/* ---- Chains (verify_chain.c) ------------------------------------------------------------------
 */

/* Certificates in the order they came in; zeros: none yet. */
struct kt_cli_chain {
	struct kt_der *certs; /* each owned */
	size_t count;
	size_t room;
};

void kt_cli_chain_fini(struct kt_cli_chain *chain);

/*
 * Add the certificates of a text or a file ("-": standard input): PEM as strict as a source's, or
 * DER of one. Whether they are certificates is for kt_verify to say. -ENODATA: there is none;
 * -EKEYREJECTED a private key among them; -EBADMSG, -EOPNOTSUPP, -EFBIG as for sources; errno of
 * reading; -ENOMEM.
 */
KT_WARN_UNUSED int kt_cli_chain_add_pem(struct kt_cli_chain *chain, const char *text, size_t len,
					const char *where, struct kt_error *error);
KT_WARN_UNUSED int kt_cli_chain_read(struct kt_cli_chain *chain, const char *path,
				     struct kt_error *error);

/* ---- Trust (verify_trust.c) --------------------------------------------------------------------
 */

/*
 * Add a source, a bare path as file:. -EINVAL: its roots are for verifying servers, the role is
 * client, and any_purpose is not set; else as kt_anchor_set_add_source. Of CRLs, how old they are
 * is for kt_verify to say.
 */
KT_WARN_UNUSED int kt_cli_trust_add(struct kt_anchor_set *set, const char *source,
				    enum kt_role role, bool any_purpose, struct kt_error *error);

/* The certificates of a file to go through, however many; what cannot be one is told on stderr. */
KT_WARN_UNUSED int kt_cli_trust_intermediates(const char *path, struct kt_snapshot **ret_snapshot,
					      struct kt_error *error);

/* ---- Answers (verify_tell.c) -------------------------------------------------------------------
 */

/* For kt_verify_explain: arg is a JSON array that each attempt is added to. */
void kt_cli_tell_attempt(const struct kt_attempt *attempt, void *arg);

/* Its name, null for NULL; a new reference. */
json_t *kt_cli_rule_json(const struct kt_rule *rule);

struct kt_cli_answer {
	const struct kt_verdict *verdict;
	const struct kt_snapshot *snapshot; /* of the anchors */
	const struct kt_cli_chain *chain;
	json_t *paths; /* what kt_cli_tell_attempt gathered, borrowed; NULL: nobody asked */
};

/* A new reference; NULL: out of memory. */
json_t *kt_cli_answer_json(const struct kt_cli_answer *answer);
/* A line, and with_paths also every path. */
void kt_cli_answer_text(const struct kt_cli_answer *answer, bool with_paths);

/* KT_EXIT_OK accepted, KT_EXIT_NO refused, KT_EXIT_TROUBLE could not decide. */
int kt_cli_verdict_status(enum kt_verdict_code code);

/* ---- Batches -----------------------------------------------------------------------------------
 */

struct kt_cli_batch {
	const char *path; /* "-": standard input */
	unsigned int threads;
	enum kt_verifier_mode mode;
	bool explain;
	bool any_purpose;
};

/* The exit status; errors were told (verify_batch.c). */
int kt_cli_verify_batch(const struct kt_cli_batch *batch);

/* What one thread keeps from case to case. */
struct kt_cli_judge;

enum kt_cli_outcome {
	KT_CLI_CASE_ACCEPTED,
	KT_CLI_CASE_REFUSED,
	KT_CLI_CASE_UNDECIDED, /* the case has no sense, or KT_INTERNAL */
};

struct kt_cli_case_result {
	enum kt_cli_outcome outcome;
	bool unexpected;       /* decided, but not as the case expects */
	json_t *answer;	       /* the caller's; NULL: out of memory */
	struct kt_error error; /* err 0: none */
};

/* NULL: out of memory. batch is borrowed. kt_cli_judge_free accepts NULL (verify_case.c). */
struct kt_cli_judge *kt_cli_judge_new(const struct kt_cli_batch *batch);
void kt_cli_judge_free(struct kt_cli_judge *judge);

/* One line of a batch; where and number go into errors. */
void kt_cli_judge_line(struct kt_cli_judge *judge, const char *line, size_t len, const char *where,
		       unsigned int number, struct kt_cli_case_result *ret_result);

#endif
