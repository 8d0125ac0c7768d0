/* SPDX-License-Identifier: BSD-2-Clause */
#include "crl_memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void put(struct kt_known_crl *known)
{
	if (!known || --known->holders)
		return;
	kt_crl_serials_free(known->serials);
	free(known->spki);
	free(known);
}

static void give_up(struct kt_crl_holder *holder)
{
	for (size_t i = 0; i < holder->count; i++)
		put(holder->crls[i]);
	free(holder->crls);
	*holder = (struct kt_crl_holder){0};
}

void kt_crl_memory_fini(struct kt_crl_memory *memory)
{
	for (size_t i = 0; i < KT_CRL_SNAPSHOTS; i++)
		give_up(&memory->holders[i]);
}

static struct kt_known_crl *find(const struct kt_crl_holder *holder, const uint8_t *fingerprint)
{
	size_t low = 0, high = holder->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int way = memcmp(holder->crls[middle]->fingerprint, fingerprint, KT_DIGEST_LEN);

		if (way == 0)
			return holder->crls[middle];
		if (way < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* What another snapshot has, or a new one; held once more. NULL: no memory. */
static struct kt_known_crl *get(struct kt_crl_memory *memory, const uint8_t *fingerprint)
{
	struct kt_known_crl *known = NULL;

	for (size_t i = 0; i < KT_CRL_SNAPSHOTS && !known; i++)
		known = find(&memory->holders[i], fingerprint);
	if (!known) {
		known = calloc(1, sizeof *known);
		if (!known)
			return NULL;
		memcpy(known->fingerprint, fingerprint, KT_DIGEST_LEN);
	}
	known->holders++;
	return known;
}

static bool fill(struct kt_crl_memory *memory, const struct kt_snapshot *snapshot, size_t count,
		 struct kt_crl_holder *made)
{
	struct kt_crl crl;

	made->crls = calloc(count, sizeof(struct kt_known_crl *));
	if (!made->crls)
		return false;
	for (; made->count < count && !kt_snapshot_crl(snapshot, made->count, &crl);
	     made->count++) {
		made->crls[made->count] = get(memory, crl.fingerprint);
		if (!made->crls[made->count])
			return false;
	}
	return true;
}

/* The one with this digest. NULL: there is none. */
static struct kt_crl_holder *holder_of(struct kt_crl_memory *memory, const uint8_t *digest)
{
	for (size_t i = 0; i < KT_CRL_SNAPSHOTS; i++)
		if (memory->holders[i].crls &&
		    !memcmp(memory->holders[i].digest, digest, KT_DIGEST_LEN))
			return &memory->holders[i];
	return NULL;
}

/* The one that was asked for the longest ago; those never used come first. */
static struct kt_crl_holder *oldest(struct kt_crl_memory *memory)
{
	struct kt_crl_holder *oldest = &memory->holders[0];

	for (size_t i = 1; i < KT_CRL_SNAPSHOTS; i++)
		if (memory->holders[i].used < oldest->used)
			oldest = &memory->holders[i];
	return oldest;
}

const struct kt_crl_holder *kt_crl_memory_follow(struct kt_crl_memory *memory,
						 const struct kt_snapshot *snapshot)
{
	struct kt_crl_holder *holder, made = {.crls = NULL};
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	holder = holder_of(memory, info.digest);
	if (!holder) {
		if (!fill(memory, snapshot, info.crls, &made)) {
			give_up(&made);
			return NULL;
		}
		memcpy(made.digest, info.digest, KT_DIGEST_LEN);
		holder = oldest(memory);
		give_up(holder);
		*holder = made;
	}
	holder->used = ++memory->questions;
	return holder;
}

/* ---- One CRL --------------------------------------------------------------------------------- */

static void move_view(struct kt_der_view *view, const uint8_t *from, const uint8_t *to)
{
	if (view->data)
		view->data = to + (view->data - from);
}

/* The same bytes elsewhere, in the image of another snapshot. */
static void move(struct kt_known_crl *known, const uint8_t *to)
{
	struct kt_scan_crl *crl = &known->crl;

	move_view(&crl->tbs, known->der, to);
	move_view(&crl->algorithm, known->der, to);
	move_view(&crl->signature, known->der, to);
	move_view(&crl->entries, known->der, to);
	move_view(&crl->issuer, known->der, to);
	move_view(&crl->point_names, known->der, to);
	known->der = to;
}

struct kt_known_crl *kt_crl_memory_get(const struct kt_crl_holder *holder,
				       const struct kt_crl *found)
{
	struct kt_known_crl *known = find(holder, found->fingerprint);

	if (known && known->scanned) {
		move(known, found->der);
		return known;
	}
	/* Neither can be: it was made for this snapshot, which holds no CRL that does not scan. */
	if (!known || kt_scan_crl(found->der, found->der_len, &known->crl))
		return NULL;
	known->scanned = true;
	known->der = found->der;
	return known;
}

bool kt_known_crl_lists(struct kt_known_crl *known, struct kt_der_view serial, bool *ret_listed)
{
	if (!known->serials)
		known->serials = kt_crl_serials_new(known->crl.entries);
	if (!known->serials)
		return false;
	*ret_listed = kt_crl_serials_have(known->serials, known->crl.entries, serial);
	return true;
}

void kt_known_crl_note(struct kt_known_crl *known, struct kt_der_view spki)
{
	uint8_t *copy = malloc(spki.len);

	if (!copy)
		return;
	memcpy(copy, spki.data, spki.len);
	free(known->spki);
	known->spki = copy;
	known->spki_len = spki.len;
}

bool kt_known_crl_is_signed_by(const struct kt_known_crl *known, struct kt_der_view spki)
{
	return known->spki && known->spki_len == spki.len &&
	       !memcmp(known->spki, spki.data, spki.len);
}
