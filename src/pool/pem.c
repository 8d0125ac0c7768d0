/* SPDX-License-Identifier: BSD-2-Clause */
#include "pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

#define BEGIN		"-----BEGIN "
#define END		"-----END "
#define WHOLE_END	"-----END CERTIFICATE-----"
#define DASHES		"-----"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define LABEL_SHOWN	64 /* bytes of a foreign label in an error */

struct span {
	const char *text;
	size_t len;
};

struct kt_pem {
	const char *rest;
	const char *end;
	const char *where;
	unsigned int line_number; /* of the line read last */
	bool line_is_last;	  /* it had no line end */
	uint8_t der[KT_CERTIFICATE_MAX];
};

struct kt_pem *kt_pem_new(const char *text, size_t len, const char *where)
{
	struct kt_pem *pem = malloc(sizeof *pem);
	size_t mark_len = strlen(BYTE_ORDER_MARK);

	if (!pem)
		return NULL;
	pem->rest = text;
	pem->end = text + len;
	pem->where = where;
	pem->line_number = 0;
	pem->line_is_last = false;
	if (len >= mark_len && memcmp(text, BYTE_ORDER_MARK, mark_len) == 0)
		pem->rest += mark_len;
	return pem;
}

void kt_pem_free(struct kt_pem *pem)
{
	free(pem);
}

/* ---- Lines and boundaries ------------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool starts_with(struct span line, const char *prefix)
{
	size_t len = strlen(prefix);

	return line.len >= len && memcmp(line.text, prefix, len) == 0;
}

static bool contains(struct span line, const char *what)
{
	return memmem(line.text, line.len, what, strlen(what)) != NULL;
}

/* The next line without its end and the blanks before it. False: the text is at its end. */
static bool read_line(struct kt_pem *pem, struct span *ret_line)
{
	const char *start = pem->rest;
	size_t avail = (size_t)(pem->end - start);
	const char *newline;
	size_t len;

	if (avail == 0)
		return false;
	newline = memchr(start, '\n', avail);
	len = newline ? (size_t)(newline - start) : avail;
	pem->rest = newline ? newline + 1 : pem->end;
	pem->line_is_last = !newline;
	pem->line_number++;
	if (len > 0 && start[len - 1] == '\r')
		len--;
	while (len > 0 && is_blank(start[len - 1]))
		len--;
	*ret_line = (struct span){start, len};
	return true;
}

/* RFC 7468 §3 labelchar: printable, and '-' or ' ' only one at a time and not at the ends. */
static bool is_label(struct span label)
{
	bool after_joint = true;

	for (size_t i = 0; i < label.len; i++) {
		bool joint = label.text[i] == '-' || label.text[i] == ' ';

		if (label.text[i] < ' ' || label.text[i] > '~' || (joint && after_joint))
			return false;
		after_joint = joint;
	}
	return label.len > 0 && !after_joint;
}

/* Is the line prefix, label and five dashes, and nothing else? */
static bool is_boundary(struct span line, const char *prefix, struct span *ret_label)
{
	size_t before = strlen(prefix), after = strlen(DASHES);
	struct span label;

	if (!starts_with(line, prefix) || line.len < before + after ||
	    memcmp(line.text + line.len - after, DASHES, after) != 0)
		return false;
	label = (struct span){line.text + before, line.len - before - after};
	if (!is_label(label))
		return false;
	*ret_label = label;
	return true;
}

static bool is_label_text(struct span label, const char *text)
{
	return label.len == strlen(text) && memcmp(label.text, text, label.len) == 0;
}

/* A file cut within a BEGIN ends in a piece of it. */
static bool is_cut_boundary(const struct kt_pem *pem, struct span line)
{
	size_t whole = strlen(BEGIN);

	if (!pem->line_is_last || line.len == 0)
		return false;
	return memcmp(line.text, BEGIN, line.len < whole ? line.len : whole) == 0;
}

/* And one that lost its head within an END begins with a piece of that. */
static bool is_rest_of_end(const struct kt_pem *pem, struct span line)
{
	size_t whole = strlen(WHOLE_END);

	if (pem->line_number != 1 || line.len == 0 || line.len >= whole)
		return false;
	return memcmp(line.text, &WHOLE_END[whole - line.len], line.len) == 0;
}

static int refuse(const struct kt_pem *pem, struct kt_error *error, const char *why)
{
	return kt_error_set(error, EBADMSG, pem->where, pem->line_number, "%s", why);
}

static int refuse_label(const struct kt_pem *pem, struct span label, struct kt_error *error)
{
	int shown = label.len < LABEL_SHOWN ? (int)label.len : LABEL_SHOWN;

	if (contains(label, "PRIVATE KEY"))
		return kt_error_set(error, EKEYREJECTED, pem->where, pem->line_number,
				    "a private key among trust anchors (take it out of this file, "
				    "and replace it if others could read the file)");
	if (is_label_text(label, "TRUSTED CERTIFICATE"))
		return kt_error_set(error, EOPNOTSUPP, pem->where, pem->line_number,
				    "a TRUSTED CERTIFICATE, whose trust settings would be lost "
				    "(convert it: openssl x509 -in FILE -out FILE)");
	return kt_error_set(error, EOPNOTSUPP, pem->where, pem->line_number,
			    "a block of type \"%.*s\", where only CERTIFICATE may be (take it out)",
			    shown, label.text);
}

/* ---- Outside and inside of blocks ---------------------------------------------------------- */

/* Is this line of text outside of blocks fit to be passed over? */
static int check_text(const struct kt_pem *pem, struct span line, struct kt_error *error)
{
	if (memchr(line.text, '\0', line.len))
		return refuse(pem, error,
			      "a NUL byte: this is not PEM text (convert it, for DER: "
			      "openssl x509 -inform der)");
	if (starts_with(line, END))
		return refuse(pem, error,
			      "an END line without its BEGIN (is the file cut at its "
			      "start?)");
	if (contains(line, BEGIN) || contains(line, END))
		return refuse(pem, error,
			      "a BEGIN or END line is indented, damaged, or has other "
			      "text in its line (mend it, or take the block out)");
	if (is_rest_of_end(pem, line))
		return refuse(pem, error,
			      "the file begins within an END line (it is cut: write it anew)");
	if (is_cut_boundary(pem, line))
		return refuse(pem, error,
			      "the file ends within a BEGIN line (it is cut: write it anew)");
	return 0;
}

/* 1: at the first line of a block; 0: at the end. */
static int find_begin(struct kt_pem *pem, struct span *ret_label, struct kt_error *error)
{
	struct span line;
	int ret;

	while (read_line(pem, &line)) {
		if (is_boundary(line, BEGIN, ret_label))
			return 1;
		ret = check_text(pem, line, error);
		if (ret)
			return ret;
	}
	return 0;
}

static int refuse_base64(const struct kt_pem *pem, enum kt_base64_result result,
			 struct kt_error *error)
{
	switch (result) {
	case KT_BASE64_FULL:
		return kt_error_set(error, EFBIG, pem->where, pem->line_number,
				    "the certificate has more than %u bytes", KT_CERTIFICATE_MAX);
	case KT_BASE64_PADDING:
		return refuse(pem, error, "the base64 padding is wrong");
	case KT_BASE64_CUT:
		return refuse(pem, error,
			      "the base64 ends within a group of four (a piece is "
			      "missing)");
	default:
		return refuse(pem, error, "a character that is not base64");
	}
}

static int read_end(const struct kt_pem *pem, struct span line, const struct kt_base64 *base64,
		    struct kt_error *error)
{
	enum kt_base64_result result = kt_base64_end(base64);
	struct span label;

	if (!is_boundary(line, END, &label) || !is_label_text(label, "CERTIFICATE"))
		return refuse(pem, error,
			      "the block does not end in -----END CERTIFICATE----- "
			      "alone in its line");
	if (result != KT_BASE64_OK)
		return refuse_base64(pem, result, error);
	if (base64->len == 0)
		return refuse(pem, error, "the block is empty");
	return 0;
}

static int read_body_line(const struct kt_pem *pem, struct span line, struct kt_base64 *base64,
			  struct kt_error *error)
{
	enum kt_base64_result result;

	if (line.len == 0)
		return refuse(pem, error, "an empty line within a block");
	if (starts_with(line, BEGIN))
		return refuse(pem, error, "a BEGIN within a block (the END before it is missing)");
	if (is_blank(line.text[0]))
		return refuse(pem, error, "an indented line within a block");
	result = kt_base64_add(base64, line.text, line.len);
	return result == KT_BASE64_OK ? 0 : refuse_base64(pem, result, error);
}

int kt_pem_next(struct kt_pem *pem, struct kt_pem_block *ret_block, struct kt_error *error)
{
	struct kt_base64 base64;
	struct span line, label;
	unsigned int begin;
	int ret = find_begin(pem, &label, error);

	if (ret <= 0)
		return ret;
	if (!is_label_text(label, "CERTIFICATE"))
		return refuse_label(pem, label, error);
	begin = pem->line_number;
	kt_base64_init(&base64, pem->der, sizeof pem->der);
	while (read_line(pem, &line)) {
		if (starts_with(line, END)) {
			ret = read_end(pem, line, &base64, error);
			if (ret)
				return ret;
			*ret_block = (struct kt_pem_block){pem->der, base64.len, begin};
			return 1;
		}
		ret = read_body_line(pem, line, &base64, error);
		if (ret)
			return ret;
	}
	return kt_error_set(error, EBADMSG, pem->where, begin,
			    "the block that begins here has no END (the file is cut: write it "
			    "anew)");
}
