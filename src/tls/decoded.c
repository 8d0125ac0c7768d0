/* SPDX-License-Identifier: BSD-2-Clause */
#include "decoded.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/err.h>

#include "../verify/siphash.h"
#include "../verify/x509_der.h"

#define CERTIFICATES_DEFAULT 4096
#define MOST		     (1u << 20)
#define WAYS		     4 /* places of a set */
#define USE_MAX		     7

struct place {
	uint64_t hash;
	struct kt_der der; /* x509's. data NULL: the place is empty */
	X509 *x509;
	uint32_t use; /* grows with hits, falls when a newcomer finds no place unused */
};

struct set {
	pthread_mutex_t lock;
	struct place places[WAYS];
};

struct kt_tls_certificates {
	struct kt_siphash_key key; /* never shown */
	size_t set_count;
	uint64_t hits, misses, kept; /* atomic, as are the next two */
	uint64_t count, bytes;
	struct set sets[];
};

/* Where this thread's handshake looks; only within kt_decoded_begin and _end. */
static _Thread_local struct {
	struct kt_tls_certificates *certificates;
	struct kt_decoded_look *look;
} here __attribute__((tls_model("initial-exec")));

int kt_tls_certificates_new(size_t most, struct kt_tls_certificates **ret_certificates)
{
	size_t set_count = ((most ? most : CERTIFICATES_DEFAULT) + WAYS - 1) / WAYS;
	struct kt_tls_certificates *certificates;

	if (most > MOST)
		return -EINVAL;
	certificates = calloc(1, sizeof *certificates + set_count * sizeof certificates->sets[0]);
	if (!certificates)
		return -ENOMEM;
	/* So few bytes are never cut short, nor interrupted once there are any at all. */
	if (getrandom(&certificates->key, sizeof certificates->key, 0) !=
	    sizeof certificates->key) {
		free(certificates);
		return -EIO;
	}
	certificates->set_count = set_count;
	for (size_t i = 0; i < set_count; i++)
		pthread_mutex_init(&certificates->sets[i].lock, NULL);
	*ret_certificates = certificates;
	return 0;
}

static void empty(struct place *place)
{
	X509_free(place->x509);
	*place = (struct place){0};
}

void kt_tls_certificates_free(struct kt_tls_certificates *certificates)
{
	if (!certificates)
		return;
	for (size_t i = 0; i < certificates->set_count; i++) {
		for (size_t way = 0; way < WAYS; way++)
			empty(&certificates->sets[i].places[way]);
		pthread_mutex_destroy(&certificates->sets[i].lock);
	}
	free(certificates);
}

static void count(uint64_t *counter, uint64_t more)
{
	__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

void kt_tls_certificates_get_stats(const struct kt_tls_certificates *certificates,
				   struct kt_tls_certificates_stats *ret_stats)
{
	*ret_stats = (struct kt_tls_certificates_stats){
		.hits = __atomic_load_n(&certificates->hits, __ATOMIC_RELAXED),
		.misses = __atomic_load_n(&certificates->misses, __ATOMIC_RELAXED),
		.inserts = __atomic_load_n(&certificates->kept, __ATOMIC_RELAXED),
		.certificates = __atomic_load_n(&certificates->count, __ATOMIC_RELAXED),
		.der_bytes = __atomic_load_n(&certificates->bytes, __ATOMIC_RELAXED),
	};
}

/* ---- Finding -------------------------------------------------------------------------------- */

static struct set *set_of(struct kt_tls_certificates *certificates, uint64_t hash)
{
	return &certificates->sets[hash % certificates->set_count];
}

/* With the set's lock held. */
static struct place *find(struct set *set, uint64_t hash, const uint8_t *der, size_t len)
{
	for (size_t way = 0; way < WAYS; way++) {
		struct place *place = &set->places[way];

		if (place->der.data && place->hash == hash && place->der.len == len &&
		    !memcmp(place->der.data, der, len))
			return place;
	}
	return NULL;
}

static X509 *look_up(struct kt_tls_certificates *certificates, const uint8_t *der, size_t len)
{
	uint64_t hash = kt_siphash(&certificates->key, der, len);
	struct set *set = set_of(certificates, hash);
	struct place *place;
	X509 *x509 = NULL;

	pthread_mutex_lock(&set->lock);
	place = find(set, hash, der, len);
	if (place && X509_up_ref(place->x509)) {
		x509 = place->x509;
		if (place->use < USE_MAX)
			place->use++;
	}
	pthread_mutex_unlock(&set->lock);
	return x509;
}

void kt_decoded_begin(struct kt_tls_certificates *certificates, struct kt_decoded_look *look)
{
	here.certificates = certificates;
	here.look = look;
}

void kt_decoded_stop(void)
{
	here.certificates = NULL;
}

void kt_decoded_end(void)
{
	here.certificates = NULL;
	here.look = NULL;
}

X509 *kt_decoded_find(const uint8_t *der, size_t len)
{
	X509 *x509;

	if (!here.certificates)
		return NULL;
	x509 = len <= KT_DECODED_BYTES_MAX ? look_up(here.certificates, der, len) : NULL;
	if (!x509)
		here.look->missed = true;
	else if (!here.look->key)
		here.look->key = X509_get0_pubkey(x509);
	count(x509 ? &here.certificates->hits : &here.certificates->misses, 1);
	return x509;
}

bool kt_decoded_has_key(const EVP_PKEY *pkey)
{
	return here.look && pkey && pkey == here.look->key;
}

/* ---- Keeping -------------------------------------------------------------------------------- */

/* With the set's lock held: an empty place, or the least used. NULL: all were used; now less so. */
static struct place *make_room(struct set *set)
{
	struct place *least = &set->places[0];

	for (size_t way = 0; way < WAYS; way++) {
		if (!set->places[way].der.data)
			return &set->places[way];
		if (set->places[way].use < least->use)
			least = &set->places[way];
	}
	if (!least->use)
		return least;
	for (size_t way = 0; way < WAYS; way++)
		set->places[way].use--;
	return NULL;
}

/* With the set's lock held. */
static void put(struct kt_tls_certificates *certificates, struct set *set, uint64_t hash,
		struct kt_der der, X509 *x509)
{
	struct place *place;

	if (find(set, hash, der.data, der.len))
		return;
	place = make_room(set);
	if (!place || !X509_up_ref(x509))
		return;
	count(&certificates->count, place->der.data ? 0 : 1);
	count(&certificates->bytes, der.len - place->der.len);
	count(&certificates->kept, 1);
	empty(place);
	*place = (struct place){.hash = hash, .der = der, .x509 = x509};
}

void kt_decoded_keep(struct kt_tls_certificates *certificates, X509 *x509)
{
	int len = i2d_X509(x509, NULL);
	struct kt_der der;
	uint64_t hash;
	struct set *set;

	if (len > 0 && len <= KT_DECODED_BYTES_MAX && kt_x509_keep_der(x509)) {
		der = kt_x509_kept_der(x509);
		hash = kt_siphash(&certificates->key, der.data, der.len);
		set = set_of(certificates, hash);
		pthread_mutex_lock(&set->lock);
		put(certificates, set, hash, der, x509);
		pthread_mutex_unlock(&set->lock);
	}
	ERR_clear_error();
}
