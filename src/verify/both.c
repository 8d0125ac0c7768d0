/* SPDX-License-Identifier: BSD-2-Clause */
#include "both.h"

#include <stdlib.h>

#include <openssl/x509.h>

#include "anchor_cache.h"
#include "decode.h"
#include "library.h"

struct kt_both {
	struct kt_anchor_cache *anchors;
	struct kt_library library;
};

struct kt_both *kt_both_new(void)
{
	struct kt_both *both = calloc(1, sizeof *both);

	if (!both)
		return NULL;
	both->anchors = kt_anchor_cache_new();
	if (both->anchors && !kt_library_init(&both->library))
		return both;
	kt_anchor_cache_free(both->anchors);
	free(both);
	return NULL;
}

void kt_both_free(struct kt_both *both)
{
	if (!both)
		return;
	kt_library_fini(&both->library);
	kt_anchor_cache_free(both->anchors);
	free(both);
}

void kt_both_release(X509 **x509s, size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_free(x509s[i]);
}

/* A reference of the caller's own. NULL: OpenSSL does not read it as we do, or has no memory. */
static X509 *decoded(const struct kt_both_input *input, const struct kt_cert *cert)
{
	X509 **place;

	/* One of the intermediates that are known besides */
	if (cert < input->certs || cert >= input->certs + input->count)
		return kt_decode_certificate(cert->der.data, cert->der.len);
	place = &input->x509s[cert - input->certs];
	if (!*place)
		*place = kt_decode_certificate(cert->der.data, cert->der.len);
	return *place && X509_up_ref(*place) ? *place : NULL;
}

static struct kt_finding unreadable(int depth)
{
	struct kt_finding finding = kt_found(KT_RULE_OPENSSL, depth);

	finding.code = KT_MALFORMED;
	finding.why = "OpenSSL cannot read the certificate";
	return finding;
}

static struct kt_finding check(struct kt_both *both, const struct kt_both_input *input,
			       const struct kt_path *path, struct kt_library_path *made)
{
	made->fingerprint = path->origin->fingerprint;
	for (; made->count < path->count; made->count++) {
		made->certs[made->count] = decoded(input, path->certs[made->count]);
		if (!made->certs[made->count])
			return unreadable(made->count);
	}
	made->anchor = kt_anchor_cache_get(both->anchors, path->origin);
	if (!made->anchor)
		return unreadable(path->count);
	return kt_library_check(&both->library, made, input->snapshot, input->query);
}

struct kt_finding kt_both_check(struct kt_both *both, const struct kt_both_input *input,
				const struct kt_path *path)
{
	struct kt_library_path made = {.count = 0};
	struct kt_finding finding = check(both, input, path, &made);

	kt_both_release(made.certs, (size_t)made.count);
	X509_free(made.anchor);
	return finding;
}
