/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doubly linked lists with a head, the links being part of what is listed.
 *
 * A link that is in no list points at itself, so that removing it twice is harmless. Locking is
 * the user's business.
 */
#ifndef KTRUST_ENGINE_LIST_H
#define KTRUST_ENGINE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct kt_list {
	struct kt_list *prev;
	struct kt_list *next;
};

#define kt_list_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

#define kt_list_for_each(link, head)                                                               \
	for (struct kt_list *link = (head)->next; link != (head); link = link->next)

/* The current link may be removed during the walk, no other. */
#define kt_list_for_each_safe(link, next_link, head)                                               \
	for (struct kt_list *link = (head)->next, *next_link = link->next; link != (head);         \
	     link = next_link, next_link = link->next)

static inline void kt_list_init(struct kt_list *head)
{
	head->prev = head;
	head->next = head;
}

static inline bool kt_list_empty(const struct kt_list *head)
{
	return head->next == head;
}

static inline void kt_list_append(struct kt_list *head, struct kt_list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void kt_list_remove(struct kt_list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	kt_list_init(link);
}

#endif
