/* SPDX-License-Identifier: BSD-2-Clause */
#include "pem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

#define BEGIN		"-----BEGIN "
#define END		"-----END "
#define DASHES		"-----"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define LABEL_SHOWN	64 /* bytes of a foreign label in an error */

struct span {
	const char *text;
	size_t len;
};

static const struct kind {
	const char *label;
	const char *end; /* its whole END line */
	const char *what;
	size_t max; /* bytes of DER */
	/* The other kind, which has a source of its own. */
	const char *other_label;
	const char *other_advice;
} kinds[] = {
	[KT_PEM_CERTIFICATE] = {"CERTIFICATE", "-----END CERTIFICATE-----", "certificate",
				KT_CERTIFICATE_MAX, "X509 CRL",
				"a block of type \"X509 CRL\" among certificates (put it into a "
				"file of its own and name that crl:PATH)"},
	[KT_PEM_CRL] = {"X509 CRL", "-----END X509 CRL-----", "CRL", KT_CRL_LEN_MAX, "CERTIFICATE",
			"a block of type \"CERTIFICATE\" among CRLs (put it into a file of its own "
			"and name that file:PATH)"},
};

struct kt_pem {
	const struct kind *kind;
	const char *rest;
	const char *end;
	const char *where;
	struct span line;	  /* the line read last */
	unsigned int line_number; /* its number */
	bool line_is_last;	  /* it had no line end */
	bool in_block;		  /* it lies behind the BEGIN of a block, and is not it */
	bool of_other_kind;	  /* it was refused for that, which may not be skipped */
	struct kt_base64 base64;  /* of the block read last, into der */
	size_t written;		  /* bytes of der that blocks before it came to, at most */
	size_t der_size;
	uint8_t der[];
};

struct kt_pem *kt_pem_new(const char *text, size_t len, const char *where, enum kt_pem_kind kind)
{
	/* What base64 of this length can hold at most. */
	size_t size = len / 4 * 3 + 3 < kinds[kind].max ? len / 4 * 3 + 3 : kinds[kind].max;
	struct kt_pem *pem = malloc(sizeof *pem + size);
	size_t mark_len = strlen(BYTE_ORDER_MARK);

	if (!pem)
		return NULL;
	*pem = (struct kt_pem){.kind = &kinds[kind],
			       .rest = text,
			       .end = text + len,
			       .where = where,
			       .der_size = size};
	if (len >= mark_len && memcmp(text, BYTE_ORDER_MARK, mark_len) == 0)
		pem->rest += mark_len;
	return pem;
}

static void note_written(struct kt_pem *pem)
{
	if (pem->written < pem->base64.len)
		pem->written = pem->base64.len;
}

void kt_pem_free(struct kt_pem *pem)
{
	if (!pem)
		return;
	/* A certificate that was refused may have been a key under a wrong label. */
	note_written(pem);
	explicit_bzero(pem->der, pem->written);
	explicit_bzero(&pem->base64, sizeof pem->base64);
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
	pem->line = (struct span){start, len};
	*ret_line = pem->line;
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
	size_t whole = strlen(pem->kind->end);

	if (pem->line_number != 1 || line.len == 0 || line.len >= whole)
		return false;
	return memcmp(line.text, &pem->kind->end[whole - line.len], line.len) == 0;
}

static int refuse(const struct kt_pem *pem, struct kt_error *error, const char *why)
{
	return kt_error_set(error, EBADMSG, pem->where, pem->line_number, "%s", why);
}

static int refuse_key(const struct kt_pem *pem, struct kt_error *error)
{
	return kt_error_set(error, EKEYREJECTED, pem->where, pem->line_number,
			    "a private key among %ss (take it out of this file, and replace it if "
			    "others could read the file)",
			    pem->kind == &kinds[KT_PEM_CRL] ? "CRL" : "trust anchor");
}

static int refuse_label(struct kt_pem *pem, struct span label, struct kt_error *error)
{
	int shown = label.len < LABEL_SHOWN ? (int)label.len : LABEL_SHOWN;

	if (contains(label, "PRIVATE KEY"))
		return refuse_key(pem, error);
	if (is_label_text(label, pem->kind->other_label)) {
		pem->of_other_kind = true;
		return kt_error_set(error, EOPNOTSUPP, pem->where, pem->line_number, "%s",
				    pem->kind->other_advice);
	}
	if (is_label_text(label, "TRUSTED CERTIFICATE"))
		return kt_error_set(error, EOPNOTSUPP, pem->where, pem->line_number,
				    "a TRUSTED CERTIFICATE, whose trust settings would be lost "
				    "(convert it: openssl x509 -in FILE -out FILE)");
	return kt_error_set(error, EOPNOTSUPP, pem->where, pem->line_number,
			    "a block of type \"%.*s\", where only %s may be (take it out)", shown,
			    label.text, pem->kind->label);
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
				    "the %s has more than %zu bytes", pem->kind->what,
				    pem->kind->max);
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

static int read_end(const struct kt_pem *pem, struct span line, struct kt_error *error)
{
	enum kt_base64_result result = kt_base64_end(&pem->base64);
	struct span label;

	if (!is_boundary(line, END, &label) || !is_label_text(label, pem->kind->label))
		return kt_error_set(error, EBADMSG, pem->where, pem->line_number,
				    "the block does not end in %s alone in its line",
				    pem->kind->end);
	if (result != KT_BASE64_OK)
		return refuse_base64(pem, result, error);
	if (pem->base64.len == 0)
		return refuse(pem, error, "the block is empty");
	return 0;
}

static int read_body_line(struct kt_pem *pem, struct span line, struct kt_error *error)
{
	enum kt_base64_result result;

	if (line.len == 0)
		return refuse(pem, error, "an empty line within a block");
	if (starts_with(line, BEGIN))
		return refuse(pem, error, "a BEGIN within a block (the END before it is missing)");
	if (is_blank(line.text[0]))
		return refuse(pem, error, "an indented line within a block");
	result = kt_base64_add(&pem->base64, line.text, line.len);
	return result == KT_BASE64_OK ? 0 : refuse_base64(pem, result, error);
}

int kt_pem_next(struct kt_pem *pem, struct kt_pem_block *ret_block, struct kt_error *error)
{
	struct span line, label;
	unsigned int begin;
	int ret;

	pem->in_block = false;
	ret = find_begin(pem, &label, error);
	if (ret <= 0)
		return ret;
	if (!is_label_text(label, pem->kind->label))
		return refuse_label(pem, label, error);
	begin = pem->line_number;
	note_written(pem);
	kt_base64_init(&pem->base64, pem->der, pem->der_size);
	while (read_line(pem, &line)) {
		pem->in_block = true;
		if (starts_with(line, END)) {
			ret = read_end(pem, line, error);
			if (ret)
				return ret;
			*ret_block = (struct kt_pem_block){pem->der, pem->base64.len, begin};
			return 1;
		}
		ret = read_body_line(pem, line, error);
		if (ret)
			return ret;
	}
	return kt_error_set(error, EBADMSG, pem->where, begin,
			    "the block that begins here has no END (the file is cut: write it "
			    "anew)");
}

/* ---- Skipping ------------------------------------------------------------------------------ */

/* So that the line read last is read again. */
static void unread_line(struct kt_pem *pem)
{
	pem->rest = pem->line.text;
	pem->line_number--;
}

int kt_pem_skip(struct kt_pem *pem, struct kt_error *error)
{
	bool is_begin = pem->in_block && starts_with(pem->line, BEGIN);

	if (pem->of_other_kind)
		return -EOPNOTSUPP;
	/* However damaged its BEGIN: what names a key is not passed over. */
	while (!contains(pem->line, "PRIVATE KEY") || !contains(pem->line, "--")) {
		if (starts_with(pem->line, END))
			return 0;
		if (is_begin) {
			unread_line(pem);
			return 0;
		}
		if (!read_line(pem, &pem->line))
			return 0;
		is_begin = starts_with(pem->line, BEGIN);
	}
	return refuse_key(pem, error);
}
