/* SPDX-License-Identifier: BSD-2-Clause */
#include "crl_serials.h"

#include <stdlib.h>
#include <string.h>

struct kt_crl_serials {
	size_t count;
	uint32_t at[]; /* of each entry within the entries, by serial number */
};

static struct kt_der_view serial_at(struct kt_der_view entries, size_t at)
{
	struct kt_der_view in = {entries.data + at, entries.len - at};
	struct kt_der_item entry = {0}, serial = {0};

	if (kt_der_expect(&in, KT_DER_SEQUENCE, &entry))
		kt_der_expect(&entry.content, KT_DER_INTEGER, &serial);
	return serial.content;
}

/* Any order will do that is one of bytes: shorter ones first. */
static int compare(struct kt_der_view a, struct kt_der_view b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

static int compare_entries(const void *a, const void *b, void *entries)
{
	const struct kt_der_view *view = entries;

	return compare(serial_at(*view, *(const uint32_t *)a),
		       serial_at(*view, *(const uint32_t *)b));
}

static size_t count_entries(struct kt_der_view entries)
{
	struct kt_der_item entry;
	size_t count = 0;

	while (kt_der_read(&entries, &entry))
		count++;
	return count;
}

struct kt_crl_serials *kt_crl_serials_new(struct kt_der_view entries)
{
	size_t count = count_entries(entries);
	struct kt_crl_serials *serials = malloc(sizeof *serials + count * sizeof serials->at[0]);
	struct kt_der_view rest = entries;
	struct kt_der_item entry;

	if (!serials)
		return NULL;
	serials->count = count;
	for (size_t i = 0; i < count; i++) {
		serials->at[i] = (uint32_t)(rest.data - entries.data);
		if (!kt_der_read(&rest, &entry))
			break;
	}
	qsort_r(serials->at, count, sizeof serials->at[0], compare_entries, &entries);
	return serials;
}

void kt_crl_serials_free(struct kt_crl_serials *serials)
{
	free(serials);
}

bool kt_crl_serials_have(const struct kt_crl_serials *serials, struct kt_der_view entries,
			 struct kt_der_view serial)
{
	size_t low = 0, high = serials->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int way = compare(serial_at(entries, serials->at[middle]), serial);

		if (way == 0)
			return true;
		if (way < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
