/* fakeanthropic.c - see fakeanthropic.h. */
#include "tests/fake/fakeanthropic.h"

#include <string.h>

static const char *
finish_of(const struct fakereply *r)
{
    return r->plan.filter != 0   ? "refusal"
           : r->plan.length != 0 ? "max_tokens"
           : r->call_count > 0   ? "tool_use"
                                 : "end_turn";
}

static void
put_usage(const struct fakereply *r, uint64_t outs, struct fakebuf *out)
{
    uint64_t writes = (uint64_t)(r->plan.write + r->plan.write1h);
    fakebuf_add(out,
                "{'input_tokens':%u,'cache_creation_input_tokens':%u,"
                "'cache_read_input_tokens':%u,'cache_creation':{'ephemeral_5m_input_tokens':%u,"
                "'ephemeral_1h_input_tokens':%u},'output_tokens':%u",
                fakereply_fresh(r), writes, (uint64_t)r->plan.cached, (uint64_t)r->plan.write,
                (uint64_t)r->plan.write1h, outs);
    if (r->plan.reason > 0 && outs > 1) {
        fakebuf_add(out, ",'output_tokens_details':{'thinking_tokens':%u}",
                    (uint64_t)r->plan.reason);
    }
    fakebuf_add(out, ",'service_tier':'standard'}");
}

static void
block_stop(uint64_t index, struct fakebuf *out)
{
    fakebuf_add(out,
                "event: content_block_stop\n"
                "data: {'type':'content_block_stop','index':%u}\n\n",
                index);
}

static void
block_start(uint64_t index, struct fakebuf *out)
{
    fakebuf_add(out,
                "event: content_block_start\n"
                "data: {'type':'content_block_start','index':%u,'content_block':",
                index);
}

static void
delta_start(uint64_t index, struct fakebuf *out)
{
    fakebuf_add(out,
                "event: content_block_delta\n"
                "data: {'type':'content_block_delta','index':%u,'delta':",
                index);
}

static void
call_start(const struct fakereply *r, uint32_t call, uint64_t index, struct fakebuf *out)
{
    const char *name = r->calls[call].name;
    block_start(index, out);
    fakebuf_add(out, "{'type':'tool_use','id':'toolu_%x','name':%j,'input':{}}}\n\n", r->id + call,
                name, strlen(name));
    delta_start(index, out);
    fakebuf_add(out, "{'type':'input_json_delta','partial_json':''}}\n\n");
}

/* The index of the block that the pieces go to. */
static uint64_t
main_index(const struct fakereply *r)
{
    return r->plan.reason > 0 ? 1 : 0;
}

static void
open_stream(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out,
                "event: message_start\n"
                "data: {'type':'message_start','message':{'id':'msg_%x','type':'message',"
                "'role':'assistant','model':%j,'content':[],'stop_reason':null,"
                "'stop_sequence':null,'usage':",
                r->id, r->model, strlen(r->model));
    if (r->plan.nousage == 0) {
        put_usage(r, 1, out);
    } else {
        fakebuf_add(out, "{}");
    }
    fakebuf_add(out, "}}\n\n");
    if (r->plan.reason > 0) {
        block_start(0, out);
        fakebuf_add(out, "{'type':'thinking','thinking':'','signature':''}}\n\n");
        delta_start(0, out);
        fakebuf_add(out, "{'type':'thinking_delta','thinking':'Thinking.'}}\n\n");
        delta_start(0, out);
        fakebuf_add(out, "{'type':'signature_delta','signature':'" FAKEREPLY_SIGNATURE "'}}\n\n");
        block_stop(0, out);
    }
    if (r->call_count > 0) {
        call_start(r, 0, main_index(r), out);
    } else {
        block_start(main_index(r), out);
        fakebuf_add(out, "{'type':'text','text':''}}\n\n");
    }
    fakebuf_add(out, "event: ping\ndata: {'type':'ping'}\n\n");
}

static void
close_stream(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t index = main_index(r);
    block_stop(index, out);
    for (uint32_t i = 1; i < r->call_count; i++) {
        const struct fakebuf *args = &r->calls[i].args;
        index++;
        call_start(r, i, index, out);
        delta_start(index, out);
        fakebuf_add(out, "{'type':'input_json_delta','partial_json':%j}}\n\n", args->data,
                    args->len);
        block_stop(index, out);
    }
    fakebuf_add(out,
                "event: message_delta\n"
                "data: {'type':'message_delta','delta':{'stop_reason':'%s','stop_sequence':null}",
                finish_of(r));
    if (r->plan.nousage == 0) {
        fakebuf_add(out, ",'usage':");
        put_usage(r, (uint64_t)r->plan.out, out);
    }
    fakebuf_add(out, "}\n\nevent: message_stop\ndata: {'type':'message_stop'}\n\n");
}

void
fakeanthropic_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    if (step == 0) {
        open_stream(r, out);
    } else if (step > r->chunks) {
        close_stream(r, out);
    } else {
        delta_start(main_index(r), out);
        fakebuf_add(out,
                    r->call_count > 0 ? "{'type':'input_json_delta','partial_json':%j}}\n\n"
                                      : "{'type':'text_delta','text':%j}}\n\n",
                    piece.p, piece.n);
    }
}

static void
put_content(struct fakereply *r, struct fakebuf *out)
{
    if (r->plan.reason > 0) {
        fakebuf_add(out,
                    "{'type':'thinking','thinking':'Thinking.','signature':'" FAKEREPLY_SIGNATURE
                    "'},");
    }
    if (r->call_count == 0) {
        struct fakebuf text = { 0 };
        fakereply_text(r, &text);
        fakebuf_add(out, "{'type':'text','text':%j}", text.data, text.len);
        fakebuf_free(&text);
    }
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct fakecall *call = &r->calls[i];
        fakebuf_add(out, "%s{'type':'tool_use','id':'toolu_%x','name':%j,'input':%b}",
                    i == 0 ? "" : ",", r->id + i, call->name, strlen(call->name), &call->args);
    }
}

void
fakeanthropic_whole(struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out, "{'id':'msg_%x','type':'message','role':'assistant','model':%j,'content':[",
                r->id, r->model, strlen(r->model));
    put_content(r, out);
    fakebuf_add(out, "],'stop_reason':'%s','stop_sequence':null", finish_of(r));
    if (r->plan.nousage == 0) {
        fakebuf_add(out, ",'usage':");
        put_usage(r, (uint64_t)r->plan.out, out);
    }
    fakebuf_add(out, "}");
}
