#include "worker/dispatch.h"

#include <string.h>

#include "base/check.h"
#include "proto/hub.h"
#include "proto/splice.h"
#include "shm/lease.h"
#include "store/match.h"
#include "upstream/request.h"
#include "worker/relay.h"

struct str
dispatch_model(const struct relay *relay)
{
    CHECK(relay->view != NULL && relay->group < relay->view->group_count);
    const struct group *group = &relay->view->groups[relay->group].group;
    return relay->model.len == 0 ? relay->model : match_mapped(group->model_map, relay->model);
}

static void
note_account(struct relay *relay, struct str sent)
{
    struct lease_data *data = lease_edit(&relay->worker->leases, relay->lease);
    const struct account *account = &relay->choice.account->account;
    data->account_id = account->id;
    data->gate_account = relay->choice.gate;
    data->attempt = (uint8_t)relay->tried_count;
    data->upstream_dialect = (uint8_t)bridge_row(relay)->dialect;
    data->sticky = (uint8_t)affinity_judge(&relay->affinity, account->id);
    memcpy(data->account_name, account->name, sizeof data->account_name);
    size_t length = sent.len < sizeof data->model_sent ? sent.len : sizeof data->model_sent - 1;
    if (length > 0) {
        memcpy(data->model_sent, sent.data, length);
    }
    data->model_sent[length] = '\0';
    lease_done(&relay->worker->leases, relay->lease);
    charge_account(relay, sent);
}

/* Where a dialect says how hard to think, in a word that the group's map knows. */
static struct str
effort_path_of(enum endpoint endpoint)
{
    bool is_chat = endpoint == ENDPOINT_CHAT;
    bool is_responses = endpoint == ENDPOINT_RESPONSES;
    return is_chat                         ? STR("reasoning_effort")
           : is_responses                  ? STR("reasoning.effort")
           : endpoint == ENDPOINT_MESSAGES ? STR("output_config.effort")
                                           : STR("");
}

static bool
begins(const struct relay *relay, struct str name, struct str with)
{
    struct str value = header_find(&relay->request->head.headers, name);
    return value.len >= with.len && str_equal_nocase(str_make(value.data, with.len), with);
}

/* The group's default, for clients that bring none. Codex has its own, as a message of the input.
 */
static struct str
instructions_of(const struct relay *relay)
{
    const char *text = relay->view->groups[relay->group].group.instructions;
    if (text[0] == '\0' || relay->row->endpoint != ENDPOINT_RESPONSES ||
        begins(relay, STR("originator"), STR("codex")) ||
        begins(relay, STR("user-agent"), STR("codex"))) {
        return STR("");
    }
    return str_of(text);
}

/* The body as this account gets it: its name of the model, usage asked for in chat streams, the
 * group's instructions and efforts. */
static enum err
make_body(struct relay *relay, struct str sent, struct splice *out)
{
    enum endpoint endpoint = relay->row->endpoint;
    bool is_chat = endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_COMPLETIONS;
    struct splice_want want = { .include_usage = false };
    relay->added_usage = is_chat && relay->wants_stream && relay->peek->usage != PEEK_USAGE_ON &&
                         relay->peek->usage != PEEK_USAGE_ODD && !relay->peek->is_multipart;
    want.include_usage = relay->added_usage;
    want.instructions = instructions_of(relay);
    want.effort_map = str_of(relay->view->groups[relay->group].group.effort_map);
    want.effort_path = effort_path_of(endpoint);
    bool in_body = (relay->row->flags & ENDPOINT_MODEL_BODY) != 0;
    if (in_body && sent.data != relay->model.data && relay->peek->model_span.bytes > 0) {
        want.model = sent;
    }
    bool in_both =
        relay->row->dialect == DIALECT_GEMINI && (relay->row->flags & ENDPOINT_MODEL_PATH);
    if (in_both && sent.data != relay->model.data) {
        want.model = sent;
        want.is_gemini = true;
    }
    return splice_make(relay->request->body, relay->peek, &want, &relay->request->arena, out);
}

/* Of the client's head nothing goes along: it speaks of another API. */
static enum err
make_translated(struct relay *relay, struct str sent, struct str pieces[CLIENT_PIECES_MAX],
                struct hub_problem *problem)
{
    static struct header accept[] = { { { "accept", 6 }, { "text/event-stream", 17 } } };
    static const struct header_list for_stream = { .count = 1, .items = accept };
    enum err err = bridge_encode(relay, sent, &pieces[1], problem);
    if (err != ERR_OK) {
        return err;
    }
    struct request_want want = { .target = relay->choice.account->extra,
                                 .account = relay->choice.account,
                                 .endpoint = bridge_row(relay)->endpoint,
                                 .method = STR("POST"),
                                 .model = sent,
                                 .headers = relay->bridge.asks_stream ? &for_stream : NULL,
                                 .body_bytes = pieces[1].len,
                                 .has_body = true,
                                 .wants_sse = relay->wants_stream };
    return request_head(&want, &relay->request->arena, &pieces[0]);
}

enum err
dispatch_make(struct relay *relay, struct str pieces[CLIENT_PIECES_MAX], uint32_t *out_count,
              struct hub_problem *problem)
{
    const struct catalog_account *account = relay->choice.account;
    struct str sent = match_mapped(account->account.model_map, dispatch_model(relay));
    if (bridge_is_on(relay)) {
        enum err failed = make_translated(relay, sent, pieces, problem);
        if (failed == ERR_OK) {
            *out_count = 2;
            note_account(relay, sent);
        }
        return failed;
    }
    struct splice splice;
    enum err err = make_body(relay, sent, &splice);
    if (err != ERR_OK) {
        return err;
    }
    struct request_want want = { .target = account->extra,
                                 .account = account,
                                 .endpoint = relay->row->endpoint,
                                 .method = relay->request->head.method,
                                 .model = sent,
                                 .query = relay->request->head.query,
                                 .headers = &relay->request->head.headers,
                                 .body_bytes = splice.bytes,
                                 .has_body = true,
                                 .wants_sse = relay->wants_sse };
    err = request_head(&want, &relay->request->arena, &pieces[0]);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(&pieces[1], splice.pieces, splice.count * sizeof pieces[0]);
    *out_count = 1 + splice.count;
    note_account(relay, sent);
    return ERR_OK;
}

_Static_assert(CLIENT_PIECES_MAX >= 1 + SPLICE_PIECES_MAX, "a head and a spliced body");

void
dispatch_refuse(struct relay *relay, enum err err, const struct hub_problem *problem)
{
    struct reply reply = { .status = 503,
                           .code = "overloaded",
                           .message = STR("Out of memory for this request") };
    if (err == ERR_BAD && problem->status != 0) {
        reply = (struct reply){ .status = (uint16_t)problem->status,
                                .code = problem->code,
                                .message = str_of(problem->message),
                                .param = problem->param[0] == '\0' ? NULL : problem->param };
    } else if (err == ERR_BAD) {
        reply = (struct reply){ .status = 400,
                                .code = "invalid_request",
                                .message = STR("The model's name is not usable") };
    } else if (bridge_is_on(relay)) {
        reply = (struct reply){ .status = 413,
                                .code = "request_too_large",
                                .message = STR("The request is too large to be translated") };
    }
    relay_refuse(relay, &reply);
}
