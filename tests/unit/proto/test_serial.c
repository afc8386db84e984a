/* Parts of an answer in a row, for dialects with one open part at a time. */
#include "proto/serial.h"

#include "tests/unit/proto/tape.h"

struct bench {
    struct arena arena;
    struct tape tape;
    struct serial serial;
    struct hub_sink to;
};

static struct bench *
set_up(void)
{
    static struct bench bench;
    arena_init(&bench.arena, 1 << 25);
    serial_init(&bench.serial, &bench.arena, tape_sink(&bench.tape));
    bench.to = (struct hub_sink){ .fn = serial_event, .context = &bench.serial };
    return &bench;
}

static void
tear_down(struct bench *bench)
{
    serial_fini(&bench->serial);
    arena_reset(&bench->arena);
}

Test(serial, lets_the_first_part_live_and_the_others_follow_in_order)
{
    struct bench *bench = set_up();
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_call(bench->to, 2, "f", "c2"));
    FED(tape_call(bench->to, 3, "g", "c3"));
    FED(tape_say(bench->to, 3, HUB_CALL, "{"));
    FED(tape_say(bench->to, 2, HUB_CALL, "{\"a\":"));
    FED(tape_say(bench->to, 1, HUB_TEXT, "live"));
    FED(tape_say(bench->to, 2, HUB_CALL, "1}"));
    FED(tape_close(bench->to, 2, HUB_CALL));
    HEARD(&bench->tape, "[1T 1+live");
    FED(tape_close(bench->to, 1, HUB_TEXT));
    HEARD(&bench->tape, "[1T 1+live 1] [2C:fc2 2+{\"a\":1} 2] [3C:gc3 3+{");
    FED(tape_say(bench->to, 3, HUB_CALL, "}"));
    FED(tape_close(bench->to, 3, HUB_CALL));
    HEARD(&bench->tape, "[1T 1+live 1] [2C:fc2 2+{\"a\":1} 2] [3C:gc3 3+{ 3+} 3]");
    tear_down(bench);
}

/* Texts of an event live during the call only: what waits has copies. */
Test(serial, keeps_copies_of_what_waits)
{
    struct bench *bench = set_up();
    char bytes[] = "signature";
    char url[] = "https://a";
    struct hub_signature signature = { .family = HUB_FAMILY_GEMINI, .bytes = str_of(bytes) };
    struct hub_annotation annotation = { .url = str_of(url) };
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_open(bench->to, 2, HUB_TEXT));
    FED(hub_emit(bench->to, &(struct hub_event){ .kind = HUB_SIGNATURE,
                                                 .part = 2,
                                                 .part_kind = HUB_TEXT,
                                                 .signature = &signature }));
    FED(hub_emit(bench->to, &(struct hub_event){ .kind = HUB_ANNOTATION,
                                                 .part = 2,
                                                 .part_kind = HUB_TEXT,
                                                 .annotation = &annotation }));
    memset(bytes, '?', sizeof bytes - 1);
    memset(url, '?', sizeof url - 1);
    memset(&signature, 0, sizeof signature);
    memset(&annotation, 0, sizeof annotation);
    FED(tape_close(bench->to, 2, HUB_TEXT));
    FED(tape_close(bench->to, 1, HUB_TEXT));
    HEARD(&bench->tape, "[1T 1] [2T 2#signature 2@https://a 2]");
    tear_down(bench);
}

Test(serial, lets_what_belongs_to_no_part_pass)
{
    struct bench *bench = set_up();
    FED(tape_simple(bench->to, HUB_START));
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_open(bench->to, 2, HUB_TEXT));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S [1T F0=0 E");
    tear_down(bench);
}

Test(serial, bounds_what_waits_and_hands_on_what_the_sink_says)
{
    static char block[1 << 20];
    struct bench *bench = set_up();
    struct hub_event delta = {
        .kind = HUB_DELTA, .part = 2, .part_kind = HUB_TEXT, .text = str_make(block, sizeof block)
    };
    memset(block, 'x', sizeof block);
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_open(bench->to, 2, HUB_TEXT));
    enum err err = ERR_OK;
    uint64_t bytes = 0;
    while (err == ERR_OK && bytes <= TRANSLATE_QUEUE_BYTES_MAX) {
        err = hub_emit(bench->to, &delta);
        bytes += err == ERR_OK ? sizeof block : 0;
    }
    cr_expect_eq(err, ERR_FULL);
    cr_expect_eq(bytes, TRANSLATE_QUEUE_BYTES_MAX);
    bench->tape.answer = ERR_FULL;
    cr_expect_eq(tape_say(bench->to, 1, HUB_TEXT, "a"), ERR_FULL);
    tear_down(bench);
}
