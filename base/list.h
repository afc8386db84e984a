/*
 * list.h - intrusive doubly linked list.
 *
 * The link lives in the object, so adding and removing cannot fail and allocate nothing. A removed
 * or fresh link points at itself, so list_remove() may be called twice. Header only.
 *
 * Runs in: every process; process memory only, never in the segment (it holds pointers).
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The object that holds `link` as its field `member`. */
#define LIST_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void
list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool
list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void
list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

static inline void
list_push_tail(struct list *list, struct list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

static inline void
list_push_head(struct list *list, struct list *link)
{
    link->prev = list;
    link->next = list->next;
    list->next->prev = link;
    list->next = link;
}

/* NULL when empty; the link stays in the list. */
static inline struct list *
list_first(struct list *list)
{
    return list_is_empty(list) ? NULL : list->next;
}

#endif
