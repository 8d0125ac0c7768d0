/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/error.h>

#include <errno.h>

#include "../harness.h"

FIXTURE(error) {
	struct kt_error error;
	char text[600];
};

FIXTURE_SETUP(error)
{
	memset(self->text, 'x', sizeof self->text);
}

FIXTURE_TEARDOWN(error)
{
}

TEST_F(error, set_returns_the_negative_errno)
{
	EXPECT_EQ(-EBADMSG, kt_error_set(&self->error, EBADMSG, "ca.pem", 7, "cut"));
	EXPECT_EQ(EBADMSG, self->error.err);
	EXPECT_EQ(7, self->error.line);
	EXPECT_STREQ("ca.pem", self->error.where);
	EXPECT_STREQ("cut", self->error.text);
}

TEST_F(error, set_accepts_no_error_to_write)
{
	EXPECT_EQ(-ENOMEM, kt_error_set(NULL, ENOMEM, "ca.pem", 0, "%s", "lost"));
}

TEST_F(error, set_accepts_no_place)
{
	EXPECT_EQ(-EIO, kt_error_set(&self->error, EIO, NULL, 0, "gone"));
	EXPECT_STREQ("", self->error.where);
}

TEST_F(error, set_cuts_what_does_not_fit)
{
	self->text[sizeof self->text - 1] = '\0';
	kt_error_set(&self->error, EIO, self->text, 0, "%s", self->text);
	EXPECT_EQ(sizeof self->error.where - 1, strlen(self->error.where));
	EXPECT_EQ(sizeof self->error.text - 1, strlen(self->error.text));
}

TEST_F(error, set_replaces_control_characters)
{
	kt_error_set(&self->error, EIO, "a\nb\x7f", 0, "%s", "\x1b[2Jred\ttab");
	EXPECT_STREQ("a?b?", self->error.where);
	EXPECT_STREQ("?[2Jred?tab", self->error.text);
}

TEST_F(error, set_keeps_utf8)
{
	kt_error_set(&self->error, EIO, "Főtanúsítvány", 0, "%s", "T\xc3\x9c");
	EXPECT_STREQ("Főtanúsítvány", self->error.where);
	EXPECT_STREQ("T\xc3\x9c", self->error.text);
}

TEST_F(error, set_may_quote_the_error_it_writes)
{
	kt_error_set(&self->error, EIO, "ca.pem", 3, "cut");
	kt_error_set(&self->error, EINVAL, self->error.where, 0, "pool: %s (line %u)",
		     self->error.text, self->error.line);
	EXPECT_STREQ("ca.pem", self->error.where);
	EXPECT_STREQ("pool: cut (line 3)", self->error.text);
	EXPECT_EQ(EINVAL, self->error.err);
}

TEST_F(error, format_names_place_and_line)
{
	kt_error_set(&self->error, EIO, "ca.pem", 3, "cut");
	EXPECT_STREQ("ca.pem:3: cut",
		     kt_error_format(&self->error, self->text, sizeof self->text));
}

TEST_F(error, format_leaves_out_an_absent_line)
{
	kt_error_set(&self->error, EIO, "ca.pem", 0, "cut");
	EXPECT_STREQ("ca.pem: cut", kt_error_format(&self->error, self->text, sizeof self->text));
}

TEST_F(error, format_leaves_out_an_absent_place)
{
	kt_error_set(&self->error, EIO, "", 9, "cut");
	EXPECT_STREQ("cut", kt_error_format(&self->error, self->text, sizeof self->text));
}

TEST_F(error, format_cuts_at_the_buffer)
{
	kt_error_set(&self->error, EIO, "ca.pem", 3, "cut");
	EXPECT_EQ(self->text, kt_error_format(&self->error, self->text, 6));
	EXPECT_STREQ("ca.pe", self->text);
	EXPECT_EQ('x', self->text[6]);
}

TEST_HARNESS_MAIN
