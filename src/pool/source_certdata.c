/* SPDX-License-Identifier: BSD-2-Clause */
/* Mozilla's certdata.txt: the roots it trusts for servers, with their limits. */
#include "gather.h"

#include <errno.h>
#include <fcntl.h>

#include <ktrust/nss.h>

struct adding {
	struct kt_gather *gather;
	const char *where;
	struct kt_error error; /* of the root that could not be added */
};

static int add_root(const struct kt_nss_root *root, void *arg)
{
	struct adding *adding = arg;
	struct kt_gather *gather = adding->gather;
	struct kt_constraints constraints = root->constraints;
	int ret;

	if (root->trust == KT_NSS_UNKNOWN_CONSTRAINT)
		kt_gather_note(gather, EOPNOTSUPP, adding->where, root->line,
			       "%s is not trusted: its limit is not understood (%s)", root->label,
			       root->reason);
	if (root->trust != KT_NSS_TRUSTED)
		return 0;
	constraints.purposes = gather->purposes;
	ret = kt_anchor_set_add(gather->set, root->der, root->der_len, &constraints, adding->where,
				root->line, &adding->error);
	gather->found += ret == 0;
	return ret;
}

int kt_source_add_certdata(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	struct adding adding = {.gather = gather, .where = rest};
	struct kt_content content;
	int ret = kt_content_read(AT_FDCWD, rest, rest, &content, error);

	if (ret)
		return ret;
	ret = kt_nss_parse(content.bytes.items, content.bytes.count, rest, add_root, &adding, NULL,
			   error);
	kt_content_free(&content, ret);
	if (adding.error.err && error)
		*error = adding.error;
	if (ret == 0 && gather->found == 0)
		return kt_error_set(error, ENODATA, rest, 0,
				    "no root in it is trusted for servers (is it Mozilla's "
				    "certdata.txt?)");
	return ret;
}
