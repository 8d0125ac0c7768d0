/* SPDX-License-Identifier: BSD-2-Clause */
#include "ends.h"

#include <stdlib.h>

enum state { FREE, HELD, SHOWN };

struct entry {
	struct kt_event_socket_end event;
	uint64_t due_ns;
	uint32_t next; /* in its bucket, as index + 1; 0: last */
	enum state state;
};

/*
 * Positions only grow; masked they are indices. What was reported lies in [tail, head): before
 * `due` there is nothing held any more.
 */
struct kt_trace_ends {
	uint64_t tail;
	uint64_t due;
	uint64_t head;
	uint32_t buckets[KT_TRACE_ENDS]; /* index + 1; 0: empty */
	struct entry entries[KT_TRACE_ENDS];
};

struct kt_trace_ends *kt_trace_ends_new(void)
{
	return calloc(1, sizeof(struct kt_trace_ends));
}

void kt_trace_ends_free(struct kt_trace_ends *ends)
{
	free(ends);
}

static struct entry *entry_at(struct kt_trace_ends *ends, uint64_t position)
{
	return &ends->entries[position & (KT_TRACE_ENDS - 1)];
}

static uint32_t *bucket_of(struct kt_trace_ends *ends, uint32_t pid, uint64_t conn)
{
	uint64_t hash = (conn + ((uint64_t)pid << 32)) * 0x9e3779b97f4a7c15u;

	return &ends->buckets[(hash >> 32) & (KT_TRACE_ENDS - 1)];
}

/* The link that leads to the connection's entry, or the last link of its bucket. */
static uint32_t *find_link(struct kt_trace_ends *ends, uint32_t pid, uint64_t conn)
{
	uint32_t *link = bucket_of(ends, pid, conn);

	while (*link) {
		struct entry *entry = &ends->entries[*link - 1];

		if (entry->event.header.pid == pid && entry->event.conn.conn == conn)
			break;
		link = &entry->next;
	}
	return link;
}

static void forget(struct kt_trace_ends *ends, struct entry *entry)
{
	uint32_t *link = bucket_of(ends, entry->event.header.pid, entry->event.conn.conn);

	if (entry->state == FREE)
		return;
	/* By place, not by name: a PID that is used again makes two entries of one name. */
	while (*link != (uint32_t)(entry - ends->entries) + 1)
		link = &ends->entries[*link - 1].next;
	*link = entry->next;
	entry->state = FREE;
}

bool kt_trace_ends_full(const struct kt_trace_ends *ends)
{
	return ends->head - ends->due == KT_TRACE_ENDS;
}

void kt_trace_ends_hold(struct kt_trace_ends *ends, const struct kt_event_socket_end *event,
			uint64_t due_ns)
{
	uint32_t *bucket = bucket_of(ends, event->header.pid, event->conn.conn);
	struct entry *entry;

	if (ends->head - ends->tail == KT_TRACE_ENDS)
		forget(ends, entry_at(ends, ends->tail++));
	entry = entry_at(ends, ends->head);
	entry->event = *event;
	entry->due_ns = due_ns;
	entry->state = HELD;
	entry->next = *bucket;
	*bucket = (uint32_t)(entry - ends->entries) + 1;
	ends->head++;
}

bool kt_trace_ends_claim(struct kt_trace_ends *ends, uint32_t pid, uint64_t conn)
{
	uint32_t *link = find_link(ends, pid, conn);
	struct entry *entry;
	bool show;

	if (!*link)
		return true;
	entry = &ends->entries[*link - 1];
	show = entry->state == HELD;
	forget(ends, entry);
	return show;
}

const struct kt_event_socket_end *kt_trace_ends_due(struct kt_trace_ends *ends, uint64_t now_ns)
{
	for (; ends->due != ends->head; ends->due++) {
		struct entry *entry = entry_at(ends, ends->due);

		if (entry->state != HELD)
			continue;
		if (entry->due_ns > now_ns)
			return NULL;
		entry->state = SHOWN;
		ends->due++;
		return &entry->event;
	}
	return NULL;
}
