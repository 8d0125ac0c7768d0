/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which certificates are sent (RFC 8446 §4.4.2, RFC 5246 §7.4.2).
 *
 * Up from the leaf, always to an issuer by name and signature; where the way ends, the certificates
 * that issued one further down come next: other ways up, of cross-signed CAs. What is left then is
 * a double, a root, or foreign.
 */
#include <errno.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "credentials.h"

/* Both know their place in the file; what was taken from it is NULL there. */
struct ordering {
	STACK_OF(X509) * file;
	STACK_OF(X509) * order; /* the leaf first; borrowed from the file until the end */
	size_t left_out;
	const char *path;
	struct kt_error *error;
};

static X509 *at(const struct ordering *ordering, int i)
{
	return sk_X509_value(ordering->file, i);
}

static int out_of_memory(const struct ordering *ordering)
{
	return kt_error_set(ordering->error, ENOMEM, ordering->path, 0, "out of memory");
}

/* Its subject for an error text; "" when there is none that can be written. */
static void write_subject(const X509 *x509, char *buf, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_read(bio, buf, (int)size - 1);
	buf[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static bool issued(const X509 *issuer, X509 *subject)
{
	bool did = X509_check_issued((X509 *)issuer, subject) == X509_V_OK &&
		   X509_verify(subject, X509_get0_pubkey(issuer)) == 1;

	ERR_clear_error();
	return did;
}

/* By name and signature: a root, which needs no AKI to be one. */
static bool is_self_signed(X509 *x509)
{
	bool is = !X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) &&
		  X509_verify(x509, X509_get0_pubkey(x509)) == 1;

	ERR_clear_error();
	return is;
}

static int find_leaf(const struct ordering *ordering, const EVP_PKEY *key)
{
	int found = -1;

	for (int i = 0; i < sk_X509_num(ordering->file) && found < 0; i++)
		if (X509_check_private_key(at(ordering, i), key) == 1)
			found = i;
	ERR_clear_error();
	return found;
}

static int take(struct ordering *ordering, int i)
{
	if (!sk_X509_push(ordering->order, at(ordering, i)))
		return out_of_memory(ordering);
	(void)sk_X509_set(ordering->file, i, NULL);
	return 0;
}

static bool is_taken(const struct ordering *ordering, X509 *x509)
{
	for (int i = 0; i < sk_X509_num(ordering->order); i++)
		if (!X509_cmp(sk_X509_value(ordering->order, i), x509))
			return true;
	return false;
}

static void leave_out(struct ordering *ordering, int i)
{
	X509_free(at(ordering, i));
	(void)sk_X509_set(ordering->file, i, NULL);
	ordering->left_out++;
}

/* The first in the file that issued this one and is to be sent; -1: none. */
static int find_issuer(const struct ordering *ordering, X509 *subject)
{
	for (int i = 0; i < sk_X509_num(ordering->file); i++)
		if (at(ordering, i) && issued(at(ordering, i), subject) &&
		    !is_taken(ordering, at(ordering, i)) && !is_self_signed(at(ordering, i)))
			return i;
	return -1;
}

/* From the last one up, or else from one before it. */
static int find_next(const struct ordering *ordering)
{
	int found = -1;

	for (int i = sk_X509_num(ordering->order) - 1; i >= 0 && found < 0; i--)
		found = find_issuer(ordering, sk_X509_value(ordering->order, i));
	return found;
}

static bool issued_any(const struct ordering *ordering, const X509 *issuer)
{
	for (int i = 0; i < sk_X509_num(ordering->order); i++)
		if (issued(issuer, sk_X509_value(ordering->order, i)))
			return true;
	return false;
}

static int refuse(const struct ordering *ordering, int i)
{
	char subject[200];

	write_subject(at(ordering, i), subject, sizeof subject);
	return kt_error_set(ordering->error, EBADMSG, ordering->path, 0,
			    "certificate %d (%s) issued none of the others, so it does not belong "
			    "here (leave the leaf of this key and its CAs only)",
			    i + 1, subject);
}

static void note_issuer(struct kt_credentials *credentials, const struct ordering *ordering)
{
	X509 *leaf = sk_X509_value(ordering->order, 0);

	for (int i = 0; i < sk_X509_num(ordering->file) && !credentials->issuer; i++)
		if (at(ordering, i) && issued(at(ordering, i), leaf)) {
			X509_up_ref(at(ordering, i));
			credentials->issuer = at(ordering, i);
		}
}

/* Doubles of what is sent, and roots above it. */
static int settle_rest(struct ordering *ordering)
{
	for (int i = 0; i < sk_X509_num(ordering->file); i++) {
		X509 *x509 = at(ordering, i);

		if (!x509)
			continue;
		if (!is_taken(ordering, x509) && !issued_any(ordering, x509))
			return refuse(ordering, i);
		leave_out(ordering, i);
	}
	return 0;
}

static int put_in_order(struct kt_credentials *credentials, struct ordering *ordering, int leaf)
{
	int last = leaf, next = leaf, err;

	do {
		credentials->info.reordered |= next < last;
		last = next;
		err = take(ordering, next);
		if (err)
			return err;
		/* Before it is taken, or left out for a root. */
		if (next == leaf)
			note_issuer(credentials, ordering);
		next = find_next(ordering);
	} while (next >= 0);
	credentials->info.reordered |= leaf != 0;
	return settle_rest(ordering);
}

/* The order's references become the credentials'. */
static void hand_over(struct kt_credentials *credentials, struct ordering *ordering)
{
	credentials->leaf = sk_X509_shift(ordering->order);
	credentials->chain = ordering->order;
	ordering->order = NULL;
	credentials->info.left_out = ordering->left_out;
	credentials->info.sent = 1 + (size_t)sk_X509_num(credentials->chain);
}

int kt_chain_put_in_order(struct kt_credentials *credentials, STACK_OF(X509) * file,
			  const char *chain_path, const char *key_path, struct kt_error *error)
{
	struct ordering ordering = {.file = file, .path = chain_path, .error = error};
	int leaf = find_leaf(&ordering, credentials->key), err;

	if (leaf < 0)
		return kt_error_set(
			error, EKEYREJECTED, key_path, 0,
			"the key does not belong to any certificate of the chain (check "
			"that the files are a pair)");
	ordering.order = sk_X509_new_null();
	if (!ordering.order)
		return out_of_memory(&ordering);
	err = put_in_order(credentials, &ordering, leaf);
	if (!err)
		hand_over(credentials, &ordering);
	sk_X509_pop_free(ordering.order, X509_free);
	return err;
}
