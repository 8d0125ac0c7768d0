/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates from memory and from a file, as PEM or DER. */
#include "gather.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "der.h"
#include "pem.h"
#include "set.h"

#define WHERE_MAX sizeof(((struct kt_error *)0)->where)

static int refuse_empty(const struct kt_gather *gather, size_t skipped, const char *where,
			struct kt_error *error)
{
	if (gather->skipped != skipped)
		return kt_error_set(error, ENODATA, where, 0,
				    "no certificate in it can be used, %zu were skipped",
				    gather->skipped - skipped);
	return kt_error_set(error, ENODATA, where, 0,
			    "no certificate in it (expected: PEM, -----BEGIN CERTIFICATE-----, or "
			    "DER)");
}

/* ---- PEM ------------------------------------------------------------------------------------ */

/* After an error of the reader, which is in *why. 0: it may go on. */
static int skip_block(struct kt_gather *gather, struct kt_pem *pem, struct kt_error *why)
{
	int ret;

	if (!gather->options->lenient)
		return -why->err;
	ret = kt_pem_skip(pem, why);
	if (ret == 0)
		kt_gather_skips(gather, why);
	return ret;
}

static int add_blocks(struct kt_gather *gather, struct kt_pem *pem, const char *where,
		      struct kt_error *error)
{
	struct kt_error why = {0};
	struct kt_pem_block block;
	int ret;

	while ((ret = kt_pem_next(pem, &block, &why)) != 0) {
		if (ret > 0)
			ret = kt_gather_certificate(gather, block.der, block.der_len, where,
						    block.line, &why);
		else
			ret = skip_block(gather, pem, &why);
		if (ret) {
			if (error)
				*error = why;
			return ret;
		}
	}
	return 0;
}

int kt_gather_pem(struct kt_gather *gather, const char *text, size_t len, const char *where,
		  struct kt_error *error)
{
	struct kt_pem *pem = kt_pem_new(text, len, where, KT_PEM_CERTIFICATE);
	size_t found = gather->found, skipped = gather->skipped;
	int ret;

	if (!pem)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	kt_set_expect(gather->set, len / 4 * 3);
	ret = add_blocks(gather, pem, where, error);
	kt_pem_free(pem);
	if (ret == 0 && gather->found == found)
		return refuse_empty(gather, skipped, where, error);
	return ret;
}

/* ---- DER ------------------------------------------------------------------------------------ */

bool kt_gather_is_der(const struct kt_content *content)
{
	const uint8_t *bytes = (const uint8_t *)content->bytes.items;

	return content->bytes.count >= 3 && bytes[0] == KT_DER_SEQUENCE &&
	       (bytes[1] > 0x80 || bytes[2] == KT_DER_INTEGER);
}

int kt_gather_each_der(struct kt_gather *gather, const struct kt_content *content,
		       const char *where,
		       int (*add)(struct kt_gather *gather, const uint8_t *der, size_t len,
				  const char *where, unsigned int line, struct kt_error *error),
		       struct kt_error *error)
{
	struct kt_der_view in = {(const uint8_t *)content->bytes.items, content->bytes.count};
	struct kt_der_item item;
	char place[WHERE_MAX];
	int ret = 0;

	while (ret == 0 && in.len > 0) {
		size_t at = content->bytes.count - in.len;

		if (at > 0)
			snprintf(place, sizeof place, "%s at byte %zu", where, at);
		else
			snprintf(place, sizeof place, "%s", where);
		if (!kt_der_read(&in, &item)) {
			item.tlv = in;
			in.len = 0;
		}
		ret = add(gather, item.tlv.data, item.tlv.len, place, 0, error);
	}
	return ret;
}

static int add_der(struct kt_gather *gather, const struct kt_content *content, const char *where,
		   struct kt_error *error)
{
	size_t found = gather->found, skipped = gather->skipped;
	int ret = kt_gather_each_der(gather, content, where, kt_gather_certificate, error);

	if (ret == 0 && gather->found == found)
		return refuse_empty(gather, skipped, where, error);
	return ret;
}

/* ---- Either --------------------------------------------------------------------------------- */

int kt_gather_content(struct kt_gather *gather, const struct kt_content *content, const char *where,
		      struct kt_error *error)
{
	if (kt_gather_is_der(content))
		return add_der(gather, content, where, error);
	return kt_gather_pem(gather, content->bytes.items, content->bytes.count, where, error);
}

int kt_source_add_file(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	size_t skipped = gather->skipped;
	struct kt_content content;
	int ret = kt_content_read(AT_FDCWD, rest, rest, &content, error);

	if (ret)
		return ret;
	ret = kt_gather_content(gather, &content, rest, error);
	kt_content_free(&content, ret || gather->skipped != skipped);
	return ret;
}

/* ---- The functions for PEM alone ------------------------------------------------------------- */

static const struct kt_source_options defaults;

int kt_anchor_set_add_pem(struct kt_anchor_set *set, const char *text, size_t len,
			  const char *where, struct kt_error *error)
{
	struct kt_gather gather = {.set = set, .options = &defaults, .purposes = KT_PURPOSE_ANY};
	struct kt_set_mark mark = kt_set_mark(set);
	int ret = kt_gather_pem(&gather, text, len, where, error);

	if (ret)
		kt_set_go_back(set, &mark);
	return ret;
}

int kt_anchor_set_add_pem_file(struct kt_anchor_set *set, const char *path, struct kt_error *error)
{
	struct kt_content content;
	int ret = kt_content_read(AT_FDCWD, path, path, &content, error);

	if (ret)
		return ret;
	ret = kt_anchor_set_add_pem(set, content.bytes.items, content.bytes.count, path, error);
	kt_content_free(&content, ret);
	return ret;
}
