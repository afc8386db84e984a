/* fakegemini.c - see fakegemini.h. */
#include "tests/fake/fakegemini.h"

#include <string.h>

static const char *
finish_of(const struct fakereply *r)
{
    return r->plan.filter != 0 ? "SAFETY" : r->plan.length != 0 ? "MAX_TOKENS" : "STOP";
}

static void
put_usage(const struct fakereply *r, bool final, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    uint64_t outs = (uint64_t)r->plan.out;
    uint64_t thoughts = (uint64_t)r->plan.reason;
    fakebuf_add(out, ",'usageMetadata':{'promptTokenCount':%u", in);
    if (final) {
        fakebuf_add(out, ",'candidatesTokenCount':%u", outs > thoughts ? outs - thoughts : 0);
    }
    fakebuf_add(out, ",'totalTokenCount':%u", final ? in + outs : in);
    if (final && thoughts > 0) {
        fakebuf_add(out, ",'thoughtsTokenCount':%u", thoughts);
    }
    if (r->plan.cached > 0) {
        fakebuf_add(out, ",'cachedContentTokenCount':%u", (uint64_t)r->plan.cached);
    }
    fakebuf_add(out, ",'promptTokensDetails':[{'modality':'TEXT','tokenCount':%u}]}", in);
}

static void
put_end(const struct fakereply *r, bool final, struct fakebuf *out)
{
    fakebuf_add(out, "],'role':'model'}");
    if (final) {
        fakebuf_add(out, ",'finishReason':'%s'", finish_of(r));
    }
    fakebuf_add(out, ",'index':0}]");
    if (r->plan.nousage == 0) {
        put_usage(r, final, out);
    }
    fakebuf_add(out, ",'modelVersion':%j,'responseId':'gem%x'}", r->model, strlen(r->model), r->id);
}

static void
put_calls(const struct fakereply *r, struct fakebuf *out)
{
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct fakecall *call = &r->calls[i];
        fakebuf_add(out, "%s{'functionCall':{'name':%j,'args':%b}", i == 0 ? "" : ",", call->name,
                    strlen(call->name), &call->args);
        fakebuf_add(out, i == 0 ? ",'thoughtSignature':'" FAKEREPLY_SIGNATURE "'}" : "}");
    }
}

static void
frame_begin(const struct fakereply *r, bool first, struct fakebuf *out)
{
    fakebuf_add(out, !r->array ? "data: " : first ? "[" : ",\r\n");
    fakebuf_add(out, "{'candidates':[{'content':{'parts':[");
}

static void
frame_end(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out, r->array ? "" : "\n\n");
}

void
fakegemini_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    bool final = step > r->chunks;
    bool thinks = r->plan.reason > 0;
    if (step == 0 && !thinks) {
        return; /* The protocol has no opening event. */
    }
    frame_begin(r, step == 0 || (step == 1 && !thinks), out);
    if (step == 0) {
        fakebuf_add(out, "{'text':'Thinking.','thought':true}");
    } else if (final) {
        fakebuf_add(out, "{'text':''}");
    } else if (r->call_count > 0) {
        put_calls(r, out);
    } else {
        fakebuf_add(out, "{'text':%j}", piece.p, piece.n);
    }
    put_end(r, final, out);
    frame_end(r, out);
    if (final && r->array) {
        fakebuf_add(out, "]");
    }
}

void
fakegemini_whole(struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out, "{'candidates':[{'content':{'parts':[");
    if (r->plan.reason > 0) {
        fakebuf_add(out, "{'text':'Thinking.','thought':true},");
    }
    if (r->call_count > 0) {
        put_calls(r, out);
    } else {
        struct fakebuf text = { 0 };
        fakereply_text(r, &text);
        fakebuf_add(out, "{'text':%j}", text.data, text.len);
        fakebuf_free(&text);
    }
    put_end(r, true, out);
}
