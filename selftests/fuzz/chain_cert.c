/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "../verify/words.h"
#include "chain_text.h"
#include "require.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- What there is to choose from ------------------------------------------------------------ */

static const char *const name_words[] = {
	"CN=a.test", "CN=one",	   "CN=two",	   "CN=three,O=x", "O=x,CN=four",
	"CN=five",   "CN=six",	   "PCN=ONE", /* equal to CN=one */
	"",	     "E=a@b.test", "TCN=one,C=XX",
};
static const char *const alt_words[] = {
	"DNS:a.test",		"DNS:*.b.test", "IP:192.0.2.1", "EMAIL:a@b.test",
	"URI:https://b.test/x", "DNS:c.b.test", "DN:CN=one",	"HEX:8806032a0304",
};
static const char *const subtree_words[] = {
	"DNS:test",  "DNS:b.test", "IP:192.0.2.0/24",  "EMAIL:b.test",
	"URI:.test", "DN:O=x",	   "HEX:300482008000", /* with a minimum, which must not be written
							*/
	"DN:",
};
static const char *const policies[] = {
	"\x30\x06\x06\x04\x55\x1d\x20\x00", /* anyPolicy */
	"\x30\x05\x06\x03\x2a\x03\x04",
	"\x30\x05\x06\x03\x2a\x03\x05",
	"\x30\x05\x06\x03\x2a\x03\x06",
};
static const size_t policy_lens[] = {8, 7, 7, 7};
static const char *const not_before[] = {"20200101000000Z", "20260601000000Z", "20260601000001Z",
					 "20350101000000Z", "200101000000Z",   "19500101000000Z",
					 "20260531235959Z"};
static const char *const not_after[] = {"20360101000000Z", "20260601000000Z", "20260531235959Z",
					"20260601000001Z", "20250101000000Z", "360101000000Z",
					"99991231235959Z"};
/* Ordinary: what a leaf, a CA has. Content of the BIT STRING; "" none. */
static const struct {
	const char *bits;
	size_t len;
} usages[] = {
	{"\x07\x80", 2}, {"\x01\x06", 2},     {"", 0},
	{"\x02\x84", 2}, {"\x05\x20", 2},     {"\x01\x02", 2},
	{"\x07\x00", 2}, {"\x07\x00\x80", 3}, {"\x00\x86", 2},
};

#define PURPOSE(last) "\x06\x08\x2b\x06\x01\x05\x05\x07\x03" last
#define ANY_PURPOSE   "\x06\x04\x55\x1d\x25\x00"
static const struct {
	const char *list;
	size_t len;
	bool is_absent;
} purposes[] = {
	{PURPOSE("\1") PURPOSE("\2"), 20, false},
	{"", 0, true},
	{PURPOSE("\1"), 10, false},
	{PURPOSE("\2"), 10, false},
	{ANY_PURPOSE, 6, false},
	{PURPOSE("\3"), 10, false},
	{"", 0, false},
	{ANY_PURPOSE PURPOSE("\1"), 16, false},
	{"\x06\x09\x60\x86\x48\x01\x86\xf8\x42\x04\x01", 11, false}, /* Netscape's */
};

/* By which the keys are signed with; of each kind, what is chosen by ALGORITHM. */
struct algorithm {
	const char *der;
	size_t len;
	const char *digest; /* NULL: the scheme's own */
};

#define ECDSA(last, digest)                                                                        \
	{                                                                                          \
		"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" last, 12, digest                    \
	}
#define PKCS1(last, digest)                                                                        \
	{                                                                                          \
		"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" last "\x05\x00", 15, digest     \
	}
#define EDDSA(digest)                                                                              \
	{                                                                                          \
		"\x30\x05\x06\x03\x2b\x65\x70", 7, digest                                          \
	}
static const struct algorithm ec_algorithms[] = {
	ECDSA("\2", "SHA256"),
	ECDSA("\3", "SHA384"),
	ECDSA("\4", "SHA512"),
	{"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", 11, "SHA1"},
	EDDSA("SHA256")};
static const struct algorithm ed_algorithms[] = {EDDSA(NULL), ECDSA("\2", NULL)};
static const struct algorithm rsa_algorithms[] = {PKCS1("\x0b", "SHA256"), PKCS1("\x05", "SHA1")};

static const struct kind {
	const struct algorithm *algorithms;
	size_t count;
} ec_kind = {ec_algorithms, COUNT(ec_algorithms)}, ed_kind = {ed_algorithms, COUNT(ed_algorithms)},
  rsa_kind = {rsa_algorithms, COUNT(rsa_algorithms)};

/* ---- What is made once ------------------------------------------------------------------------
 */

#define EC_KEYS 5
#define ED_KEYS 3
#define KEYS	(EC_KEYS + ED_KEYS + 1)

static struct {
	EVP_PKEY *keys[KEYS];
	uint8_t *spki[KEYS];
	int spki_len[KEYS];
	const struct kind *kinds[KEYS];
	struct words_der names[COUNT(name_words)];
	struct words_der alts[COUNT(alt_words)];
	struct words_der subtrees[COUNT(subtree_words)];
	bool done;
} kit;

static void make_key(size_t number)
{
	if (number < EC_KEYS) {
		kit.keys[number] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		kit.kinds[number] = &ec_kind;
	} else if (number < EC_KEYS + ED_KEYS) {
		kit.keys[number] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		kit.kinds[number] = &ed_kind;
	} else {
		kit.keys[number] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
		kit.kinds[number] = &rsa_kind;
	}
	kit.spki_len[number] = i2d_PUBKEY(kit.keys[number], &kit.spki[number]);
	require(kit.keys[number] && kit.spki_len[number] > 0);
}

static void set_up(void)
{
	if (kit.done)
		return;
	for (size_t i = 0; i < KEYS; i++)
		make_key(i);
	for (size_t i = 0; i < COUNT(name_words); i++)
		require(words_name(name_words[i], &kit.names[i]));
	for (size_t i = 0; i < COUNT(alt_words); i++)
		require(words_names(alt_words[i], &kit.alts[i]));
	for (size_t i = 0; i < COUNT(subtree_words); i++)
		require(words_subtrees(subtree_words[i], &kit.subtrees[i]));
	kit.done = true;
}

/* ---- Extensions -------------------------------------------------------------------------------
 */

static void add_extension(struct der *to, uint8_t number, bool critical, const struct der *value)
{
	const uint8_t oid[] = {0x55, 0x1d, number};

	der_extension(to, (struct der_part){oid, sizeof oid}, critical,
		      (struct der_part){value->bytes, value->len});
}

static struct der value; /* of the extension that is being written */

static size_t open_value(uint8_t tag)
{
	value.len = 0;
	return der_open(&value, tag);
}

static void add_words(struct der *to, const struct words_der *words, size_t count, uint8_t which)
{
	for (size_t i = 0; i < count; i++)
		if (which & 1u << i)
			der_add(to, words[i].bytes, words[i].len);
}

static void add_basic(struct der *to, const uint8_t *fields, bool is_leaf)
{
	uint8_t path_len = fields[BASIC] >> 4;
	size_t mark = open_value(0x30);

	if (is_leaf == !!(fields[BASIC] & OTHER_CA))
		der_put(&value, 0x01, "\xff", 1);
	if (fields[BASIC] & HAS_PATH_LEN)
		der_put(&value, 0x02, &path_len, 1);
	der_close(&value, mark);
	if (!(fields[BASIC] & NO_BASIC))
		add_extension(to, 19, !(fields[BASIC] & BASIC_NOT_CRITICAL), &value);
}

static void add_usages(struct der *to, const uint8_t *fields)
{
	size_t usage = fields[KEY_USAGE] % COUNT(usages);
	size_t purpose = fields[PURPOSES] % COUNT(purposes);

	if (usages[usage].len) {
		value.len = 0;
		der_put(&value, 0x03, usages[usage].bits, usages[usage].len);
		add_extension(to, 15, !(fields[CRITICAL] & CRITICAL_KEY_USAGE), &value);
	}
	if (!purposes[purpose].is_absent) {
		value.len = 0;
		der_put(&value, 0x30, purposes[purpose].list, purposes[purpose].len);
		add_extension(to, 37, fields[CRITICAL] & CRITICAL_PURPOSES, &value);
	}
}

static void add_names(struct der *to, const uint8_t *fields)
{
	size_t mark = open_value(0x30);

	add_words(&value, kit.alts, COUNT(alt_words), fields[NAMES]);
	der_close(&value, mark);
	if (fields[NAMES])
		add_extension(to, 17, fields[CRITICAL] & CRITICAL_NAMES, &value);
}

static void add_name_constraints(struct der *to, const uint8_t *fields)
{
	size_t mark = open_value(0x30), list;

	for (unsigned int i = 0; i < 2; i++) {
		if (!fields[PERMITTED + i])
			continue;
		list = der_open(&value, (uint8_t)(0xa0 + i));
		add_words(&value, kit.subtrees, COUNT(subtree_words), fields[PERMITTED + i]);
		der_close(&value, list);
	}
	der_close(&value, mark);
	if (fields[PERMITTED] || fields[EXCLUDED])
		add_extension(to, 30, !(fields[CRITICAL] & CRITICAL_CONSTRAINTS), &value);
}

static void add_key_ids(struct der *to, const uint8_t *fields)
{
	const uint8_t subject[] = {fields[KEY] % KEYS, 1, 2,
				   !!(fields[KEY_IDS] & OTHER_SUBJECT_ID)};
	const uint8_t authority[] = {fields[SIGNER] % KEYS, 1, 2,
				     !!(fields[KEY_IDS] & OTHER_AUTHORITY_ID)};
	size_t mark;

	if (!(fields[KEY_IDS] & NO_SUBJECT_ID)) {
		value.len = 0;
		der_put(&value, 0x04, subject, sizeof subject);
		add_extension(to, 14, fields[CRITICAL] & CRITICAL_SUBJECT_ID, &value);
	}
	if (fields[KEY_IDS] & NO_AUTHORITY_ID)
		return;
	mark = open_value(0x30);
	der_put(&value, 0x80, authority, sizeof authority);
	if (fields[KEY_IDS] & AUTHORITY_NAMES) {
		der_put(&value, 0xa1, kit.alts[6].bytes, kit.alts[6].len);
		der_put(&value, 0x82, "\x02", 1);
	}
	der_close(&value, mark);
	add_extension(to, 35, fields[CRITICAL] & CRITICAL_AUTHORITY_ID, &value);
}

static void add_count(struct der *to, uint8_t tag, uint8_t plus_one)
{
	uint8_t number = plus_one - 1;

	if (plus_one)
		der_put(to, tag, &number, 1);
}

static void add_mapping(struct der *to, size_t from, size_t onto)
{
	size_t mark = der_open(to, 0x30);

	der_add(to, policies[from] + 2, policy_lens[from] - 2);
	der_add(to, policies[onto] + 2, policy_lens[onto] - 2);
	der_close(to, mark);
}

static void add_mappings(struct der *to, const uint8_t *fields)
{
	size_t mark = open_value(0x30);

	if (fields[MAPPINGS] & 1)
		add_mapping(&value, 1, 2);
	if (fields[MAPPINGS] & 2)
		add_mapping(&value, 2, 1);
	if (fields[MAPPINGS] & 4)
		add_mapping(&value, 1, 0);
	der_close(&value, mark);
	if (fields[MAPPINGS] & 7)
		add_extension(to, 33, fields[MAPPINGS] & 8, &value);
}

static void add_policies(struct der *to, const uint8_t *fields)
{
	size_t mark = open_value(0x30);

	for (size_t i = 0; i < COUNT(policies); i++)
		if (fields[POLICIES] & 1u << i)
			der_add(&value, policies[i], policy_lens[i]);
	der_close(&value, mark);
	if (fields[POLICIES] & 15)
		add_extension(to, 32, fields[CRITICAL] & CRITICAL_POLICIES, &value);
	mark = open_value(0x30);
	add_count(&value, 0x80, fields[POLICY_CONSTRAINTS] & 15);
	add_count(&value, 0x81, fields[POLICY_CONSTRAINTS] >> 4);
	der_close(&value, mark);
	if (fields[POLICY_CONSTRAINTS])
		add_extension(to, 36, true, &value);
	value.len = 0;
	add_count(&value, 0x02, fields[INHIBIT_ANY] & 127);
	if (value.len)
		add_extension(to, 54, !(fields[CRITICAL] & CRITICAL_INHIBIT_ANY), &value);
	add_mappings(to, fields);
}

/* [0] { [0] { alt 4 } }: a CRL distribution point by its URI */
static void add_points(struct der *to, bool critical)
{
	size_t list = open_value(0x30), point = der_open(&value, 0x30);
	size_t name = der_open(&value, 0xa0);

	der_put(&value, 0xa0, kit.alts[4].bytes, kit.alts[4].len);
	der_close(&value, name);
	der_close(&value, point);
	der_close(&value, list);
	add_extension(to, 31, critical, &value);
}

static void add_info(struct der *to, bool critical)
{
	static const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
	size_t list = open_value(0x30), access = der_open(&value, 0x30);

	der_put(&value, 0x06, "\x2b\x06\x01\x05\x05\x07\x30\x01", 8);
	der_add(&value, kit.alts[4].bytes, kit.alts[4].len);
	der_close(&value, access);
	der_close(&value, list);
	der_extension(to, (struct der_part){oid, sizeof oid}, critical,
		      (struct der_part){value.bytes, value.len});
}

static void add_extra(struct der *to, const uint8_t *fields)
{
	bool critical = fields[EXTRA] & EXTRA_CRITICAL;
	size_t mark;

	if (fields[EXTRA] & (UNKNOWN | UNKNOWN_CRITICAL))
		der_extension(to, (struct der_part){"\x2a\x03\x04", 3},
			      fields[EXTRA] & UNKNOWN_CRITICAL, (struct der_part){"\x05\x00", 2});
	if (fields[EXTRA] & ISSUER_NAMES) {
		mark = open_value(0x30);
		der_add(&value, kit.alts[0].bytes, kit.alts[0].len);
		der_close(&value, mark);
		add_extension(to, 18, critical, &value);
	}
	if (fields[EXTRA] & INFO)
		add_info(to, critical);
	if (fields[EXTRA] & POINTS)
		add_points(to, critical);
	if (fields[EXTRA] & TWICE)
		add_names(to, fields);
}

static void write_extensions(struct der *to, const uint8_t *fields, bool is_leaf)
{
	add_basic(to, fields, is_leaf);
	add_usages(to, fields);
	add_names(to, fields);
	add_name_constraints(to, fields);
	add_key_ids(to, fields);
	add_policies(to, fields);
	add_extra(to, fields);
}

/* ---- Certificates -----------------------------------------------------------------------------
 */

static struct der_part name_of(uint8_t number)
{
	const struct words_der *name = &kit.names[number % COUNT(name_words)];

	return (struct der_part){name->bytes, name->len};
}

static void sign(const struct der *tbs, size_t key, const struct algorithm *algorithm,
		 struct der *to)
{
	uint8_t signature[256];
	size_t len = sizeof signature;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	require(context && EVP_DigestSignInit_ex(context, NULL, algorithm->digest, NULL, NULL,
						 kit.keys[key], NULL) == 1);
	require(EVP_DigestSign(context, signature, &len, tbs->bytes, tbs->len) == 1);
	EVP_MD_CTX_free(context);
	der_signed(to, (struct der_part){tbs->bytes, tbs->len},
		   (struct der_part){algorithm->der, algorithm->len},
		   (struct der_part){signature, len});
}

/* Returns whether it is another one now: two patches may undo each other. */
static bool patch(const struct text *text, size_t cert, bool is_signed, struct der *der)
{
	static uint8_t before[DER_MAX];

	memcpy(before, der->bytes, der->len);
	for (size_t i = 0; i < text->patch_count; i++) {
		const struct patch *patch = &text->patches[i];

		/* 256 places, spread over all of it */
		if (patch->cert == cert && patch->is_signed == is_signed)
			der->bytes[patch->at * der->len / 256] ^= patch->value;
	}
	return memcmp(before, der->bytes, der->len) != 0;
}

static struct der_certificate form_of(const uint8_t *fields, const struct algorithm *algorithm)
{
	size_t key = fields[KEY] % KEYS;

	return (struct der_certificate){
		.version = 3 - fields[VERSION] % 3,
		.serial = {&fields[SERIAL], 1},
		.algorithm = {algorithm->der, algorithm->len},
		.issuer = name_of(fields[ISSUER]),
		.subject = name_of(fields[SUBJECT]),
		.not_before = not_before[fields[NOT_BEFORE] % COUNT(not_before)],
		.not_after = not_after[fields[NOT_AFTER] % COUNT(not_after)],
		.spki = {kit.spki[key], (size_t)kit.spki_len[key]},
	};
}

void chain_cert_make(const struct text *text, size_t number, struct der *to,
		     struct program_cert *made)
{
	static struct der tbs, extensions;
	const uint8_t *fields = text->fields[number];
	size_t signer = fields[SIGNER] % KEYS;
	const struct algorithm *algorithm;
	struct der_certificate form;

	set_up();
	algorithm = &kit.kinds[signer]->algorithms[fields[ALGORITHM] % kit.kinds[signer]->count];
	form = form_of(fields, algorithm);
	tbs.len = extensions.len = to->len = 0;
	if (form.version == 3)
		write_extensions(&extensions, fields, !number);
	form.extensions = (struct der_part){extensions.bytes, extensions.len};
	der_tbs(&tbs, &form);
	patch(text, number, true, &tbs);
	sign(&tbs, signer, algorithm, to);
	made->is_broken = patch(text, number, false, to);
	made->der = to->bytes;
	made->len = to->len;
	made->key = fields[KEY] % KEYS;
	made->signer = (uint8_t)signer;
}
