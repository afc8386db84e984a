/* fakechat.c - see fakechat.h. The grammar is that of the official API's stream. */
#include "tests/fake/fakechat.h"

#include <string.h>

static const char *
finish_of(const struct fakereply *r)
{
    return r->plan.filter != 0   ? "content_filter"
           : r->plan.length != 0 ? "length"
           : r->call_count > 0   ? "tool_calls"
                                 : "stop";
}

static void
put_usage(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    uint64_t outs = (uint64_t)r->plan.out;
    fakebuf_add(out,
                "{'prompt_tokens':%u,'completion_tokens':%u,'total_tokens':%u,"
                "'prompt_tokens_details':{'cached_tokens':%u,'audio_tokens':0",
                in, outs, in + outs, (uint64_t)r->plan.cached);
    if (r->plan.write + r->plan.write1h > 0) {
        fakebuf_add(out, ",'cache_write_tokens':%u", (uint64_t)(r->plan.write + r->plan.write1h));
    }
    fakebuf_add(out,
                "},'completion_tokens_details':{'reasoning_tokens':%u,'audio_tokens':0,"
                "'accepted_prediction_tokens':0,'rejected_prediction_tokens':0}}",
                (uint64_t)r->plan.reason);
}

static void
chunk_begin(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out,
                "data: {'id':'chatcmpl-%x','object':'chat.completion.chunk',"
                "'created':" FAKEREPLY_TIME ",'model':%j,'choices':[",
                r->id, r->model, strlen(r->model));
}

static void
chunk_end(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out, r->include_usage ? "],'usage':null}\n\n" : "]}\n\n");
}

static void
delta_begin(const struct fakereply *r, struct fakebuf *out)
{
    chunk_begin(r, out);
    fakebuf_add(out, "{'index':0,'delta':{");
}

static void
delta_end(const struct fakereply *r, const char *finish, struct fakebuf *out)
{
    if (finish == NULL) {
        fakebuf_add(out, "},'logprobs':null,'finish_reason':null}");
    } else {
        fakebuf_add(out, "},'logprobs':null,'finish_reason':'%s'}", finish);
    }
    chunk_end(r, out);
}

static void
put_call(const struct fakereply *r, uint32_t index, bool whole, struct fakebuf *out)
{
    const struct fakecall *call = &r->calls[index];
    fakebuf_add(out, "'tool_calls':[{'index':%u,'id':'call_%x','type':'function',", (uint64_t)index,
                r->id + index);
    fakebuf_add(out, "'function':{'name':%j,'arguments':%j}}]", call->name, strlen(call->name),
                call->args.data, whole ? call->args.len : (size_t)0);
}

static void
open_stream(const struct fakereply *r, struct fakebuf *out)
{
    delta_begin(r, out);
    if (r->call_count > 0) {
        fakebuf_add(out, "'role':'assistant','content':null,");
        put_call(r, 0, false, out);
    } else {
        fakebuf_add(out, "'role':'assistant','content':'','refusal':null");
    }
    delta_end(r, NULL, out);
    if (r->plan.reason > 0) {
        delta_begin(r, out);
        fakebuf_add(out, "'reasoning_content':'Thinking.'");
        delta_end(r, NULL, out);
    }
}

static void
close_stream(const struct fakereply *r, struct fakebuf *out)
{
    for (uint32_t i = 1; i < r->call_count; i++) {
        delta_begin(r, out);
        put_call(r, i, true, out);
        delta_end(r, NULL, out);
    }
    delta_begin(r, out);
    delta_end(r, finish_of(r), out);
    if (r->include_usage && r->plan.nousage == 0) {
        chunk_begin(r, out);
        fakebuf_add(out, "],'usage':");
        put_usage(r, out);
        fakebuf_add(out, "}\n\n");
    }
    fakebuf_add(out, "data: [DONE]\n\n");
}

void
fakechat_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    if (step == 0) {
        open_stream(r, out);
    } else if (step > r->chunks) {
        close_stream(r, out);
    } else {
        delta_begin(r, out);
        if (r->call_count > 0) {
            fakebuf_add(out, "'tool_calls':[{'index':0,'function':{'arguments':%j}}]", piece.p,
                        piece.n);
        } else {
            fakebuf_add(out, "'content':%j", piece.p, piece.n);
        }
        delta_end(r, NULL, out);
    }
}

static void
put_calls(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out, ",'tool_calls':[");
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct fakecall *call = &r->calls[i];
        fakebuf_add(out, "%s{'id':'call_%x','type':'function',", i == 0 ? "" : ",", r->id + i);
        fakebuf_add(out, "'function':{'name':%j,'arguments':%j}}", call->name, strlen(call->name),
                    call->args.data, call->args.len);
    }
    fakebuf_add(out, "]");
}

void
fakechat_whole(struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out,
                "{'id':'chatcmpl-%x','object':'chat.completion','created':" FAKEREPLY_TIME
                ",'model':%j,'choices':[{'index':0,'message':{'role':'assistant','content':",
                r->id, r->model, strlen(r->model));
    if (r->call_count > 0) {
        fakebuf_add(out, "null");
    } else {
        struct fakebuf text = { 0 };
        fakereply_text(r, &text);
        fakebuf_json(out, text.data, text.len);
        fakebuf_free(&text);
    }
    fakebuf_add(out, ",'refusal':null");
    if (r->plan.reason > 0) {
        fakebuf_add(out, ",'reasoning_content':'Thinking.'");
    }
    if (r->call_count > 0) {
        put_calls(r, out);
    }
    fakebuf_add(out, ",'annotations':[]},'logprobs':null,'finish_reason':'%s'}]", finish_of(r));
    if (r->plan.nousage == 0) {
        fakebuf_add(out, ",'usage':");
        put_usage(r, out);
    }
    fakebuf_add(out, ",'service_tier':'default','system_fingerprint':'fp_fake'}");
}
