/* SPDX-License-Identifier: BSD-2-Clause */
#include "tickets.h"

#include <errno.h>

#define TYPE_NEW_SESSION_TICKET 4 /* RFC 8446 §4 */

/* Lifetime, age_add, nonce, ticket, extensions, with the lengths of the last three. */
#define TICKET_MAX (4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534)

/* False: it is too long. */
static bool begin_message(struct kt_tickets *tickets)
{
	const uint8_t *header = tickets->header;

	tickets->left = (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
	tickets->have = 0;
	return tickets->left <= TICKET_MAX;
}

ssize_t kt_tickets_drop(struct kt_tickets *tickets, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (tickets->left) {
			size_t n = tickets->left < len - at ? tickets->left : len - at;

			tickets->left -= (uint32_t)n;
			at += n;
			continue;
		}
		if (!tickets->have && data[at] != TYPE_NEW_SESSION_TICKET)
			break;
		tickets->header[tickets->have++] = data[at++];
		if (tickets->have == sizeof tickets->header && !begin_message(tickets))
			return -EPROTO;
	}
	if (at > KT_TICKETS_MAX - tickets->dropped)
		return -EPROTO;
	tickets->dropped += (uint32_t)at;
	return (ssize_t)at;
}

bool kt_tickets_data(struct kt_tickets *tickets, size_t len)
{
	if (len)
		tickets->dropped = 0;
	return !tickets->have && !tickets->left;
}
