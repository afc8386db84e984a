#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

Test(buf, grows_up_to_its_bound)
{
    struct buf buf;
    buf_init(&buf, 10000);
    cr_assert_eq(buf.cap, 0);
    cr_assert_eq(buf_room(&buf), 10000);
    cr_assert_eq(buf_str(&buf).len, 0);
    for (int i = 0; i < 10; i++) {
        char part[1000];
        memset(part, 'a' + i, sizeof(part));
        cr_assert_eq(buf_append(&buf, str_make(part, sizeof(part))), ERR_OK);
    }
    cr_assert_eq(buf.cap, 10000);
    cr_assert_eq(buf_append(&buf, STR("x")), ERR_FULL);
    cr_assert_eq(buf_reserve(&buf, 1), ERR_FULL);
    cr_assert_eq(buf_len(&buf), 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        cr_assert_eq(buf_str(&buf).data[i], (char)('a' + i / 1000));
    }
    buf_fini(&buf);
    cr_assert_null(buf.data);
}

Test(buf, appends_all_or_nothing)
{
    struct buf buf;
    buf_init(&buf, 8);
    cr_assert_eq(buf_append(&buf, STR("12345")), ERR_OK);
    cr_assert_eq(buf_append(&buf, STR("6789")), ERR_FULL);
    cr_assert(str_equal(buf_str(&buf), STR("12345")));
    cr_assert_eq(buf_append(&buf, (struct str){ NULL, 0 }), ERR_OK);
    buf_consume(&buf, 4);
    /* The room at the front counts: the rest is moved. */
    cr_assert_eq(buf_append(&buf, STR("6789")), ERR_OK);
    cr_assert(str_equal(buf_str(&buf), STR("56789")));
    buf_fini(&buf);
}

Test(buf, formats_up_to_the_last_byte)
{
    struct buf buf;
    buf_init(&buf, 8);
    cr_assert_eq(buf_printf(&buf, "%s", ""), ERR_OK);
    cr_assert_eq(buf_printf(&buf, "%d", 1234), ERR_OK);
    cr_assert_eq(buf_printf(&buf, "%d", 56789), ERR_FULL);
    cr_assert_eq(buf_printf(&buf, "%d", 5678), ERR_OK);
    cr_assert(str_equal(buf_str(&buf), STR("12345678")));
    buf_fini(&buf);
}

Test(buf, gives_its_memory_back_when_empty)
{
    struct buf buf;
    buf_init(&buf, 100000);
    cr_assert_eq(buf_append(&buf, STR("abc")), ERR_OK);
    buf_shrink(&buf);
    cr_assert_not_null(buf.data);
    buf_consume(&buf, 3);
    buf_shrink(&buf);
    cr_assert_null(buf.data);
    cr_assert_eq(buf.cap, 0);
    cr_assert_eq(buf.cap_max, 100000);
    buf_shrink(&buf);
    cr_assert_eq(buf_append(&buf, STR("abc")), ERR_OK);
    buf_clear(&buf);
    cr_assert_eq(buf_len(&buf), 0);
    cr_assert_not_null(buf.data);
    buf_fini(&buf);
    buf_fini(&buf);
}

Test(buf, refuses_to_consume_more_than_there_is, .signal = SIGABRT)
{
    struct buf buf;
    buf_init(&buf, 100);
    cr_assert_eq(buf_append(&buf, STR("abc")), ERR_OK);
    buf_consume(&buf, 4);
}

/* Against a plain array: what is appended comes out in order, whatever the steps. */
Test(buf, is_a_queue_of_bytes)
{
    struct buf bufs[3];
    unsigned char in[3] = { 0 };
    unsigned char out[3] = { 0 };
    for (size_t i = 0; i < 3; i++) {
        buf_init(&bufs[i], 1u << (10 + 4 * i));
    }
    srand(7);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand() % 3;
        struct buf *buf = &bufs[i];
        uint32_t bytes = (uint32_t)rand() % 700;
        switch (rand() % 8) {
        case 0:
        case 1:
        case 2:
        case 3:
            if (bytes > buf_room(buf)) {
                cr_assert_eq(buf_reserve(buf, bytes), ERR_FULL);
                break;
            }
            cr_assert_eq(buf_reserve(buf, bytes), ERR_OK);
            cr_assert(buf_tail_bytes(buf) >= bytes);
            for (uint32_t j = 0; j < bytes; j++) {
                buf_tail(buf)[j] = (char)in[i]++;
            }
            buf_added(buf, bytes);
            break;
        case 4:
            buf_shrink(buf);
            break;
        default:
            bytes = bytes > buf_len(buf) ? buf_len(buf) : bytes;
            for (uint32_t j = 0; j < bytes; j++) {
                cr_assert_eq((unsigned char)buf_str(buf).data[j], out[i]++);
            }
            buf_consume(buf, bytes);
            break;
        }
        cr_assert_eq((unsigned char)(in[i] - out[i]), (unsigned char)buf_len(buf));
    }
    for (size_t i = 0; i < 3; i++) {
        buf_fini(&bufs[i]);
    }
}

Test(buf, keeps_a_bounded_number_of_spare_pieces)
{
    static struct buf bufs[BUF_SPARES_MAX + 20];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < BUF_SPARES_MAX + 20; i++) {
            buf_init(&bufs[i], 65536);
            cr_assert_eq(buf_reserve(&bufs[i], i % 2 == 0 ? 4096 : 16384), ERR_OK);
            memset(buf_tail(&bufs[i]), 1, buf_tail_bytes(&bufs[i]));
        }
        for (size_t i = 0; i < BUF_SPARES_MAX + 20; i++) {
            buf_fini(&bufs[i]);
        }
    }
}
