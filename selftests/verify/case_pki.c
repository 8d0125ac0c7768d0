/* SPDX-License-Identifier: BSD-2-Clause */
#include "case_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Names ----------------------------------------------------------------------------------- */

struct case_thing *case_find(const struct case_pki *pki, const struct case_statement *statement,
			     const char *name)
{
	for (struct case_thing *thing = pki->things; thing; thing = thing->next)
		if (!strcmp(thing->name, name))
			return thing;
	case_fail(statement, "nothing has this name", name);
}

void case_make(struct case_thing *thing)
{
	void (*make)(struct case_thing * thing) = thing->make;

	thing->make = NULL;
	if (make)
		make(thing);
}

/* By this name, above the thing that asks: of what it needs nothing needs it. */
static const struct pki_cert *find_cert(const struct case_thing *asking, const char *name)
{
	struct case_thing *thing = asking->next;

	while (thing && strcmp(thing->name, name))
		thing = thing->next;
	if (!thing)
		case_fail(&asking->statement, "nothing above has this name", name);
	case_make(thing);
	if (!thing->cert)
		case_fail(&asking->statement, "no certificate", name);
	return thing->cert;
}

static void add_thing(struct case_pki *pki, const struct case_statement *statement,
		      void (*make)(struct case_thing *thing))
{
	struct case_thing *thing = calloc(1, sizeof *thing);

	if (!thing || statement->count < 2)
		case_fail(statement, "a name is missing", statement->words[0]);
	for (const struct case_thing *other = pki->things; other; other = other->next)
		if (!strcmp(other->name, statement->words[1]))
			case_fail(statement, "this name is taken", statement->words[1]);
	thing->name = statement->words[1];
	thing->pki = pki;
	thing->statement = *statement;
	thing->make = make;
	thing->limits = KT_CONSTRAINTS_NONE;
	thing->next = pki->things;
	pki->things = thing;
}

/* ---- Options, by table ----------------------------------------------------------------------- */

enum kind { TEXT, LIST, NUMBER, SECONDS, FLAG, CERT };

struct option {
	const char *key;
	enum kind kind;
	size_t offset;
	size_t max; /* of a list, its NULL included */
};

/* The member has the option's name. */
#define OPTION(type, kind_, name)                                                                  \
	{                                                                                          \
		.key = #name, .kind = kind_, .offset = offsetof(struct type, name)                 \
	}
#define ARRAY(type, kind_, name)                                                                   \
	{                                                                                          \
		.key = #name, .kind = kind_, .offset = offsetof(struct type, name),                \
		.max = sizeof((struct type *)NULL)->name / sizeof((struct type *)NULL)->name[0]    \
	}

static const struct option cert_options[] = {
	OPTION(pki_options, TEXT, cn),
	OPTION(pki_options, TEXT, org),
	OPTION(pki_options, TEXT, subject),
	ARRAY(pki_options, LIST, dns),
	ARRAY(pki_options, LIST, ip),
	ARRAY(pki_options, LIST, uri),
	ARRAY(pki_options, LIST, email),
	OPTION(pki_options, TEXT, san),
	OPTION(pki_options, CERT, key_of),
	OPTION(pki_options, CERT, signed_by),
	OPTION(pki_options, TEXT, digest),
	OPTION(pki_options, FLAG, pss),
	OPTION(pki_options, NUMBER, pss_salt),
	OPTION(pki_options, TEXT, pss_mask),
	OPTION(pki_options, SECONDS, not_before),
	OPTION(pki_options, SECONDS, not_after),
	OPTION(pki_options, FLAG, ca),
	OPTION(pki_options, NUMBER, pathlen),
	OPTION(pki_options, FLAG, no_basic_constraints),
	OPTION(pki_options, TEXT, key_usage),
	OPTION(pki_options, TEXT, eku),
	OPTION(pki_options, FLAG, version1),
	OPTION(pki_options, FLAG, version1_extended),
	OPTION(pki_options, FLAG, unknown_critical),
	OPTION(pki_options, TEXT, name_constraints),
	OPTION(pki_options, TEXT, policies),
	OPTION(pki_options, TEXT, policy_constraints),
	OPTION(pki_options, TEXT, policy_mappings),
	OPTION(pki_options, TEXT, inhibit_any_policy),
	OPTION(pki_options, TEXT, crl_points),
	OPTION(pki_options, TEXT, akid),
	OPTION(pki_options, FLAG, no_akid),
	OPTION(pki_options, FLAG, no_skid),
	OPTION(pki_options, TEXT, serial_hex),
	ARRAY(pki_options, LIST, raw),
	OPTION(pki_options, TEXT, critical),
	OPTION(pki_options, TEXT, not_critical),
};

static const struct option crl_options[] = {
	ARRAY(pki_crl, CERT, revoked),	       OPTION(pki_crl, SECONDS, this_update),
	OPTION(pki_crl, SECONDS, next_update), OPTION(pki_crl, FLAG, no_next_update),
	OPTION(pki_crl, CERT, signer),	       OPTION(pki_crl, TEXT, distribution_point),
	OPTION(pki_crl, TEXT, digest),
};

/* The first free place of a list, or the only one. */
static const void **place_in(const struct case_statement *statement, const struct option *option,
			     void *member)
{
	const void **place = member;
	size_t i = 0;

	while (option->max && place[i])
		i++;
	if (option->max && i == option->max - 1)
		case_fail(statement, "too many of these", option->key);
	return &place[i];
}

static void set(const struct case_thing *thing, const struct option *option, const char *value,
		void *options)
{
	const struct case_statement *statement = &thing->statement;
	void *member = (char *)options + option->offset;

	switch (option->kind) {
	case TEXT:
		*(const char **)member = value;
		break;
	case LIST:
		*place_in(statement, option, member) = value;
		break;
	case CERT:
		*place_in(statement, option, member) = find_cert(thing, value);
		break;
	case NUMBER:
		*(int *)member = (int)case_number(statement, value);
		break;
	case SECONDS:
		*(int64_t *)member = case_seconds(statement, value);
		break;
	case FLAG:
		*(bool *)member = true;
		break;
	}
}

/* False: none of the table has this key. */
static bool take_option(const struct case_thing *thing, const struct option *table, size_t count,
			const char *word, void *options)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = case_value(word, table[i].key);

		if (!value && table[i].kind == FLAG && !strcmp(word, table[i].key))
			value = "";
		if (!value)
			continue;
		set(thing, &table[i], value, options);
		return true;
	}
	return false;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static const char *const key_names[PKI_KEYS] = {
	[PKI_P256] = "p256",
	[PKI_RSA2048] = "rsa2048",
	[PKI_ED25519] = "ed25519",
	[PKI_RSA1024] = "rsa1024",
	[PKI_RSA2047] = "rsa2047",
	[PKI_RSA2052] = "rsa2052",
	[PKI_RSA3072] = "rsa3072",
	[PKI_RSA_PSS] = "rsa-pss",
	[PKI_P224] = "p224",
	[PKI_P384] = "p384",
	[PKI_P521] = "p521",
	[PKI_SECP256K1] = "secp256k1",
	[PKI_P256_COMPRESSED] = "p256-compressed",
	[PKI_P256_EXPLICIT] = "p256-explicit",
	[PKI_ED448] = "ed448",
};

static enum pki_key key_of(const struct case_statement *statement, const char *name)
{
	for (int i = 0; i < PKI_KEYS; i++)
		if (!strcmp(name, key_names[i]))
			return (enum pki_key)i;
	case_fail(statement, "no kind of key", name);
}

/* Certificates that have the RSA keys. NULL: another kind. */
static const struct pki_cert *rsa_of(enum pki_key key)
{
	static const struct pki_cert *holders[PKI_KEYS];
	static struct pki *pki;

	if (strncmp(key_names[key], "rsa", 3))
		return NULL;
	if (!pki)
		pki = pki_new();
	if (!holders[key])
		holders[key] = pki_make(pki, NULL, &(struct pki_options){.cn = "key", .key = key});
	return holders[key];
}

static bool take_key(const struct case_statement *statement, const char *word,
		     struct pki_options *options)
{
	const char *name = case_value(word, "key");

	if (!name)
		return false;
	options->key = key_of(statement, name);
	options->key_of = rsa_of(options->key);
	return true;
}

/* ---- Certificates ---------------------------------------------------------------------------- */

/* The word for "without", and the defaults that other options replace. */
static void complete(struct pki_options *options, bool is_leaf)
{
	bool named = options->dns[0] || options->ip[0] || options->uri[0] || options->email[0] ||
		     options->san;

	options->has_pathlen = options->pathlen >= 0;
	if (!options->has_pathlen)
		options->pathlen = 0;
	if (options->key_usage && !strcmp(options->key_usage, "-"))
		options->key_usage = "";
	if (options->eku && !strcmp(options->eku, "-"))
		options->eku = NULL;
	if (options->san && !strcmp(options->san, "-"))
		options->san = NULL;
	if (!is_leaf)
		return;
	if (!options->cn && !options->org)
		options->org = "Test";
	if (!named)
		options->dns[0] = "good.test";
}

/* issued: an issuer's name follows. */
static void make_cert(struct case_thing *thing, bool is_leaf, bool issued)
{
	const struct case_statement *statement = &thing->statement;
	struct pki_options options = {.ca = !is_leaf,
				      .cn = is_leaf ? NULL : thing->name,
				      .eku = is_leaf ? "serverAuth,clientAuth" : NULL,
				      .pathlen = -1};
	const struct pki_cert *issuer = NULL;

	if (issued && statement->count < 3)
		case_fail(statement, "its issuer is missing", thing->name);
	if (issued && strcmp(statement->words[2], "-"))
		issuer = find_cert(thing, statement->words[2]);
	for (size_t i = issued ? 3 : 2; i < statement->count; i++)
		if (!take_key(statement, statement->words[i], &options) &&
		    !take_option(thing, cert_options, COUNT(cert_options), statement->words[i],
				 &options))
			case_fail(statement, "no option of a certificate", statement->words[i]);
	complete(&options, is_leaf);
	options.conf = thing->pki->conf;
	thing->cert = pki_make(thing->pki->pki, issuer, &options);
	thing->der = (struct kt_der){thing->cert->der, thing->cert->der_len};
}

static void make_root(struct case_thing *thing)
{
	make_cert(thing, false, false);
}

static void make_ca(struct case_thing *thing)
{
	make_cert(thing, false, true);
}

static void make_leaf(struct case_thing *thing)
{
	make_cert(thing, true, true);
}

/* ---- The others ------------------------------------------------------------------------------ */

static void make_bytes(struct case_thing *thing)
{
	long len = 0;

	if (thing->statement.count > 2)
		thing->der.data = OPENSSL_hexstr2buf(thing->statement.words[2], &len);
	thing->der.len = (size_t)len;
}

static unsigned int purposes_of(const struct case_statement *statement, const char *word)
{
	if (!strcmp(word, "server"))
		return KT_PURPOSE_SERVER;
	if (!strcmp(word, "client"))
		return KT_PURPOSE_CLIENT;
	case_fail(statement, "no purpose", word);
}

static void make_anchor(struct case_thing *thing)
{
	const struct case_statement *statement = &thing->statement;
	struct kt_constraints *limits = &thing->limits;

	if (statement->count < 3)
		case_fail(statement, "its certificate is missing", thing->name);
	thing->cert = find_cert(thing, statement->words[2]);
	thing->der = (struct kt_der){thing->cert->der, thing->cert->der_len};
	for (size_t i = 3; i < statement->count; i++) {
		const char *word = statement->words[i];

		if (case_value(word, "purposes"))
			limits->purposes = purposes_of(statement, case_value(word, "purposes"));
		else if (case_value(word, "distrust"))
			limits->distrust_after =
				pki_now() + case_seconds(statement, case_value(word, "distrust"));
		else if (case_value(word, "permitted"))
			limits->permitted_dns = case_value(word, "permitted");
		else
			case_fail(statement, "no limit of an anchor", word);
	}
}

static void make_crl(struct case_thing *thing)
{
	const struct case_statement *statement = &thing->statement;
	struct pki_crl options = {0};
	struct pki_der der;

	if (statement->count < 3)
		case_fail(statement, "its issuer is missing", thing->name);
	for (size_t i = 3; i < statement->count; i++)
		if (!take_option(thing, crl_options, COUNT(crl_options), statement->words[i],
				 &options))
			case_fail(statement, "no option of a CRL", statement->words[i]);
	der = pki_make_crl(find_cert(thing, statement->words[2]), &options);
	thing->der = (struct kt_der){der.data, der.len};
}

/* ---- Statements ------------------------------------------------------------------------------ */

static void take_section(struct case_pki *pki, const struct case_statement *statement)
{
	char *before = pki->conf;
	size_t len;
	FILE *text = open_memstream(&pki->conf, &len);

	if (!text || statement->count < 3)
		case_fail(statement, "no section", statement->words[0]);
	fprintf(text, "%s[%s]\n", before ? before : "", statement->words[1]);
	for (size_t i = 2; i < statement->count; i++)
		fprintf(text, "%s\n", statement->words[i]);
	fclose(text);
	free(before);
}

/* Here, before there are processes that would each make their own. */
static void make_keys(const struct case_statement *statement)
{
	for (size_t i = 2; i < statement->count; i++)
		if (case_value(statement->words[i], "key"))
			rsa_of(key_of(statement, case_value(statement->words[i], "key")));
}

bool case_take(struct case_pki *pki, const struct case_statement *statement)
{
	static const struct {
		const char *word;
		void (*make)(struct case_thing *thing);
	} makers[] = {{"root", make_root},   {"ca", make_ca},	      {"leaf", make_leaf},
		      {"bytes", make_bytes}, {"anchor", make_anchor}, {"crl", make_crl}};

	if (!strcmp(statement->words[0], "section")) {
		take_section(pki, statement);
		return true;
	}
	for (size_t i = 0; i < COUNT(makers); i++) {
		if (!strcmp(statement->words[0], makers[i].word)) {
			make_keys(statement);
			add_thing(pki, statement, makers[i].make);
			return true;
		}
	}
	return false;
}
