/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked list; the head is a node of its own. */
struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define LIST_ENTRY(node, type, member) ((type *)((char *)(node) - offsetof(type, member)))
#define LIST_FOREACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_FOREACH_SAFE(it, nx, head)                                                                                 \
	for (struct list *it = (head)->next, *nx = it->next; it != (head); it = nx, nx = it->next)
