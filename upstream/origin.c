#include "upstream/origin.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/pool.h"

/* Buckets of the table of idle connections; a power of two. */
#define BUCKETS 256u

struct idle_entry {
    struct client client; /* first: a client is its entry */
    struct list by_age; /* in pool->by_age, oldest first, while idle; in pool->dead when dropped */
    struct origin_pool *pool;
};

struct origin_pool {
    struct loop *loop;
    struct pool memory;
    struct list buckets[BUCKETS]; /* of client.idle_link, newest first */
    struct list by_age;
    struct list dead; /* closed this turn */
    struct loop_timer sweep;
    struct loop_task bury;
    uint32_t idle_count;
    uint32_t idle_ms;
    uint32_t idle_per_origin;
};

static struct list *
bucket_of(struct origin_pool *pool, uint64_t key)
{
    return &pool->buckets[(key ^ (key >> 32)) % BUCKETS];
}

static struct idle_entry *
entry_of(struct client *client)
{
    return LIST_OWNER(client, struct idle_entry, client);
}

static void
unlist(struct origin_pool *pool, struct client *client)
{
    if (!list_is_empty(&client->idle_link)) {
        list_remove(&client->idle_link);
        list_remove(&entry_of(client)->by_age);
        CHECK(pool->idle_count > 0);
        pool->idle_count--;
    }
}

static void
on_bury(struct loop_task *task)
{
    struct origin_pool *pool = LIST_OWNER(task, struct origin_pool, bury);
    struct list *link;
    while ((link = list_first(&pool->dead)) != NULL) {
        struct idle_entry *entry = LIST_OWNER(link, struct idle_entry, by_age);
        list_remove(link);
        pool_give(&pool->memory, entry);
    }
}

void
origin_drop(struct origin_pool *pool, struct client *client)
{
    CHECK(entry_of(client)->pool == pool);
    unlist(pool, client);
    client_close(client);
    entry_of(client)->pool = NULL;
    list_push_tail(&pool->dead, &entry_of(client)->by_age);
    loop_defer(pool->loop, &pool->bury);
}

/* Closes the idle connections that are too old; once a second while there are any. */
static void
on_sweep(struct loop_timer *timer)
{
    struct origin_pool *pool = LIST_OWNER(timer, struct origin_pool, sweep);
    uint64_t now_ms = loop_now_ms(pool->loop);
    struct list *link;
    while ((link = list_first(&pool->by_age)) != NULL) {
        struct idle_entry *entry = LIST_OWNER(link, struct idle_entry, by_age);
        if (entry->client.idle_since_ms + pool->idle_ms > now_ms) {
            break;
        }
        origin_drop(pool, &entry->client);
    }
    if (pool->idle_count > 0) {
        loop_timer_set(pool->loop, timer, now_ms + 1000);
    }
}

/* An idle connection that the provider closed, or on which it spoke unasked. */
static void
on_idle_fail(struct client *client, enum err err)
{
    (void)err;
    origin_drop(entry_of(client)->pool, client);
}

/* The turn in which the connection became idle ends here. */
static void
on_idle_turn(struct client *client)
{
    CHECK(client->owner == NULL);
}

static const struct client_hooks idle_hooks = { .on_turn = on_idle_turn, .on_fail = on_idle_fail };

enum err
origin_make(struct loop *loop, uint32_t idle_ms, uint32_t idle_per_origin, uint32_t clients_max,
            struct origin_pool **out)
{
    struct origin_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return ERR_FULL;
    }
    pool->loop = loop;
    pool->idle_ms = idle_ms;
    pool->idle_per_origin = idle_per_origin;
    pool->sweep.on_due = on_sweep;
    pool_init(&pool->memory, sizeof(struct idle_entry), sizeof(struct idle_entry), clients_max);
    loop_task_init(&pool->bury, on_bury);
    list_init(&pool->by_age);
    list_init(&pool->dead);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        list_init(&pool->buckets[i]);
    }
    *out = pool;
    return ERR_OK;
}

void
origin_free(struct origin_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    struct list *link;
    while ((link = list_first(&pool->by_age)) != NULL) {
        origin_drop(pool, &LIST_OWNER(link, struct idle_entry, by_age)->client);
    }
    loop_timer_clear(pool->loop, &pool->sweep);
    loop_undefer(&pool->bury);
    on_bury(&pool->bury);
    pool_fini(&pool->memory);
    free(pool);
}

struct client *
origin_new(struct origin_pool *pool)
{
    struct idle_entry *entry = pool_take(&pool->memory);
    if (entry == NULL) {
        return NULL;
    }
    entry->pool = pool;
    list_init(&entry->by_age);
    list_init(&entry->client.idle_link);
    return &entry->client;
}

struct client *
origin_take(struct origin_pool *pool, uint64_t origin_key)
{
    CHECK(origin_key != 0);
    struct list *bucket = bucket_of(pool, origin_key);
    for (struct list *link = bucket->next; link != bucket; link = link->next) {
        struct client *client = LIST_OWNER(link, struct client, idle_link);
        if (client->origin_key == origin_key) {
            CHECK(client->state == CLIENT_READY);
            unlist(pool, client);
            return client;
        }
    }
    return NULL;
}

/* The oldest idle connection of one origin when it has too many. */
static struct client *
surplus_of(struct origin_pool *pool, uint64_t origin_key)
{
    struct list *bucket = bucket_of(pool, origin_key);
    struct client *oldest = NULL;
    uint32_t count = 0;
    for (struct list *link = bucket->next; link != bucket; link = link->next) {
        struct client *client = LIST_OWNER(link, struct client, idle_link);
        if (client->origin_key == origin_key) {
            oldest = client;
            count++;
        }
    }
    return count > pool->idle_per_origin ? oldest : NULL;
}

void
origin_keep(struct origin_pool *pool, struct client *client, uint64_t origin_key)
{
    CHECK(client->state == CLIENT_READY && list_is_empty(&client->idle_link));
    if (pool->idle_ms == 0 || pool->idle_per_origin == 0) {
        origin_drop(pool, client);
        return;
    }
    client->hooks = &idle_hooks;
    client->owner = NULL;
    client->origin_key = origin_key;
    client->idle_since_ms = loop_now_ms(pool->loop);
    list_push_head(bucket_of(pool, origin_key), &client->idle_link);
    list_push_tail(&pool->by_age, &entry_of(client)->by_age);
    pool->idle_count++;

    struct client *surplus = surplus_of(pool, origin_key);
    if (surplus == NULL && pool->idle_count > ORIGIN_IDLE_MAX) {
        surplus = &LIST_OWNER(list_first(&pool->by_age), struct idle_entry, by_age)->client;
    }
    if (surplus != NULL) {
        origin_drop(pool, surplus);
    }
    if (pool->sweep.at_ms == 0) {
        loop_timer_set(pool->loop, &pool->sweep, client->idle_since_ms + 1000);
    }
}

uint32_t
origin_idle(const struct origin_pool *pool)
{
    return pool->idle_count;
}
