/* fakeanswer.c - see fakeanswer.h. */
#include "tests/fake/fakeanswer.h"

#include "tests/fake/fakeother.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STEPS_PER_TURN 64  /* of one stream before others have their turn */
#define LINGER_US 1000000u /* waiting for the peer's end after ours */

static const char *
reason_of(uint64_t status)
{
    return status == 200   ? "OK"
           : status == 400 ? "Bad Request"
           : status == 401 ? "Unauthorized"
           : status == 404 ? "Not Found"
           : status == 429 ? "Too Many Requests"
           : status == 500 ? "Internal Server Error"
           : status == 502 ? "Bad Gateway"
           : status == 503 ? "Service Unavailable"
                           : "Fake";
}

static void
put_status(struct fakeconn *c, uint64_t status, const char *type)
{
    if (c->reply != NULL && c->reply->plan.interim != 0) {
        fakebuf_add(&c->out, "HTTP/1.1 103 Early Hints\r\nlink: </fake>\r\n\r\n");
    }
    fakebuf_add(&c->out, "HTTP/1.1 %u %s\r\ncontent-type: %s\r\n", status, reason_of(status), type);
    if (c->close_after) {
        fakebuf_add(&c->out, "connection: close\r\n");
    }
}

/* Fields that the words ask for; most tell who the provider is and must not reach a client. */
static void
put_plan_fields(struct fakeconn *c, const struct fakereply *r)
{
    const struct fakeplan *plan = &r->plan;
    fakebuf_add(&c->out,
                r->dialect == FAKEDIALECT_ANTHROPIC ? "request-id: req_%x\r\n"
                                                    : "x-request-id: req_%x\r\n",
                r->id);
    if (plan->headers != 0) {
        fakebuf_add(&c->out, "openai-organization: fake-organization\r\n"
                             "anthropic-organization-id: fake-organization\r\n"
                             "openai-processing-ms: 12\r\nset-cookie: fake=1; path=/\r\n"
                             "server: fake-server\r\nvia: 1.1 fake\r\ncf-ray: fake-ray\r\n"
                             "x-should-retry: false\r\n"
                             "x-ratelimit-remaining-requests: 99\r\n"
                             "anthropic-ratelimit-requests-remaining: 98\r\n");
    }
    if (plan->retryafter >= 0) {
        fakebuf_add(&c->out, "retry-after: %u\r\n", (uint64_t)plan->retryafter);
    }
    if (plan->gzip != 0) {
        fakebuf_add(&c->out, "content-encoding: gzip\r\n");
    }
    if (plan->hugehead > 0) {
        fakebuf_add(&c->out, "x-huge: ");
        for (int64_t i = 0; i < plan->hugehead && i < 10000000; i++) {
            fakebuf_put(&c->out, "h", 1);
        }
        fakebuf_add(&c->out, "\r\n");
    }
}

static void
write_served(const struct fakeconn *c, bool finished)
{
    struct fakeserved served = {
        .account = c->account, .model = c->stat->model, .dialect = "", .finished = finished
    };
    if (c->reply != NULL) {
        fakereply_served(c->reply, &served);
    }
    fakebook_served(&served);
}

static void
count_end(struct fakeconn *c, bool finished, bool stated)
{
    struct fakestat *both[2] = { c->stat, &fakebook_all.total };
    if (c->stat == NULL) {
        return;
    }
    write_served(c, finished);
    for (size_t i = 0; i < 2; i++) {
        both[i]->finished += finished ? 1 : 0;
        both[i]->aborted += finished ? 0 : 1;
        if (stated && c->reply != NULL && c->reply->plan.nousage == 0 && !c->reply->broken) {
            both[i]->in += (uint64_t)c->reply->plan.in;
            both[i]->out += (uint64_t)c->reply->plan.out;
        }
    }
    fakebook_all.open--;
    c->stat = NULL;
}

static void
fakeanswer_drop(struct fakeconn *c)
{
    if (c->reply != NULL) {
        fakereply_free(c->reply);
        free(c->reply);
        c->reply = NULL;
    }
}

void
fakeanswer_gone(struct fakeconn *c)
{
    count_end(c, false, false);
    fakeanswer_drop(c);
}

bool
fakeanswer_flushed(struct fakeconn *c)
{
    if (c->phase == FAKEPHASE_STEPS) {
        fakenet_wake_at(c, c->step_due);
        return true;
    }
    if (c->phase != FAKEPHASE_FLUSH) {
        return true;
    }
    count_end(c, true, c->reply != NULL);
    fakeanswer_drop(c);
    if (c->close_after) {
        shutdown(c->fd, SHUT_WR);
        c->phase = FAKEPHASE_LINGER;
        fakenet_wake_at(c, fakenet_now() + LINGER_US);
        return true;
    }
    c->phase = FAKEPHASE_READ;
    c->drip = 0;
    fakenet_wake_at(c, c->idle_close < 0 ? FAKENET_NEVER
                                         : fakenet_now() + (uint64_t)c->idle_close * 1000u);
    return true;
}

/* The answer is written; the rest is sending. */
static bool
end_answer(struct fakeconn *c)
{
    c->phase = FAKEPHASE_FLUSH;
    if (!fakenet_flush(c)) {
        return false;
    }
    return !fakenet_is_flushed(c) || fakeanswer_flushed(c);
}

/* An answer of ours that no provider would give: errors, control. */
bool
fakeanswer_body(struct fakeconn *c, uint64_t status, const char *type, const struct fakebuf *body)
{
    put_status(c, status, type);
    if (c->reply != NULL) {
        put_plan_fields(c, c->reply);
    }
    fakebuf_add(&c->out, "content-length: %u\r\n\r\n%b", (uint64_t)body->len, body);
    fakeanswer_drop(c); /* An error states no usage. */
    return end_answer(c);
}

bool
fakeanswer_error(struct fakeconn *c, enum fakedialect dialect, uint64_t status, const char *code,
                 const char *message)
{
    struct fakebuf body = { 0 };
    fakebuf_add(&body, c->array ? "[" : "");
    fakereply_error(dialect, status, code, message, &body);
    fakebuf_add(&body, c->array ? "]" : "");
    bool alive = fakeanswer_body(c, status, "application/json", &body);
    fakebuf_free(&body);
    return alive;
}

void
fakeanswer_bad(struct fakeconn *c)
{
    fakebook_all.bad++;
    fakebuf_add(&c->out, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n"
                         "\r\n");
}

static bool
answer_status(struct fakeconn *c)
{
    const struct fakereply *r = c->reply;
    uint64_t status = r->plan.html != 0 ? (uint64_t)r->plan.html : (uint64_t)r->plan.status;
    if (r->plan.html != 0) {
        struct fakebuf body = { 0 };
        fakebuf_add(&body,
                    "<html><head><title>%u Bad Gateway</title></head><body>\n"
                    "<h1>relay.example.invalid failed</h1></body></html>\n",
                    status);
        bool alive = fakeanswer_body(c, status, "text/html", &body);
        fakebuf_free(&body);
        return alive;
    }
    char message[192];
    bool names_model = status == 404 || r->plan.named != 0;
    snprintf(message, sizeof(message), "fake error %u%s%.127s", (unsigned)status,
             names_model ? " of model " : "", names_model ? r->model : "");
    const char *code = r->plan.quota != 0 ? "insufficient_quota"
                       : status == 429    ? "rate_limit_exceeded"
                       : status == 401    ? "invalid_api_key"
                                          : NULL;
    return fakeanswer_error(c, r->dialect, status, code, message);
}

/* One chunk: its size stands in six digits before the bytes, written last. */
static size_t
chunk_begin(struct fakeconn *c)
{
    if (c->framed) {
        fakebuf_put(&c->out, "000000\r\n", 8);
    }
    return c->out.len;
}

static void
chunk_end(struct fakeconn *c, size_t from)
{
    if (!c->framed) {
        return;
    }
    size_t size = c->out.len - from;
    if (size == 0) {
        c->out.len -= 8; /* An empty chunk would end the body. */
        return;
    }
    for (size_t i = 0; i < 6; i++) {
        c->out.data[from - 3 - i] = "0123456789abcdef"[(size >> (4 * i)) & 15u];
    }
    fakebuf_put(&c->out, "\r\n", 2);
}

static void
end_body(struct fakeconn *c)
{
    if (c->framed) {
        fakebuf_put(&c->out, "0\r\n\r\n", 5);
    } else {
        c->close_after = true;
    }
}

/* What goes wrong before step `step`; true when the answer's course has been changed. */
static bool
step_fault(struct fakeconn *c, uint64_t step, bool *alive)
{
    const struct fakeplan *plan = &c->reply->plan;
    int64_t done = step == 0 ? 0 : (int64_t)step - 1;
    size_t from;
    *alive = true;
    c->reply->broken = true;
    if (plan->cut >= 0 && done >= plan->cut) {
        fakenet_close(c, true);
        *alive = false;
    } else if (plan->hang >= 0 && done >= plan->hang) {
        c->phase = FAKEPHASE_HANG;
        *alive = fakenet_flush(c);
    } else if (plan->eof >= 0 && done >= plan->eof) {
        end_body(c);
        *alive = end_answer(c);
    } else if (plan->errstream >= 0 && done >= plan->errstream) {
        from = chunk_begin(c);
        fakereply_error_event(c->reply, &c->out);
        chunk_end(c, from);
        end_body(c);
        *alive = end_answer(c);
    } else if (plan->badjson >= 0 && done >= plan->badjson) {
        from = chunk_begin(c);
        fakebuf_add(&c->out, "data: {'choices':[{'delta':\n\n");
        chunk_end(c, from);
        end_body(c);
        *alive = end_answer(c);
    } else if (plan->badchunk >= 0 && done >= plan->badchunk) {
        fakebuf_add(&c->out, "zz\r\nnot a chunk\r\n");
        c->close_after = true;
        *alive = end_answer(c);
    } else {
        c->reply->broken = false;
        return false;
    }
    return true;
}

/* Writes steps until the next one is not due, the socket is full, or the turn is over. */
static bool
run_steps(struct fakeconn *c)
{
    uint64_t gap = (uint64_t)c->reply->plan.gap * 1000u;
    uint64_t due = c->step_due;
    bool burst = c->reply->plan.burst != 0;
    for (int turns = 0; turns < STEPS_PER_TURN || burst; turns++) {
        struct fakereply *r = c->reply;
        uint64_t step = r->step;
        bool alive;
        if (step_fault(c, step, &alive)) {
            return alive;
        }
        size_t from = chunk_begin(c);
        bool more = fakereply_step(r, &c->out);
        chunk_end(c, from);
        if (!more) {
            end_body(c);
            return end_answer(c);
        }
        bool opening = step == 0; /* Goes out together with the first piece. */
        if (!opening && !burst && !fakenet_flush(c)) {
            return false;
        }
        if (!opening && !burst && step < r->chunks && gap > 0) {
            due += gap;
            c->step_due = due;
            break;
        }
        if (!fakenet_is_flushed(c) && !opening && !burst) {
            c->step_due = due;
            return true; /* EPOLLOUT goes on from here. */
        }
    }
    if (fakenet_is_flushed(c)) {
        fakenet_wake_at(c, gap > 0 ? due : fakenet_now() + 1);
    }
    return true;
}

static bool
begin_stream(struct fakeconn *c)
{
    struct fakereply *r = c->reply;
    bool sse = !r->array;
    c->framed = !c->http10 && r->plan.eofbody == 0;
    c->close_after = c->close_after || !c->framed;
    put_status(c, 200,
               r->plan.plain != 0 ? "text/plain"
               : sse              ? "text/event-stream; charset=utf-8"
                                  : "application/json");
    put_plan_fields(c, r);
    fakebuf_add(&c->out, c->framed ? "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
                                   : "cache-control: no-cache\r\n\r\n");
    c->phase = FAKEPHASE_STEPS;
    c->step_due = fakenet_now();
    return run_steps(c);
}

static void
put_length(struct fakeconn *c, size_t bytes)
{
    const struct fakeplan *plan = &c->reply->plan;
    bool framed = plan->chunked != 0 && !c->http10;
    c->framed = framed;
    if (plan->eofbody != 0) {
        c->close_after = true;
    } else if (!framed) {
        fakebuf_add(&c->out, "content-length: %u\r\n",
                    (uint64_t)bytes + (plan->shortbody != 0 ? 100u : 0u));
    }
    if (plan->twolen != 0) {
        fakebuf_add(&c->out, "content-length: %u\r\n", (uint64_t)bytes + 1);
    }
    if (framed || plan->bothlen != 0) {
        fakebuf_add(&c->out, "transfer-encoding: chunked\r\n");
    }
    fakebuf_add(&c->out, "\r\n");
}

static bool
begin_whole(struct fakeconn *c, const struct fakebuf *ready)
{
    struct fakereply *r = c->reply;
    struct fakebuf made = { 0 };
    if (ready == NULL) {
        fakereply_whole(r, &made);
        ready = &made;
    }
    c->close_after = c->close_after || r->plan.eofbody != 0 || r->plan.shortbody != 0;
    put_status(c, 200,
               r->op == FAKEOP_SPEECH ? "audio/mpeg"
               : r->plan.plain != 0   ? "text/plain"
                                      : "application/json");
    put_plan_fields(c, r);
    put_length(c, ready->len);
    size_t keep = r->plan.cut > 0 ? ready->len / 2 : ready->len;
    size_t from = chunk_begin(c);
    fakebuf_put(&c->out, ready->data, keep);
    chunk_end(c, from);
    fakebuf_free(&made);
    if (r->plan.cut > 0) {
        c->phase = FAKEPHASE_FLUSH;
        if (fakenet_flush(c)) {
            fakenet_close(c, true);
        }
        return false;
    }
    if (c->framed) {
        end_body(c);
    }
    if (r->plan.extra != 0) {
        fakebuf_add(&c->out, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nextra");
    }
    return end_answer(c);
}

bool
fakeanswer_begin(struct fakeconn *c, const struct fakebuf *ready)
{
    struct fakereply *r = c->reply;
    const struct fakeplan *plan = &r->plan;
    c->drip = (uint32_t)plan->drip;
    c->close_after = c->close_after || plan->close != 0;
    c->close_next = plan->closeafter != 0;
    c->idle_close = plan->idleclose;
    if (plan->cut == 0) {
        fakenet_close(c, true);
        return false;
    }
    if (plan->garbage != 0) {
        r->broken = true;
        fakebuf_put(&c->out, "\x01\x02 this is no HTTP\r\n\r\n", 22);
        c->close_after = true;
        return end_answer(c);
    }
    if (plan->redirect != 0) {
        put_status(c, (uint64_t)plan->redirect, "text/plain");
        fakebuf_add(&c->out, "location: http://127.0.0.1:1/stolen\r\ncontent-length: 0\r\n\r\n");
        fakeanswer_drop(c);
        return end_answer(c);
    }
    if (plan->status != 0 || plan->html != 0) {
        return answer_status(c);
    }
    bool streams = r->stream && (r->op == FAKEOP_GENERATE || fakeother_streams(r->op));
    return streams ? begin_stream(c) : begin_whole(c, ready);
}

bool
fakeanswer_due(struct fakeconn *c)
{
    if (c->phase == FAKEPHASE_LINGER || c->phase == FAKEPHASE_READ) {
        fakenet_close(c, false); /* Linger is over, or idleclose. */
        return false;
    }
    if (!fakenet_is_flushed(c)) { /* drip */
        if (!fakenet_flush(c)) {
            return false;
        }
        return !fakenet_is_flushed(c) || fakeanswer_flushed(c);
    }
    if (c->phase == FAKEPHASE_WAIT) {
        return fakeanswer_begin(c, NULL);
    }
    return c->phase != FAKEPHASE_STEPS || run_steps(c);
}
