/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparison of names, with libcrypto's X509_NAME_cmp as the twin to agree with. */
#include "roots.h"

#include <openssl/x509.h>

#include "../../src/pool/name.h"
#include "../../src/pool/scan.h"

struct name {
	X509_NAME *x509;
	uint8_t *der;
	size_t len;
};

static struct name name_new(void)
{
	struct name name = {.x509 = X509_NAME_new()};

	ASSERT_NE(NULL, name.x509);
	return name;
}

/* set 0: in an RDN of its own; -1: in the RDN of the attribute before. */
static void name_add(struct name *name, const char *field, int type, const void *bytes, int len,
		     int set)
{
	ASSERT_EQ(1, X509_NAME_add_entry_by_txt(name->x509, field, type, bytes, len, -1, set));
}

static void name_finish(struct name *name)
{
	int len = i2d_X509_NAME(name->x509, &name->der);

	ASSERT_LT(0, len);
	name->len = (size_t)len;
	ASSERT_TRUE(kt_scan_is_name(name->der, name->len));
}

static void name_free(struct name *name)
{
	OPENSSL_free(name->der);
	X509_NAME_free(name->x509);
}

static struct kt_der_view view(const struct name *name)
{
	return (struct kt_der_view){name->der, name->len};
}

static void expect_relation(const struct name *a, const struct name *b, bool equal)
{
	EXPECT_EQ(equal, kt_name_equal(view(a), view(b)));
	EXPECT_EQ(equal, kt_name_equal(view(b), view(a)));
	EXPECT_EQ(equal, X509_NAME_cmp(a->x509, b->x509) == 0)
	{
		TH_LOG("libcrypto is of another opinion");
	}
	EXPECT_EQ(equal, kt_name_hash(view(a)) == kt_name_hash(view(b)));
}

/* ---- Pairs --------------------------------------------------------------------------------- */

FIXTURE(name)
{
	struct name left, right;
};

struct value {
	int type;
	const char *bytes;
	int len; /* 0: up to the NUL */
};

FIXTURE_VARIANT(name)
{
	struct value left, right;
	bool equal;
};

static struct name name_of(const struct value *value)
{
	struct name name = name_new();

	name_add(&name, "O", V_ASN1_UTF8STRING, "Org", 3, 0);
	name_add(&name, "CN", value->type, value->bytes,
		 value->len ? value->len : (int)strlen(value->bytes), 0);
	name_finish(&name);
	return name;
}

FIXTURE_SETUP(name)
{
	self->left = name_of(&variant->left);
	self->right = name_of(&variant->right);
}

FIXTURE_TEARDOWN(name)
{
	name_free(&self->left);
	name_free(&self->right);
}

#define UTF8	  V_ASN1_UTF8STRING
#define PRINTABLE V_ASN1_PRINTABLESTRING
#define SAME(name_, ...)                                                                           \
	FIXTURE_VARIANT_ADD(name, same_##name_)                                                    \
	{                                                                                          \
		__VA_ARGS__, .equal = true                                                         \
	}
#define OTHER(name_, ...)                                                                          \
	FIXTURE_VARIANT_ADD(name, other_##name_)                                                   \
	{                                                                                          \
		__VA_ARGS__, .equal = false                                                        \
	}

SAME(bytes, {UTF8, "Root", 0}, {UTF8, "Root", 0});
SAME(but_for_case, {UTF8, "Root CA", 0}, {UTF8, "rOOT ca", 0});
SAME(but_for_inner_space, {UTF8, "Root  \t\n CA", 0}, {UTF8, "Root CA", 0});
SAME(but_for_outer_space, {UTF8, " \tRoot CA\r ", 0}, {UTF8, "Root CA", 0});
SAME(but_for_the_type, {PRINTABLE, "Root CA", 0}, {UTF8, "Root CA", 0});
SAME(in_ia5, {V_ASN1_IA5STRING, "ROOT", 0}, {PRINTABLE, "root", 0});
SAME(in_latin_1, {V_ASN1_T61STRING, "R\xf6ot", 0}, {UTF8, "r\xc3\xb6ot", 0});
SAME(in_two_bytes, {V_ASN1_BMPSTRING, "\0R\0\xf6\x20\xac", 6}, {UTF8, "r\xc3\xb6\xe2\x82\xac", 0});
SAME(in_four_bytes, {V_ASN1_UNIVERSALSTRING, "\0\0\0R\0\x01\xf6\0", 8},
     {UTF8, "R\xf0\x9f\x98\x80", 0});
SAME(of_spaces_only, {UTF8, "  ", 0}, {UTF8, " ", 0});
OTHER(text, {UTF8, "Root", 0}, {UTF8, "Boot", 0});
OTHER(longer, {UTF8, "Root", 0}, {UTF8, "Root2", 0});
OTHER(with_a_space_inside, {UTF8, "Root", 0}, {UTF8, "Ro ot", 0});
OTHER(case_beyond_ascii, {UTF8, "\xc3\x96", 0}, {UTF8, "\xc3\xb6", 0});
OTHER(no_break_space, {UTF8, "a\xc2\xa0", 0}, {UTF8, "a", 0});
OTHER(with_a_nul, {UTF8, "Root\0x", 6}, {UTF8, "Root", 0});
SAME(digits, {V_ASN1_NUMERICSTRING, "1 2", 0}, {V_ASN1_NUMERICSTRING, "1 2", 0});
OTHER(type_that_is_no_text, {V_ASN1_NUMERICSTRING, "1 2", 0}, {UTF8, "1 2", 0});
OTHER(space_in_what_is_no_text, {V_ASN1_NUMERICSTRING, "1 2", 0},
      {V_ASN1_NUMERICSTRING, "1  2", 0});

TEST_F(name, as_decided)
{
	expect_relation(&self->left, &self->right, variant->equal);
}

/* ---- Structure ----------------------------------------------------------------------------- */

TEST(name_order_of_rdns_counts)
{
	struct name a = name_new(), b = name_new();

	name_add(&a, "O", UTF8, "x", 1, 0);
	name_add(&a, "CN", UTF8, "y", 1, 0);
	name_add(&b, "CN", UTF8, "y", 1, 0);
	name_add(&b, "O", UTF8, "x", 1, 0);
	name_finish(&a);
	name_finish(&b);
	expect_relation(&a, &b, false);
	name_free(&a);
	name_free(&b);
}

/* DER orders the set by its encoding, which spaces change: equality may not depend on it. */
TEST(name_order_within_an_rdn_does_not_count)
{
	struct name a = name_new(), b = name_new();

	name_add(&a, "CN", UTF8, "   xyz   ", 9, 0);
	name_add(&a, "CN", UTF8, "longer", 6, -1);
	name_add(&b, "CN", UTF8, "LONGER", 6, 0);
	name_add(&b, "CN", UTF8, "XYZ", 3, -1);
	name_finish(&a);
	name_finish(&b);
	EXPECT_NE(0, memcmp(a.der + a.len - 6, b.der + b.len - 6, 6));
	expect_relation(&a, &b, true);
	name_free(&a);
	name_free(&b);
}

TEST(name_one_rdn_of_two_is_not_two_of_one)
{
	struct name a = name_new(), b = name_new();

	name_add(&a, "O", UTF8, "x", 1, 0);
	name_add(&a, "CN", UTF8, "y", 1, -1);
	name_add(&b, "O", UTF8, "x", 1, 0);
	name_add(&b, "CN", UTF8, "y", 1, 0);
	name_finish(&a);
	name_finish(&b);
	expect_relation(&a, &b, false);
	name_free(&a);
	name_free(&b);
}

TEST(name_repeated_attribute_is_not_matched_twice)
{
	struct name a = name_new(), b = name_new();

	name_add(&a, "CN", UTF8, "x", 1, 0);
	name_add(&a, "CN", UTF8, "X", 1, -1);
	name_add(&b, "CN", UTF8, "x", 1, 0);
	name_add(&b, "CN", UTF8, "y", 1, -1);
	name_finish(&a);
	name_finish(&b);
	expect_relation(&a, &b, false);
	name_free(&a);
	name_free(&b);
}

TEST(name_too_large_a_set_equals_only_its_own_der)
{
	struct name a = name_new(), b = name_new();

	for (int i = 0; i <= KT_NAME_SET_MAX; i++) {
		char text[2] = {(char)('a' + i), '\0'};

		name_add(&a, "CN", UTF8, text, 1, i ? -1 : 0);
		text[0] = (char)('A' + i);
		name_add(&b, "CN", UTF8, text, 1, i ? -1 : 0);
	}
	name_finish(&a);
	name_finish(&b);
	EXPECT_TRUE(kt_name_equal(view(&a), view(&a)));
	EXPECT_FALSE(kt_name_equal(view(&a), view(&b)));
	name_free(&a);
	name_free(&b);
}

TEST(name_empty_equals_empty)
{
	struct name a = name_new(), b = name_new();

	name_finish(&a);
	name_add(&b, "CN", UTF8, " ", 1, 0);
	name_finish(&b);
	expect_relation(&a, &a, true);
	expect_relation(&a, &b, false);
	name_free(&a);
	name_free(&b);
}

/* libcrypto does not even parse these; for us they are bytes. */
TEST(name_with_text_its_type_cannot_hold_equals_only_its_own_der)
{
	static const uint8_t bad[][17] = {
		{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x0c, 4, 0xc0, 0x80, 'A',
		 'b'},
		{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x0c, 4, 'A', 'A', 'A',
		 0xc3},
		{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x0c, 4, 0xed, 0xa0, 0x80,
		 'A'},
		{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x1e, 4, 0xd8, 0, 0, 'A'},
		{0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3, 0x1c, 4, 0, 0x11, 0, 'A'},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t other[17];
		struct kt_der_view a = {bad[i], sizeof other}, b = {other, sizeof other};
		const uint8_t *p = bad[i];

		memcpy(other, bad[i], sizeof other);
		EXPECT_NULL(d2i_X509_NAME(NULL, &p, sizeof other));
		EXPECT_TRUE(kt_name_equal(a, b));
		EXPECT_EQ(kt_name_hash(a), kt_name_hash(b));
		for (size_t at = 13; at < sizeof other; at++)
			if (other[at] == 'A')
				other[at] = 'a';
		if (memcmp(other, bad[i], sizeof other) != 0)
			EXPECT_FALSE(kt_name_equal(a, b));
	}
}

TEST(name_that_is_none_equals_only_its_own_bytes)
{
	static const uint8_t a[] = {1, 2, 3}, b[] = {1, 2, 4};
	struct kt_der_view left = {a, sizeof a}, right = {b, sizeof b}, none = {NULL, 0};

	EXPECT_TRUE(kt_name_equal(left, left));
	EXPECT_FALSE(kt_name_equal(left, right));
	EXPECT_FALSE(kt_name_equal(left, none));
	EXPECT_NE(kt_name_hash(left), kt_name_hash(right));
}

/* ---- Against the twin ---------------------------------------------------------------------- */

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

/* Few letters and much space, so that equal pairs are common. */
static struct name random_name(uint32_t *state)
{
	static const char letters[] = "aA  \tb";
	static const int types[] = {UTF8, PRINTABLE, V_ASN1_IA5STRING, V_ASN1_T61STRING};
	struct name name = name_new();
	uint32_t attributes = draw(state, 3) + 1;

	for (uint32_t i = 0; i < attributes; i++) {
		char text[4];
		uint32_t len = draw(state, sizeof text) + 1;

		for (uint32_t j = 0; j < len; j++)
			text[j] = letters[draw(state, sizeof letters - 1)];
		name_add(&name, draw(state, 2) ? "CN" : "O", types[draw(state, 4)], text, (int)len,
			 i && draw(state, 2) ? -1 : 0);
	}
	name_finish(&name);
	return name;
}

TEST(name_agrees_with_libcrypto_on_random_pairs)
{
	uint32_t state = 1, equal = 0;

	for (int i = 0; i < 20000; i++) {
		struct name a = random_name(&state), b = random_name(&state);
		bool same = X509_NAME_cmp(a.x509, b.x509) == 0;

		ASSERT_EQ(same, kt_name_equal(view(&a), view(&b)))
		{
			TH_LOG("pair %d", i);
		}
		if (same)
			ASSERT_EQ(kt_name_hash(view(&a)), kt_name_hash(view(&b)));
		equal += same && (a.len != b.len || memcmp(a.der, b.der, a.len) != 0);
		name_free(&a);
		name_free(&b);
	}
	/* Else the test would not test. */
	EXPECT_LT(100, equal);
}

/* ---- Within, and one by one ---------------------------------------------------------------- */

static struct name name_of_cns(const char *first, const char *second)
{
	struct name name = name_new();

	if (first)
		name_add(&name, "O", UTF8, first, -1, 0);
	if (second)
		name_add(&name, "CN", UTF8, second, -1, 0);
	name_finish(&name);
	return name;
}

TEST(name_is_within_what_it_begins_with)
{
	struct name whole = name_of_cns("Org", "a"), front = name_of_cns("ORG", NULL);
	struct name back = name_of_cns(NULL, "a"), empty = name_of_cns(NULL, NULL);
	static const uint8_t bad[] = {0x30, 0x01, 0x00};

	EXPECT_TRUE(kt_name_is_within(view(&whole), view(&whole)));
	EXPECT_TRUE(kt_name_is_within(view(&whole), view(&front)));
	EXPECT_TRUE(kt_name_is_within(view(&whole), view(&empty)));
	EXPECT_TRUE(kt_name_is_within(view(&empty), view(&empty)));
	EXPECT_FALSE(kt_name_is_within(view(&front), view(&whole)));
	EXPECT_FALSE(kt_name_is_within(view(&whole), view(&back)));
	EXPECT_FALSE(kt_name_is_within(view(&empty), view(&front)));
	EXPECT_FALSE(kt_name_is_within((struct kt_der_view){bad, sizeof bad}, view(&empty)));
	EXPECT_FALSE(kt_name_is_within(view(&whole), (struct kt_der_view){bad, sizeof bad}));
	name_free(&whole);
	name_free(&front);
	name_free(&back);
	name_free(&empty);
}

TEST(name_may_be_within_what_readers_take_for_equal)
{
	static const struct {
		const char *name, *base; /* of an organization */
		bool may;
	} cases[] = {
		{"Org", "oRG ", true},
		{"Org", "Other", false},
		{"M\303\234", "m\303\274", true},
		{"M\303\234", "other", true},
		{"other", "\357\274\257", true},
		{"Or\001g", "org", true},
		{"Or\tg", "org", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct name name = name_of_cns(cases[i].name, "x");
		struct name base = name_of_cns(cases[i].base, NULL);

		EXPECT_EQ(cases[i].may, kt_name_may_be_within(view(&name), view(&base)))
		{
			TH_LOG("case %zu", i);
		}
		name_free(&name);
		name_free(&base);
	}
}

/* Of another number, or of another attribute, it cannot be; of other bytes than a Name it may. */
TEST(name_may_not_be_within_what_certainly_differs)
{
	struct name letters = name_of_cns("\303\274", NULL), cn = name_of_cns(NULL, "\303\234");
	struct name longer = name_of_cns("\303\234", "x"), empty = name_of_cns(NULL, NULL);
	struct name both = name_new();
	static const uint8_t bad[] = {0x30, 0x01, 0x00};

	name_add(&both, "O", UTF8, "\303\234", -1, 0);
	name_add(&both, "CN", UTF8, "x", -1, -1);
	name_finish(&both);
	EXPECT_FALSE(kt_name_may_be_within(view(&cn), view(&letters)));
	EXPECT_FALSE(kt_name_may_be_within(view(&both), view(&letters)));
	EXPECT_FALSE(kt_name_may_be_within(view(&letters), view(&longer)));
	EXPECT_TRUE(kt_name_may_be_within(view(&both), view(&both)));
	EXPECT_TRUE(kt_name_may_be_within(view(&letters), view(&empty)));
	EXPECT_TRUE(kt_name_may_be_within((struct kt_der_view){bad, sizeof bad}, view(&empty)));
	EXPECT_TRUE(kt_name_may_be_within(view(&letters), (struct kt_der_view){bad, sizeof bad}));
	name_free(&letters);
	name_free(&cn);
	name_free(&longer);
	name_free(&empty);
	name_free(&both);
}

/* As bytes of a type that some read as text: IA5String's neighbour, VisibleString. */
TEST(name_of_other_types_may_be_within)
{
	static const uint8_t visible[] = {0x30, 12,   0x31, 10, 0x30, 8, 0x06,
					  3,	0x55, 4,    3,	0x1a, 1, 'A'};
	static const uint8_t text[] = {0x30, 12,   0x31, 10, 0x30, 8, 0x06,
				       3,    0x55, 4,	 3,  0x0c, 1, 'a'};

	EXPECT_TRUE(kt_name_may_be_within((struct kt_der_view){visible, sizeof visible},
					  (struct kt_der_view){text, sizeof text}));
	EXPECT_FALSE(kt_name_is_within((struct kt_der_view){visible, sizeof visible},
				       (struct kt_der_view){text, sizeof text}));
}

TEST(name_is_comparable_up_to_the_largest_set)
{
	struct name name = name_new();

	for (int i = 0; i < KT_NAME_SET_MAX; i++)
		name_add(&name, "O", UTF8, &"abcdefghijklmnopq"[i], 1, i ? -1 : 0);
	name_finish(&name);
	EXPECT_TRUE(kt_name_is_comparable(view(&name)));
	OPENSSL_free(name.der);
	name.der = NULL;
	name_add(&name, "O", UTF8, "q", 1, -1);
	name_finish(&name);
	EXPECT_FALSE(kt_name_is_comparable(view(&name)));
	name_free(&name);
}

TEST(name_is_comparable_when_its_text_is_text)
{
	static const uint8_t good[] = {0x30, 12,   0x31, 10, 0x30, 8, 0x06,
				       3,    0x55, 4,	 3,  0x0c, 1, 'a'};
	static const uint8_t bad[] = {0x30, 12,	  0x31, 10, 0x30, 8, 0x06,
				      3,    0x55, 4,	3,  0x0c, 1, 0xff};
	/* What is no text compares as DER, whatever is in it. */
	static const uint8_t octets[] = {0x30, 12,   0x31, 10, 0x30, 8, 0x06,
					 3,    0x55, 4,	   3,  0x04, 1, 0xff};

	EXPECT_TRUE(kt_name_is_comparable((struct kt_der_view){good, sizeof good}));
	EXPECT_FALSE(kt_name_is_comparable((struct kt_der_view){bad, sizeof bad}));
	EXPECT_TRUE(kt_name_is_comparable((struct kt_der_view){octets, sizeof octets}));
	EXPECT_FALSE(kt_name_is_comparable((struct kt_der_view){good, sizeof good - 1}));
}

TEST(name_attributes_come_one_by_one)
{
	struct name name = name_new();
	struct kt_name_attribute attribute;
	struct kt_name_walk walk;
	size_t count = 0;

	name_add(&name, "O", UTF8, "1", 1, 0);
	name_add(&name, "CN", UTF8, "2", 1, -1);
	name_add(&name, "CN", UTF8, "3", 1, 0);
	name_finish(&name);
	walk = kt_name_walk(view(&name));
	for (; kt_name_walk_next(&walk, &attribute); count++) {
		EXPECT_EQ(3, attribute.type.len);
		EXPECT_EQ(KT_DER_UTF8_STRING, attribute.value.tag);
		EXPECT_EQ(1, attribute.value.content.len);
		/* DER sorts a set: 2.5.4.3 before 2.5.4.10. */
		EXPECT_EQ("213"[count], attribute.value.content.data[0]);
	}
	EXPECT_EQ(3, count);
	walk = kt_name_walk((struct kt_der_view){name.der, name.len - 1});
	EXPECT_FALSE(kt_name_walk_next(&walk, &attribute));
	name_free(&name);
}

TEST_HARNESS_MAIN
