/* Reports that are long, that nobody waits for, and that are too many. */
#include "tests/unit/admin/office.h"

#include "admin/reporter.h"

#define RECORDS 12u /* what fits the ring */

static void
fill(struct office_worker *worker)
{
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct lease_data data = { .start_ms = 1, .account_id = 1 };
        struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                        .start_wall_ms = clock_wall_ms(),
                                        .is_last = 1 };
        snprintf(record.request_id, sizeof record.request_id, "req_%u", i);
        lease_settle(&worker->leases, office_begin(worker, &data), &worker->ring, &record, NULL);
    }
}

static int
ask_without_reading(const struct office *office, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char head[256];
    cr_assert(str_copy(address.sun_path, sizeof address.sun_path, str_of(office->path)));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    int length = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    cr_assert(send(fd, head, (size_t)length, 0) == length);
    return fd;
}

Test(reporter, whose_admins_leave_do_not_stay, .timeout = 60)
{
    struct office_worker worker;
    struct office *office = office_furnish();
    office_hire(office, &worker);
    fill(&worker);
    office_fork(office, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "req_11"));
    for (int round = 0; round < 20; round++) {
        close(ask_without_reading(office, "/v1/ledger/export?format=jsonl"));
    }
    /* All places are free again. */
    bool is_served = false;
    for (int tries = 0; tries < 100 && !is_served; tries++) {
        is_served = office_ask(office, "GET", "/v1/ledger/verify", "") == 200;
    }
    cr_expect(is_served && office_says(office, "\"records\":12"), "%s", office->body);
    office_dismiss(office, &worker);
    office_close(office);
}

Test(reporter, out_takes_any_amount_in_pieces_and_notices_a_reader_that_left)
{
    int ends[2];
    static char bytes[300000];
    memset(bytes, 'x', sizeof bytes);
    cr_assert(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct reporter_out out = { .fd = ends[1] };
        close(ends[0]);
        buf_init(&out.buf, 2 * 65536);
        reporter_put(&out, str_make(bytes, sizeof bytes));
        reporter_put(&out, str_make(bytes, 100000));
        buf_fini(&out.buf);
        _exit(out.is_broken ? 1 : 0);
    }
    close(ends[1]);
    size_t total = 0;
    ssize_t got;
    while ((got = read(ends[0], bytes, sizeof bytes)) > 0) {
        total += (size_t)got;
    }
    cr_expect_eq(tempdir_wait(pid), 0);
    cr_expect(total > 300000 && total <= 400000, "%zu: the rest waits for more", total);
    close(ends[0]);

    signal(SIGPIPE, SIG_IGN);
    cr_assert(pipe(ends) == 0);
    close(ends[0]);
    struct reporter_out out = { .fd = ends[1] };
    buf_init(&out.buf, 2 * 65536);
    reporter_put(&out, str_make(bytes, sizeof bytes));
    cr_expect(out.is_broken);
    buf_fini(&out.buf);
    close(ends[1]);
}

Test(reporter, ends_with_its_recorder, .timeout = 60)
{
    struct office *office = office_open();
    int fds[3];
    cr_assert_eq(office_ask(office, "GET", "/v1/status", ""), 200); /* it is up */
    for (int i = 0; i < 3; i++) {
        fds[i] = ask_without_reading(office, "/v1/ledger/verify");
    }
    office_close(office);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
}
