#include "store/kv.h"

#include <signal.h>
#include <sys/resource.h>

#include "store/match.h"
#include "tests/unit/store/tempdir.h"

TestSuite(kv, .init = tempdir_make, .fini = tempdir_remove);

static struct kv *
open_kv(enum kv_mode mode, uint64_t map_bytes)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, map_bytes, mode, &kv), ERR_OK);
    return kv;
}

static enum err
put_word(struct kv_txn *txn, void *context)
{
    return kv_put(txn, KV_META, STR("word"), str_of(context));
}

static enum err
put_and_fail(struct kv_txn *txn, void *context)
{
    enum err err = put_word(txn, context);
    return err == ERR_OK ? ERR_DENIED : err;
}

static void
expect_word(struct kv *kv, const char *word)
{
    struct kv_txn *txn = NULL;
    struct str value;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    enum err err = kv_get(txn, KV_META, STR("word"), &value);
    cr_expect_eq(err, word == NULL ? ERR_GONE : ERR_OK);
    if (word != NULL && err == ERR_OK) {
        cr_expect(str_equal(value, str_of(word)), "%.*s", STR_ARG(value));
    }
    kv_end(txn);
}

Test(kv, what_is_written_is_there_after_opening_again)
{
    struct kv *kv = NULL;
    cr_expect_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv), ERR_GONE);
    cr_expect_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_PEEK, &kv), ERR_GONE);
    kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    char first[] = "first";
    char second[] = "second";
    cr_assert_eq(kv_write(kv, put_word, first), ERR_OK);
    cr_assert_eq(kv_write(kv, put_and_fail, second), ERR_DENIED);
    expect_word(kv, "first");
    kv_close(kv);
    kv = open_kv(KV_READ, TEMPDIR_MAP_BYTES);
    expect_word(kv, "first");
    kv_close(kv);
    kv = open_kv(KV_PEEK, TEMPDIR_MAP_BYTES);
    expect_word(kv, "first");
    kv_close(kv);
}

Test(kv, a_process_opens_one_store_only)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    struct kv *other = NULL;
    cr_expect_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &other), ERR_BUG);
    cr_expect_null(other);
    kv_close(kv);
}

Test(kv, a_child_leaves_the_inherited_one_alone_and_opens_its_own)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    char word[] = "parent";
    cr_assert_eq(kv_write(kv, put_word, word), ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        struct kv *own = NULL;
        struct kv_txn *txn = NULL;
        struct str value;
        kv_close(kv);
        bool is_good = kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &own) == ERR_OK &&
                       kv_begin(own, &txn) == ERR_OK &&
                       kv_get(txn, KV_META, STR("word"), &value) == ERR_OK &&
                       str_equal(value, STR("parent"));
        _exit(is_good ? 0 : 1);
    }
    cr_expect_eq(tempdir_wait(pid), 0);
    char after[] = "after";
    cr_expect_eq(kv_write(kv, put_word, after), ERR_OK);
    expect_word(kv, "after");
    kv_close(kv);
}

#define ROWS 2000u

static enum err
put_rows(struct kv_txn *txn, void *context)
{
    static char value[512];
    uint64_t *start = context;
    for (uint64_t i = 0; i < ROWS; i++) {
        struct kv_id key;
        enum err err =
            kv_append(txn, KV_USAGE, kv_id(&key, *start + i), str_make(value, sizeof(value)));
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static uint64_t
count_rows(struct kv *kv)
{
    struct kv_txn *txn = NULL;
    uint64_t count = 0;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(kv_count(txn, KV_USAGE, &count), ERR_OK);
    kv_end(txn);
    return count;
}

Test(kv, a_full_map_doubles_and_readers_follow)
{
    struct kv *kv = open_kv(KV_CREATE, 1024 * 1024);
    int to_reader[2];
    int to_writer[2];
    char byte = 0;
    cr_assert_eq(pipe(to_reader), 0);
    cr_assert_eq(pipe(to_writer), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct kv *own = open_kv(KV_READ, 1024 * 1024);
        bool is_good = count_rows(own) == 0 && write(to_writer[1], "r", 1) == 1 &&
                       read(to_reader[0], &byte, 1) == 1 && count_rows(own) == 2 * ROWS;
        _exit(is_good ? 0 : 1);
    }
    cr_assert_eq(read(to_writer[0], &byte, 1), 1);
    /* Each needs about 1.1 MB. */
    uint64_t start = 1;
    cr_expect_eq(kv_write(kv, put_rows, &start), ERR_OK);
    start += ROWS;
    cr_expect_eq(kv_write(kv, put_rows, &start), ERR_OK);
    cr_assert_eq(write(to_reader[1], "w", 1), 1);
    cr_expect_eq(tempdir_wait(pid), 0);
    cr_expect_eq(count_rows(kv), 2 * ROWS);
    uint64_t used = 0;
    uint64_t map = 0;
    kv_space(kv, &used, &map);
    cr_expect_geq(map, 4u * 1024 * 1024);
    cr_expect_leq(used, map);
    kv_close(kv);
}

/* Five times what there is: an import of many prices. */
Test(kv, a_full_map_doubles_until_it_is_large_enough)
{
    struct kv *kv = open_kv(KV_CREATE, 256 * 1024);
    uint64_t start = 1;
    cr_expect_eq(kv_write(kv, put_rows, &start), ERR_OK);
    cr_expect_eq(count_rows(kv), ROWS);
    kv_close(kv);
}

static enum err
say_full(struct kv_txn *txn, void *context)
{
    char word[] = "not to be seen";
    (*(uint32_t *)context)++;
    enum err err = put_word(txn, word);
    return err == ERR_OK ? ERR_FULL : err;
}

Test(kv, full_for_another_reason_is_not_tried_again)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    char word[] = "still works";
    uint32_t tries = 0;
    cr_assert_eq(kv_write(kv, put_word, word), ERR_OK);
    cr_expect_eq(kv_write(kv, say_full, &tries), ERR_FULL);
    cr_expect_eq(tries, 1);
    expect_word(kv, "still works");
    kv_close(kv);
}

/* A file that may not grow fails as a full disk does. */
Test(kv, a_full_disk_is_told_and_leaves_what_was)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    char before[] = "before";
    cr_assert_eq(kv_write(kv, put_word, before), ERR_OK);
    struct rlimit old;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit tight = { 256 * 1024, old.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    uint64_t start = 1;
    enum err err = kv_write(kv, put_rows, &start);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    cr_expect_eq(err, ERR_FULL, "%s", err_name(err));
    cr_expect_eq(count_rows(kv), 0);
    expect_word(kv, "before");
    cr_expect_eq(kv_write(kv, put_rows, &start), ERR_OK);
    cr_expect_eq(count_rows(kv), ROWS);
    kv_close(kv);
}

Test(kv, dead_readers_are_cleared)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct kv *own = open_kv(KV_READ, TEMPDIR_MAP_BYTES);
        struct kv_txn *txn = NULL;
        if (kv_begin(own, &txn) != ERR_OK || write(ready[1], "r", 1) != 1) {
            _exit(1);
        }
        pause();
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_expect_eq(kv_check_readers(kv), 0);
    kill(pid, SIGKILL);
    cr_expect_eq(tempdir_wait(pid), 128 + SIGKILL);
    cr_expect_eq(kv_check_readers(kv), 1);
    cr_expect_eq(kv_check_readers(kv), 0);
    kv_close(kv);
}

static enum err
check_rows(struct kv_txn *txn, void *context)
{
    (void)context;
    struct kv_id key;
    struct str k;
    struct str v;
    struct kv_cursor *cursor = NULL;
    cr_expect_eq(kv_add(txn, KV_NAME, STR("b"), STR("1")), ERR_OK);
    cr_expect_eq(kv_add(txn, KV_NAME, STR("b"), STR("2")), ERR_DENIED);
    cr_expect_eq(kv_del(txn, KV_NAME, STR("b")), ERR_OK);
    cr_expect_eq(kv_del(txn, KV_NAME, STR("b")), ERR_GONE);
    for (uint64_t i = 1; i <= 300; i += 100) {
        cr_expect_eq(kv_append(txn, KV_USAGE, kv_id(&key, i), STR("x")), ERR_OK);
    }
    cr_expect_eq(kv_append(txn, KV_USAGE, kv_id(&key, 5), STR("x")), ERR_BUG);
    cr_assert_eq(kv_cursor_open(txn, KV_USAGE, &cursor), ERR_OK);
    cr_expect_eq(kv_seek(cursor, kv_id(&key, 2), &k, &v), ERR_OK);
    cr_expect_eq(kv_unpack64(k.data), 101);
    cr_expect_eq(kv_prev(cursor, &k, &v), ERR_OK);
    cr_expect_eq(kv_unpack64(k.data), 1);
    cr_expect_eq(kv_prev(cursor, &k, &v), ERR_GONE);
    cr_expect_eq(kv_last(cursor, &k, &v), ERR_OK);
    cr_expect_eq(kv_unpack64(k.data), 201);
    cr_expect_eq(kv_next(cursor, &k, &v), ERR_GONE);
    cr_expect_eq(kv_seek(cursor, kv_id(&key, 1), &k, &v), ERR_OK);
    cr_expect_eq(kv_cursor_del(cursor), ERR_OK);
    cr_expect_eq(kv_next(cursor, &k, &v), ERR_OK);
    cr_expect_eq(kv_unpack64(k.data), 101);
    cr_expect_eq(kv_seek(cursor, kv_id(&key, 202), &k, &v), ERR_GONE);
    kv_cursor_close(cursor);
    return ERR_OK;
}

Test(kv, rows_and_cursors_do_what_they_say)
{
    struct kv *kv = open_kv(KV_CREATE, TEMPDIR_MAP_BYTES);
    cr_expect_eq(kv_write(kv, check_rows, NULL), ERR_OK);
    kv_close(kv);
}
