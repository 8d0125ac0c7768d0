/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing whole decisions: chains that a small program makes (chain_program.h), signed.
 *
 * Of each: a path that our validation accepts OpenSSL's accepts as well, but for is_explained();
 * every signature of an accepted path was made by the key above it; kt_verify_explain comes to the
 * same verdict, and so does a verifier with a cache, however often it is asked, and when it is
 * asked for another name at another time. The cache lives as long as the fuzzer.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../../src/verify/cert.h"
#include "chain_program.h"
#include "foreign.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIMES_ASKED 3 /* a chain is kept the second time it is seen */

static struct kt_verifier *own, *both, *cached;

static void set_up(void)
{
	static const struct kt_verify_cache_options sizes = {.chains = 64, .signatures = 1024};
	struct kt_verifier_options options = {.mode = KT_VERIFIER_OWN};

	if (own)
		return;
	own = kt_verifier_new(&options);
	require(!kt_verify_cache_new(&sizes, &options.cache));
	cached = kt_verifier_new(&options);
	both = kt_verifier_new(NULL);
	require(own && cached && both);
}

/* ---- What was looked at -----------------------------------------------------------------------
 */

/* Those of one kt_verify_explain */
struct story {
	const struct program *program;
	const struct kt_query *query;
	bool differs; /* of one path OpenSSL thought otherwise */
};

/* Of the certificates of a path and its anchor: does one have that? */
static bool any_of(const struct kt_attempt *attempt, int64_t time,
		   bool (*has)(const struct kt_cert *cert, int64_t time))
{
	struct kt_cert cert;

	for (size_t i = 0; i < attempt->count; i++)
		if (!kt_cert_read(attempt->certs[i].data, attempt->certs[i].len, &cert) &&
		    has(&cert, time))
			return true;
	return !kt_cert_read(attempt->anchor->der, attempt->anchor->der_len, &cert) &&
	       has(&cert, time);
}

/* notAfter is the last second of validity (RFC 5280 §4.1.2.5); OpenSSL takes it for past. */
static bool ends_now(const struct kt_cert *cert, int64_t time)
{
	return cert->not_after == time;
}

/* Extensions that must not be critical, and are heeded here all the same. */
static bool has_critical_of_ours(const struct kt_cert *cert, int64_t time)
{
	(void)time;
	return cert->critical & (KT_EXT_SUBJECT_KEY_ID | KT_EXT_AUTHORITY_KEY_ID |
				 KT_EXT_ISSUER_ALT_NAME | KT_EXT_AUTHORITY_INFO);
}

/* A hint for who builds paths (RFC 5280 §4.2.1.1), which OpenSSL makes a condition. */
static bool names_its_issuer(const struct kt_cert *cert, int64_t time)
{
	(void)time;
	return cert->authority_names_issuer;
}

/* Of its own issuer's name, not its key: OpenSSL looks for no issuer where no key is named. */
static bool is_self_issued(const struct kt_cert *cert, int64_t time)
{
	(void)time;
	return cert->self_issued && !cert->authority_key_id.len;
}

static bool says(const struct kt_attempt *attempt, int error)
{
	return !strcmp(attempt->why, X509_verify_cert_error_string(error));
}

/* foreign.h */
static bool is_foreign(const struct kt_cert *cert, int64_t time)
{
	const uint8_t *at = cert->der.data;
	X509 *x509 = d2i_X509(NULL, &at, (long)cert->der.len);
	bool foreign = x509 ? foreign_in_extensions(x509) : foreign_in_form(cert);

	(void)time;
	X509_free(x509);
	ERR_clear_error();
	return foreign;
}

/*
 * A point that is not on its curve: we decode the keys of issuers alone. With such a key nobody
 * signs a handshake.
 */
static bool has_no_leaf_key(const struct kt_attempt *attempt)
{
	const uint8_t *at = attempt->certs[0].data;
	X509 *x509 = d2i_X509(NULL, &at, (long)attempt->certs[0].len);
	bool has_none = x509 && !X509_get0_pubkey(x509);

	X509_free(x509);
	ERR_clear_error();
	return has_none;
}

static bool is_explained(const struct kt_attempt *attempt, int64_t time)
{
	if (says(attempt, X509_V_ERR_CERT_HAS_EXPIRED))
		return any_of(attempt, time, ends_now);
	if (says(attempt, X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION))
		return any_of(attempt, time, has_critical_of_ours);
	if (says(attempt, X509_V_ERR_EE_KEY_TOO_SMALL))
		return has_no_leaf_key(attempt);
	if (says(attempt, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) ||
	    says(attempt, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN))
		return any_of(attempt, time, is_self_issued);
	if (says(attempt, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) &&
	    any_of(attempt, time, names_its_issuer))
		return true;
	return any_of(attempt, time, is_foreign);
}

static void compare(const struct kt_attempt *attempt, void *arg)
{
	struct story *story = arg;

	if (!attempt->rule || strcmp(attempt->rule->name, "openssl"))
		return;
	story->differs = true;
	if (is_explained(attempt, story->query->time))
		return;
	fprintf(stderr, "OpenSSL, at depth %d of %zu: %s\n", attempt->depth, attempt->count,
		attempt->why);
	abort();
}

/* ---- Who signed whom --------------------------------------------------------------------------
 */

static const struct program_cert *find_cert(const struct program *program, const uint8_t *der,
					    size_t len)
{
	for (size_t i = 0; i < program->count; i++)
		if (program->certs[i].len == len && !memcmp(program->certs[i].der, der, len))
			return &program->certs[i];
	return NULL;
}

static void check_signers(const struct kt_attempt *attempt, void *arg)
{
	const struct story *story = arg;
	const struct program_cert *issuer, *cert;

	if (attempt->rule)
		return;
	issuer = find_cert(story->program, attempt->anchor->der, attempt->anchor->der_len);
	for (size_t i = attempt->count; i-- > 0; issuer = cert) {
		cert = find_cert(story->program, attempt->certs[i].data, attempt->certs[i].len);
		require(cert && issuer && cert->signer == issuer->key && !cert->is_broken);
	}
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

static struct kt_verdict ask(struct kt_verifier *verifier, const struct program *program,
			     const struct kt_query *query)
{
	struct kt_verdict verdict;

	require(kt_verify(verifier, program->anchors, &program->chain, query, &verdict) ==
		verdict.code);
	require((verdict.code == KT_ACCEPTED) == !verdict.rule);
	return verdict;
}

static struct kt_verdict explain(struct kt_verifier *verifier, struct story *story,
				 kt_attempt_fn *tell)
{
	struct kt_verdict verdict;

	kt_verify_explain(verifier, story->program->anchors, &story->program->chain, story->query,
			  tell, story, &verdict);
	return verdict;
}

static void require_same(struct kt_verdict a, struct kt_verdict b)
{
	require(a.code == b.code);
	require(a.depth == b.depth);
	require(a.rule == b.rule);
	require(!memcmp(a.anchor, b.anchor, sizeof a.anchor));
	require(!strcmp(a.anchor_name, b.anchor_name));
}

static void check(const struct program *program, const struct kt_query *query)
{
	struct story story = {.program = program, .query = query};
	struct kt_verdict verdict = ask(own, program, query);

	require_same(verdict, explain(own, &story, check_signers));
	for (int i = 0; i < TIMES_ASKED; i++)
		require_same(verdict, ask(cached, program, query));
}

/* Slow: OpenSSL decodes each certificate anew. */
static void check_both(const struct program *program, const struct kt_query *query)
{
	struct story story = {.program = program, .query = query};
	struct kt_verdict theirs = explain(both, &story, compare);

	if (!story.differs)
		require_same(ask(own, program, query), theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct program program;

	set_up();
	if (!program_run(data, size, &program))
		return 0;
	check(&program, &program.query);
	check_both(&program, &program.query);
	check(&program, &program.other);
	program_end(&program);
	require(!ERR_peek_error());
	return 0;
}
