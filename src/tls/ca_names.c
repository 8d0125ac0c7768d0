/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of acceptable CAs in CertificateRequest: those of the anchors that the connection's
 * pool has now.
 *
 * Decoding them costs more than sending them, so a context keeps the decoded names of each pool
 * until the pool has another digest. An SSL object frees the names it is given; to lend them
 * instead, it gets a stack of its own with the same names in it, which is emptied as soon as the
 * step is over. libssl reads the hello and writes the CertificateRequest in one step.
 *
 * Threads: as the context. No pointer into a snapshot outlives the read section it was got in.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "connection.h"

#define LENGTH_BYTES 2 /* before each name (RFC 8446 §4.2.4) */

static void free_names(STACK_OF(X509_NAME) * names)
{
	sk_X509_NAME_pop_free(names, X509_NAME_free);
}

static int compare(const X509_NAME *const *a, const X509_NAME *const *b)
{
	return X509_NAME_cmp(*a, *b);
}

static bool push(STACK_OF(X509_NAME) * names, const struct kt_anchor *anchor)
{
	const uint8_t *der = anchor->subject;
	X509_NAME *name = d2i_X509_NAME(NULL, &der, (long)anchor->subject_len);

	if (name && sk_X509_NAME_push(names, name))
		return true;
	X509_NAME_free(name);
	return false;
}

/* False: too many, or no memory for them; there may be some in it then. */
static bool gather(const struct kt_snapshot *snapshot, STACK_OF(X509_NAME) * names)
{
	struct kt_anchor anchor;
	size_t bytes = 0, count = 0;

	for (size_t i = 0; !kt_snapshot_anchor(snapshot, i, &anchor); i++) {
		if (anchor.constraints.purposes == KT_PURPOSE_SERVER)
			continue; /* vouches for no client */
		bytes += LENGTH_BYTES + anchor.subject_len;
		if (++count > KT_CA_NAMES_MAX || bytes > KT_CA_NAMES_BYTES_MAX)
			return false;
		if (!push(names, &anchor))
			return false;
	}
	return true;
}

/* Anchors may share a name: it is said once. */
static void make_unique(STACK_OF(X509_NAME) * names)
{
	sk_X509_NAME_sort(names);
	for (int i = sk_X509_NAME_num(names) - 1; i > 0; i--)
		if (!X509_NAME_cmp(sk_X509_NAME_value(names, i), sk_X509_NAME_value(names, i - 1)))
			X509_NAME_free(sk_X509_NAME_delete(names, i));
}

/* NULL: none are to be sent. */
static STACK_OF(X509_NAME) * make_names(const struct kt_snapshot *snapshot)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new(compare);

	if (!names || !gather(snapshot, names)) {
		free_names(names);
		ERR_clear_error();
		return NULL;
	}
	make_unique(names);
	return names;
}

/* ---- What a context keeps ------------------------------------------------------------------- */

/* The pool's place, or that of the one used longest ago, is moved to the front. */
static struct kt_tls_ca_list *place_of(struct kt_tls_context *context, const struct kt_pool *pool)
{
	struct kt_tls_ca_list found, *lists = context->ca_lists;
	size_t i = 0;

	while (i < context->ca_list_count && lists[i].pool != pool)
		i++;
	if (i == context->ca_list_count && i < KT_TLS_CA_LISTS_MAX)
		context->ca_list_count++;
	else if (i == KT_TLS_CA_LISTS_MAX)
		i--;
	found = lists[i];
	memmove(&lists[1], &lists[0], i * sizeof lists[0]);
	lists[0] = found;
	return &lists[0];
}

/* Called within a read section of the pool, which the snapshot is of. */
static const STACK_OF(X509_NAME) * names_of(struct kt_tls_context *context,
					    const struct kt_pool *pool,
					    const struct kt_snapshot *snapshot)
{
	struct kt_tls_ca_list *list = place_of(context, pool);
	struct kt_snapshot_info about;

	kt_snapshot_describe(snapshot, &about);
	if (list->pool == pool && !memcmp(list->digest, about.digest, sizeof list->digest))
		return list->names;
	free_names(list->names);
	list->pool = pool;
	memcpy(list->digest, about.digest, sizeof list->digest);
	list->names = make_names(snapshot);
	return list->names;
}

void kt_tls_drop_ca_names(struct kt_tls_context *context)
{
	while (context->ca_list_count)
		free_names(context->ca_lists[--context->ca_list_count].names);
}

/* ---- Lending -------------------------------------------------------------------------------- */

void kt_tls_lend_ca_names(struct kt_tls *tls)
{
	struct kt_tls_context *context = tls->context;
	const STACK_OF(X509_NAME) *names = NULL;
	const struct kt_snapshot *snapshot;

	if (!tls->pool || context->ca_names == KT_CA_NAMES_OFF)
		return;
	snapshot = kt_pool_read_begin(tls->pool);
	if (snapshot)
		names = names_of(context, tls->pool, snapshot);
	kt_pool_read_end(tls->pool);
	if (!names)
		return;
	/* Without memory none are sent, which means any. */
	tls->ca_names = sk_X509_NAME_dup(names);
	SSL_set_client_CA_list(tls->ssl, tls->ca_names);
}

void kt_tls_take_back_ca_names(struct kt_tls *tls)
{
	if (tls->ca_names)
		sk_X509_NAME_zero(tls->ca_names);
}
