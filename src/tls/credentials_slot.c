/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a set of credentials is published.
 *
 * `lock` guards the pointer together with the count of what it points at, for as long as it takes
 * to copy the one and raise the other. Whether there is anything new is asked without it, once a
 * connection, by comparing addresses only: who asks holds a reference to the set he compares with,
 * so no other can be at its address.
 */
#include <errno.h>
#include <pthread.h>

#include <openssl/crypto.h>

#include "credentials.h"

struct kt_credentials_slot {
	pthread_mutex_t lock;
	struct kt_credentials_set *set; /* written under lock, atomically; never NULL */
};

int kt_credentials_slot_new(struct kt_credentials_set *set, struct kt_credentials_slot **ret_slot)
{
	struct kt_credentials_slot *slot = OPENSSL_zalloc(sizeof *slot);

	if (!slot)
		return -ENOMEM;
	pthread_mutex_init(&slot->lock, NULL);
	slot->set = kt_credentials_set_get(set);
	*ret_slot = slot;
	return 0;
}

void kt_credentials_slot_free(struct kt_credentials_slot *slot)
{
	if (!slot)
		return;
	kt_credentials_set_put(slot->set);
	pthread_mutex_destroy(&slot->lock);
	OPENSSL_free(slot);
}

void kt_credentials_slot_publish(struct kt_credentials_slot *slot, struct kt_credentials_set *set)
{
	struct kt_credentials_set *old;

	kt_credentials_set_get(set);
	pthread_mutex_lock(&slot->lock);
	old = __atomic_exchange_n(&slot->set, set, __ATOMIC_ACQ_REL);
	pthread_mutex_unlock(&slot->lock);
	kt_credentials_set_put(old);
}

struct kt_credentials_set *kt_credentials_slot_current(struct kt_credentials_slot *slot)
{
	struct kt_credentials_set *set;

	pthread_mutex_lock(&slot->lock);
	set = kt_credentials_set_get(slot->set);
	pthread_mutex_unlock(&slot->lock);
	return set;
}

bool kt_credentials_slot_is_newer(const struct kt_credentials_slot *slot,
				  const struct kt_credentials_set *set)
{
	return __atomic_load_n(&slot->set, __ATOMIC_RELAXED) != set;
}
