/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of GeneralNames: what is read, as what, and what is not. */
#include "../../src/verify/general_name.h"

#include "../harness.h"
#include "words.h"

enum place { NAME, BASE };

static bool is_read(const char *words, enum place place)
{
	struct words_der der;
	struct kt_general_name name;
	struct kt_der_view in;

	ASSERT_TRUE(words_names(words, &der));
	in = (struct kt_der_view){der.bytes, der.len};
	if (place == BASE)
		return kt_general_name_read_base(&in, &name) && in.len == 0;
	return kt_general_name_read(&in, &name) && in.len == 0;
}

static void expect_each(bool expected, enum place place, const char *const *words)
{
	for (; *words; words++)
		EXPECT_EQ(expected, is_read(*words, place))
		{
			TH_LOG("%s", *words);
		}
}

#define EACH(...)	    ((const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_READ(...)    expect_each(true, NAME, EACH(__VA_ARGS__))
#define EXPECT_BAD(...)	    expect_each(false, NAME, EACH(__VA_ARGS__))
#define EXPECT_BASE(...)    expect_each(true, BASE, EACH(__VA_ARGS__))
#define EXPECT_NO_BASE(...) expect_each(false, BASE, EACH(__VA_ARGS__))

TEST(general_name_reads_each_type_with_its_content)
{
	static const struct {
		const char *word;
		enum kt_general_name_type type;
		uint8_t first;
		size_t len;
	} cases[] = {
		{"OTHER:", KT_GENERAL_OTHER, 0x06, 10},
		{"EMAIL:a@b.test", KT_GENERAL_EMAIL, 'a', 8},
		{"DNS:example.test", KT_GENERAL_DNS, 'e', 12},
		{"X400:", KT_GENERAL_X400, 0x30, 2},
		{"DN:CN=a", KT_GENERAL_DIRECTORY, 0x30, 14},
		{"EDI:", KT_GENERAL_EDI_PARTY, 0xa1, 5},
		{"URI:urn:a", KT_GENERAL_URI, 'u', 5},
		{"IP:192.0.2.1", KT_GENERAL_IP, 192, 4},
		{"IP:2001:db8::1", KT_GENERAL_IP, 0x20, 16},
		{"RID:", KT_GENERAL_REGISTERED_ID, 0x2a, 3},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_general_name name;
		struct words_der der;
		struct kt_der_view in;

		ASSERT_TRUE(words_names(cases[i].word, &der));
		in = (struct kt_der_view){der.bytes, der.len};
		ASSERT_TRUE(kt_general_name_read(&in, &name));
		EXPECT_EQ(0, in.len);
		EXPECT_EQ(cases[i].type, name.type);
		EXPECT_EQ(cases[i].first, name.content.data[0]);
		EXPECT_EQ(cases[i].len, name.content.len);
	}
}

TEST(general_name_failure_changes_nothing)
{
	static const uint8_t bytes[] = {0x82, 0x01, 0xff};
	struct kt_der_view in = {bytes, sizeof bytes};
	struct kt_general_name name = {.type = KT_GENERAL_URI};

	EXPECT_FALSE(kt_general_name_read(&in, &name));
	EXPECT_EQ(bytes, in.data);
	EXPECT_EQ(sizeof bytes, in.len);
	EXPECT_EQ(KT_GENERAL_URI, name.type);
}

TEST(general_name_text_is_ascii_without_nul)
{
	EXPECT_READ("HEX:820161", "HEX:82017f", "HEX:820101");
	EXPECT_BAD("HEX:820180", "HEX:82026100", "HEX:820100", "HEX:8101ff", "HEX:8601ff");
	EXPECT_NO_BASE("HEX:820180", "HEX:820100", "HEX:8101ff", "HEX:8601ff");
}

TEST(general_name_is_empty_in_subtrees_only)
{
	EXPECT_BAD("HEX:8200", "HEX:8100", "HEX:8600", "HEX:a4023000");
	EXPECT_BASE("HEX:8200", "HEX:8100", "HEX:8600", "HEX:a4023000");
	EXPECT_BAD("HEX:8700", "HEX:8800", "HEX:a000", "HEX:a300", "HEX:a400", "HEX:a500");
	EXPECT_NO_BASE("HEX:8700", "HEX:8800", "HEX:a000", "HEX:a300", "HEX:a400", "HEX:a500");
}

TEST(general_name_address_has_the_length_of_its_place)
{
	EXPECT_READ("IP:192.0.2.1", "IP:::1");
	EXPECT_BAD("HEX:8703c00002", "HEX:8705c000020100", "IP:192.0.2.0/24", "IP:::/0");
	EXPECT_BASE("IP:192.0.2.0/24", "IP:::/0");
	EXPECT_NO_BASE("IP:192.0.2.1", "IP:::1", "HEX:8707c0000200ffffff");
}

TEST(general_name_directory_is_explicit)
{
	EXPECT_READ("DN:CN=a", "DN:CN=a,O=b+OU=c");
	/* IMPLICIT; primitive; two Names; no attributes in an RDN; not a Name */
	EXPECT_BAD("HEX:840e300c310a300806035504030c0161");
	EXPECT_BAD("HEX:a40c310a300806035504030c0161", "HEX:a40430003000", "HEX:a40430023100",
		   "HEX:a4030c0161");
	EXPECT_NO_BASE("HEX:a40c310a300806035504030c0161", "HEX:a40430003000", "HEX:a40430023100");
}

TEST(general_name_other_name_is_a_type_and_a_value)
{
	EXPECT_READ("OTHER:", "HEX:a00706012aa0020500");
	/* no type; no value; not tagged; two values; something behind it; a type that is none */
	EXPECT_BAD("HEX:a004a0020500", "HEX:a00306012a", "HEX:a00506012a0500",
		   "HEX:a00906012aa00405000500", "HEX:a00906012aa00205000500",
		   "HEX:a0080602802aa0020500", "HEX:a00506012aa000");
}

TEST(general_name_registered_id_is_an_oid)
{
	EXPECT_READ("HEX:88012a", "HEX:88032a8101");
	EXPECT_BAD("HEX:880180", "HEX:88022a81", "HEX:a80306012a");
}

TEST(general_name_of_types_nobody_compares_has_their_form)
{
	EXPECT_READ("X400:", "EDI:", "HEX:a50aa0030c0161a1030c0162", "HEX:a30430003100");
	EXPECT_BAD("HEX:a3020500", "HEX:83023000", "HEX:a303300005", "HEX:a505a0030c0161",
		   "HEX:a5080c0161a1030c0161", "HEX:a502a100", "HEX:a507a1030c01610500");
}

TEST(general_name_has_a_tag_that_is_defined)
{
	EXPECT_BAD("HEX:890161", "HEX:a9020500", "HEX:160161", "HEX:020161", "HEX:420161",
		   "HEX:c20161", "HEX:a2030c0161", "HEX:9f020161", "HEX:820261", "HEX:82810161");
}

static bool are_well_formed(const char *words)
{
	struct words_der der;

	ASSERT_TRUE(words_names(words, &der));
	return kt_general_names_are_well_formed((struct kt_der_view){der.bytes, der.len});
}

TEST(general_names_are_one_or_more_well_formed_names)
{
	EXPECT_TRUE(are_well_formed("DNS:a"));
	EXPECT_TRUE(are_well_formed("DNS:a IP:::1 DN:CN=a OTHER: X400: EDI: RID: URI:a:b EMAIL:a"));
	EXPECT_FALSE(are_well_formed(""));
	EXPECT_FALSE(are_well_formed("DNS:a HEX:8200"));
	EXPECT_FALSE(are_well_formed("HEX:8200 DNS:a"));
	EXPECT_FALSE(are_well_formed("DNS:a HEX:00"));
	EXPECT_FALSE(are_well_formed("DNS:a IP:192.0.2.0/24"));
}

TEST_HARNESS_MAIN
