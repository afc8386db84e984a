/* fakeserve.c - see fakeserve.h. */
#include "tests/fake/fakeserve.h"

#include "tests/fake/fakeanswer.h"
#include "tests/fake/fakejson.h"
#include "tests/fake/fakeother.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NORMAL_GAP_MS 15 /* between the pieces of a model that no word steers */

static const char *api_key;
static struct fakeplan base_plan;
static bool base_made;

void
fakeserve_set_api_key(const char *key)
{
    api_key = key;
}

void
fakeserve_set_plan(const char *words)
{
    fakeplan_init(&base_plan);
    fakeplan_read_words(&base_plan, (struct fakespan){ words, strlen(words) });
    base_made = true;
}

/* The client's credential, wherever the dialect puts it. */
static struct fakespan
credential(const struct fakehead *head)
{
    struct fakespan value = fakehttp_field(head, "authorization");
    if (value.n > 7 && memcmp(value.p, "Bearer ", 7) == 0) {
        return (struct fakespan){ value.p + 7, value.n - 7 };
    }
    static const char *const names[] = { "x-api-key", "x-goog-api-key", "api-key" };
    for (size_t i = 0; i < 3; i++) {
        value = fakehttp_field(head, names[i]);
        if (value.n > 0) {
            return value;
        }
    }
    return fakehttp_query(head, "key");
}

static void
make_plan(struct fakeplan *plan, const struct fakeask *ask, const struct fakehead *head)
{
    if (base_made) {
        *plan = base_plan;
    } else {
        fakeplan_init(plan);
    }
    struct fakespan model = { ask->model, strlen(ask->model) };
    if (model.n > 7 && memcmp(model.p, "models/", 7) == 0) {
        model.p += 7;
        model.n -= 7;
    }
    fakeplan_read_name(plan, credential(head));
    fakeplan_read_name(plan, model);
    fakeplan_read_words(plan, fakehttp_field(head, "x-fake"));
    if (plan->gap < 0) {
        plan->gap = plan->steered ? 0 : NORMAL_GAP_MS;
    }
}

static bool
control(struct fakeconn *c, const struct fakehead *head)
{
    struct fakebuf body = { 0 };
    uint64_t status = 200;
    if (fakebuf_equals(head->path, "/__fake/stats")) {
        fakebook_write_stats(&body);
    } else if (fakebuf_equals(head->path, "/__fake/requests")) {
        fakebook_write_requests(fakejson_number(fakehttp_query(head, "n"), 1000), &body);
    } else if (fakebuf_equals(head->path, "/__fake/reset")) {
        fakebook_reset();
        fakebuf_add(&body, "{}");
    } else {
        status = 404;
        fakebuf_add(&body, "{'error':'no such control'}");
    }
    bool alive = fakeanswer_body(c, status, "application/json", &body);
    fakebuf_free(&body);
    return alive;
}

static bool
refuse(struct fakeconn *c, const struct fakeask *ask, const struct fakehead *head, bool *refused)
{
    *refused = true;
    if (api_key != NULL && !fakebuf_equals(credential(head), api_key)) {
        fakebook_all.denied++;
        return fakeanswer_error(c, ask->dialect, 401, "invalid_api_key",
                                "Incorrect API key provided.");
    }
    if (ask->op == FAKEOP_NONE) {
        return fakeanswer_error(c, ask->dialect, 404, NULL, "Unknown request URL.");
    }
    if (ask->op == FAKEOP_METHOD) {
        return fakeanswer_error(c, ask->dialect, 405, NULL, "Not allowed to use this method.");
    }
    if (ask->wrong != NULL) {
        return fakeanswer_error(c, ask->dialect, 400, NULL, ask->wrong);
    }
    *refused = false;
    return true;
}

/* What a framework or a web server says where there is nothing. */
static bool
answer_nowhere(struct fakeconn *c, const struct fakeplan *plan)
{
    struct fakebuf body = { 0 };
    const char *type = plan->lackpage == 0 ? "application/json" : "text/html";
    if (plan->lackpage == 0) {
        fakebuf_add(&body, "{'detail':'Not Found'}");
    } else if (plan->lackpage == 1) {
        fakebuf_add(&body, "<html><head><title>404</title></head><body><h1>404 Not Found</h1>"
                           "</body></html>\n");
    }
    bool alive = fakeanswer_body(c, (uint64_t)plan->lackas, type, &body);
    fakebuf_free(&body);
    return alive;
}

/* Lists and single models, the root: no plan, no reply. */
static bool
answer_get(struct fakeconn *c, const struct fakeask *ask, bool head_only)
{
    struct fakebuf body = { 0 };
    bool alive;
    if (ask->op == FAKEOP_ROOT) {
        fakebuf_add(&body, head_only ? "" : "{'fake':'provider'}");
    } else if (ask->op == FAKEOP_MODELS) {
        fakeother_models(ask->dialect, &body);
    } else if (!fakeother_model(ask->dialect, ask->model, &body)) {
        return fakeanswer_error(c, ask->dialect, 404, "model_not_found",
                                "The model does not exist or you do not have access to it.");
    }
    alive = fakeanswer_body(c, 200, "application/json", &body);
    fakebuf_free(&body);
    return alive;
}

static bool
start(struct fakeconn *c, const struct fakeask *ask, const struct fakeplan *plan)
{
    struct fakebuf ready = { 0 };
    bool made = true;
    c->reply = calloc(1, sizeof(*c->reply));
    if (c->reply == NULL) {
        exit(1);
    }
    fakereply_init(c->reply, ask, plan);
    if (ask->op == FAKEOP_EMBED || ask->op == FAKEOP_BATCH_EMBED) {
        fakeother_embeddings(ask, plan, &ready);
    } else if (ask->op == FAKEOP_RERANK) {
        fakeother_rerank(ask, plan, &ready);
    } else if (ask->plain_text) {
        fakereply_text(c->reply, &ready);
    } else {
        made = false;
    }
    bool alive = true;
    if (plan->hang == 0 && plan->stream == 0) {
        c->phase = FAKEPHASE_HANG;
    } else if (plan->slowhead > 0 && !made) {
        c->phase = FAKEPHASE_WAIT;
        fakenet_wake_at(c, fakenet_now() + (uint64_t)plan->slowhead * 1000u);
    } else {
        alive = fakeanswer_begin(c, made ? &ready : NULL);
    }
    fakebuf_free(&ready);
    return alive;
}

bool
fakeserve_request(struct fakeconn *c, const struct fakehead *head, struct fakespan body)
{
    struct fakeask ask;
    struct fakeplan plan;
    bool refused;
    fakeask_route(&ask, head);
    c->array = ask.array;
    fakenet_wake_at(c, FAKENET_NEVER);
    if (ask.op == FAKEOP_CONTROL) {
        return control(c, head);
    }
    bool get = ask.op == FAKEOP_ROOT || ask.op == FAKEOP_MODELS || ask.op == FAKEOP_MODEL;
    bool known = ask.op != FAKEOP_NONE && ask.op != FAKEOP_METHOD;
    if (!get && known) {
        fakeask_read(&ask, head, body);
    }
    fakebook_request(head, body, ask.images);
    c->stat = fakebook_stat(ask.model[0] == '\0' ? "(none)" : ask.model);
    c->stat->requests++;
    fakebook_all.total.requests++;
    fakebook_all.open++;
    struct fakespan account = credential(head);
    snprintf(c->account, sizeof(c->account), "%.*s", (int)account.n, account.p);
    bool alive = refuse(c, &ask, head, &refused);
    if (refused) {
        return alive;
    }
    if (get) {
        return answer_get(c, &ask, fakebuf_equals(head->method, "HEAD"));
    }
    make_plan(&plan, &ask, head);
    if (plan.first > 0 && c->stat->requests > (uint64_t)plan.first) {
        fakeplan_heal(&plan);
    }
    if (ask.op == FAKEOP_GENERATE && ((uint64_t)plan.lack >> ask.dialect & 1u) != 0) {
        return answer_nowhere(c, &plan);
    }
    return start(c, &ask, &plan);
}
