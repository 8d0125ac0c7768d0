/* SPDX-License-Identifier: BSD-2-Clause */
#include "nss_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nss_label.h"

int kt_nss_text_init(struct kt_nss_text *text, const char *bytes, size_t len, const char *where)
{
	uint8_t *decoded = malloc(len ? len : 1);

	if (!decoded)
		return -ENOMEM;
	*text = (struct kt_nss_text){
		.rest = bytes, .end = bytes + len, .where = where, .bytes = decoded};
	return 0;
}

void kt_nss_text_fini(struct kt_nss_text *text)
{
	free(text->bytes);
}

void kt_nss_text_keep(struct kt_nss_text *text)
{
	text->kept = text->used;
}

bool kt_nss_span_is(struct kt_nss_span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.text, text, span.len) == 0;
}

static int refuse(const struct kt_nss_text *text, struct kt_error *error, const char *why)
{
	return kt_error_set(error, EBADMSG, text->where, text->line, "%s", why);
}

/* ---- Lines and words ----------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct kt_nss_span trim(const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\r')
		len--;
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	while (len > 0 && is_blank(line[0])) {
		line++;
		len--;
	}
	return (struct kt_nss_span){line, len};
}

/* The next line without blanks at its ends. 1, or 0 at the end. */
static int read_line(struct kt_nss_text *text, struct kt_nss_span *ret_line, struct kt_error *error)
{
	size_t avail = (size_t)(text->end - text->rest);
	const char *start = text->rest, *newline;

	if (avail == 0)
		return 0;
	text->line++;
	newline = memchr(start, '\n', avail < KT_NSS_LINE_MAX + 1 ? avail : KT_NSS_LINE_MAX + 1);
	if (!newline && avail > KT_NSS_LINE_MAX)
		return refuse(text, error, "the line is too long for a certdata.txt");
	if (memchr(start, '\0', newline ? (size_t)(newline - start) : avail))
		return refuse(text, error, "a NUL byte: this is not a certdata.txt");
	if (!newline)
		return refuse(text, error,
			      "the file ends within a line (it is cut: fetch it again)");
	*ret_line = trim(start, (size_t)(newline - start));
	text->rest = newline + 1;
	return 1;
}

static struct kt_nss_span take_word(struct kt_nss_span *line)
{
	struct kt_nss_span word = {line->text, 0};

	while (word.len < line->len && !is_blank(line->text[word.len]))
		word.len++;
	*line = trim(line->text + word.len, line->len - word.len);
	return word;
}

static bool is_identifier(struct kt_nss_span word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = word.text[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_')
			return false;
	}
	return word.len > 0;
}

static bool is_empty(struct kt_nss_span line)
{
	return line.len == 0 || line.text[0] == '#';
}

/* ---- Values -------------------------------------------------------------------------------- */

/* A line of \ooo. NULL, or what is wrong. */
static const char *decode_octal(struct kt_nss_text *text, struct kt_nss_span line)
{
	if (line.len == 0 || line.len % 4 != 0)
		return "not a line of octal numbers (\\ooo), nor END";
	for (size_t i = 0; i < line.len; i += 4) {
		const char *c = line.text + i;
		unsigned int number = 0;

		for (size_t digit = 1; digit < 4; digit++) {
			if (c[0] != '\\' || c[digit] < '0' || c[digit] > '7')
				return "not a line of octal numbers (\\ooo), nor END";
			number = number * 8 + (unsigned int)(c[digit] - '0');
		}
		if (number > 0xff)
			return "an octal number above \\377";
		text->bytes[text->used++] = (uint8_t)number;
	}
	return NULL;
}

static int read_octal(struct kt_nss_text *text, struct kt_nss_attribute *attribute,
		      struct kt_error *error)
{
	struct kt_nss_span line;
	const char *why;
	int ret;

	while ((ret = read_line(text, &line, error)) > 0) {
		if (kt_nss_span_is(line, "END")) {
			attribute->data = (struct kt_der_view){text->bytes + text->kept,
							       text->used - text->kept};
			return 1;
		}
		why = decode_octal(text, line);
		if (why)
			return refuse(text, error, why);
	}
	if (ret < 0)
		return ret;
	return kt_error_set(error, EBADMSG, text->where, attribute->line,
			    "the value that begins here has no END (the file is cut: fetch it "
			    "again)");
}

/* Where the quote that opens at the start of the line closes; 0: nowhere. */
static size_t find_quote(struct kt_nss_span line)
{
	for (size_t i = 1; i < line.len; i++) {
		if (line.text[i] == '\\')
			i++;
		else if (line.text[i] == '"')
			return i;
	}
	return 0;
}

/* The NUL takes no more room than the quotes did. */
static int read_quoted(struct kt_nss_text *text, struct kt_nss_span line,
		       struct kt_nss_attribute *attribute, struct kt_error *error)
{
	size_t close = find_quote(line);
	char *label = (char *)text->bytes + text->used;
	size_t len;

	if (!close)
		return refuse(text, error, "a quote that does not close");
	if (!is_empty(trim(line.text + close + 1, line.len - close - 1)))
		return refuse(text, error, "something behind the closing quote");
	if (!kt_nss_label_decode(line.text + 1, close - 1, label, &len))
		return refuse(text, error, "an escape that is not \\xHH, \\ooo, \\\" or \\\\");
	attribute->data = (struct kt_der_view){(const uint8_t *)label, len};
	text->used += len + 1;
	return 1;
}

static int read_word(struct kt_nss_text *text, struct kt_nss_span line,
		     struct kt_nss_attribute *attribute, struct kt_error *error)
{
	attribute->word = take_word(&line);
	if (!is_identifier(attribute->word))
		return refuse(text, error, "the attribute has no value");
	if (!is_empty(line))
		return refuse(text, error, "something behind the attribute's value");
	return 1;
}

static int read_attribute(struct kt_nss_text *text, struct kt_nss_span line,
			  struct kt_nss_attribute *attribute, struct kt_error *error)
{
	attribute->line = text->line;
	attribute->name = take_word(&line);
	if (kt_nss_span_is(attribute->name, "END"))
		return refuse(text, error, "an END that ends nothing");
	if (!is_identifier(attribute->name) || strncmp(attribute->name.text, "CKA_", 4) != 0)
		return refuse(text, error,
			      "neither an attribute (CKA_NAME TYPE VALUE) nor a comment");
	attribute->type = take_word(&line);
	if (!is_identifier(attribute->type))
		return refuse(text, error, "the attribute has no type");
	if (kt_nss_span_is(attribute->type, "MULTILINE_OCTAL")) {
		attribute->value = KT_NSS_OCTAL;
		if (!is_empty(line))
			return refuse(text, error, "something behind MULTILINE_OCTAL");
		return read_octal(text, attribute, error);
	}
	if (strncmp(attribute->type.text, "MULTILINE", strlen("MULTILINE")) == 0)
		return refuse(text, error, "a type of several lines that is not known here");
	attribute->value = line.len > 0 && line.text[0] == '"' ? KT_NSS_QUOTED : KT_NSS_WORD;
	return attribute->value == KT_NSS_QUOTED ? read_quoted(text, line, attribute, error)
						 : read_word(text, line, attribute, error);
}

/* ---- The file ------------------------------------------------------------------------------ */

static int read_preamble(struct kt_nss_text *text, struct kt_error *error)
{
	struct kt_nss_span line;
	int ret;

	while ((ret = read_line(text, &line, error)) > 0) {
		if (kt_nss_span_is(line, "BEGINDATA")) {
			text->begun = true;
			return 0;
		}
		if (!is_empty(line) && strncmp(line.text, "CVS_ID ", strlen("CVS_ID ")) != 0)
			return refuse(
				text, error,
				"not a certdata.txt (before its BEGINDATA are comments only)");
	}
	return ret;
}

int kt_nss_text_next(struct kt_nss_text *text, struct kt_nss_attribute *ret_attribute,
		     struct kt_error *error)
{
	struct kt_nss_attribute attribute = {0};
	struct kt_nss_span line;
	int ret;

	text->used = text->kept;
	ret = text->begun ? 0 : read_preamble(text, error);
	if (ret)
		return ret;
	do {
		ret = read_line(text, &line, error);
		if (ret <= 0)
			return ret;
	} while (is_empty(line));
	ret = read_attribute(text, line, &attribute, error);
	if (ret > 0)
		*ret_attribute = attribute;
	return ret;
}
