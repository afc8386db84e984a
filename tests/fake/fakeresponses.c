/* fakeresponses.c - see fakeresponses.h. */
#include "tests/fake/fakeresponses.h"

#include <string.h>

static void
put_usage(const struct fakereply *r, struct fakebuf *out)
{
    uint64_t in = (uint64_t)r->plan.in;
    uint64_t outs = (uint64_t)r->plan.out;
    fakebuf_add(out, "{'input_tokens':%u,'input_tokens_details':{'cached_tokens':%u", in,
                (uint64_t)r->plan.cached);
    if (r->plan.write + r->plan.write1h > 0) {
        fakebuf_add(out, ",'cache_write_tokens':%u", (uint64_t)(r->plan.write + r->plan.write1h));
    }
    fakebuf_add(out,
                "},'output_tokens':%u,'output_tokens_details':{'reasoning_tokens':%u},"
                "'total_tokens':%u}",
                outs, (uint64_t)r->plan.reason, in + outs);
}

static void
put_reasoning(const struct fakereply *r, bool done, struct fakebuf *out)
{
    fakebuf_add(out, "{'id':'rs_%x','type':'reasoning','summary':[", r->id);
    if (done) {
        fakebuf_add(out, "{'type':'summary_text','text':'Thinking.'}],"
                         "'encrypted_content':'" FAKEREPLY_SIGNATURE "'}");
    } else {
        fakebuf_add(out, "]}");
    }
}

static void
put_call(const struct fakereply *r, uint32_t index, bool done, struct fakebuf *out)
{
    const struct fakecall *call = &r->calls[index];
    fakebuf_add(out,
                "{'id':'fc_%x','type':'function_call','status':'%s','arguments':%j,"
                "'call_id':'call_%x','name':%j}",
                r->id + index, done ? "completed" : "in_progress", call->args.data,
                done ? call->args.len : (size_t)0, r->id + index, call->name, strlen(call->name));
}

static void
put_message(const struct fakereply *r, const struct fakebuf *text, struct fakebuf *out)
{
    fakebuf_add(out, "{'id':'msg_%x','type':'message','status':'%s','role':'assistant','content':[",
                r->id, text == NULL ? "in_progress" : "completed");
    if (text != NULL) {
        fakebuf_add(out, "{'type':'output_text','annotations':[],'logprobs':[],'text':%j}",
                    text->data, text->len);
    }
    fakebuf_add(out, "]}");
}

static void
put_compaction(const struct fakereply *r, struct fakebuf *out)
{
    fakebuf_add(out,
                "{'id':'cmp_%x','type':'compaction','encrypted_content':'" FAKEREPLY_SIGNATURE "'}",
                r->id);
}

/* The output items, complete. */
static void
put_items(struct fakereply *r, struct fakebuf *out)
{
    if (r->compaction || r->op == FAKEOP_COMPACT) {
        put_compaction(r, out);
        return;
    }
    if (r->plan.reason > 0) {
        put_reasoning(r, true, out);
        fakebuf_add(out, ",");
    }
    for (uint32_t i = 0; i < r->call_count; i++) {
        fakebuf_add(out, i == 0 ? "" : ",");
        put_call(r, i, true, out);
    }
    if (r->call_count == 0) {
        struct fakebuf text = { 0 };
        fakereply_text(r, &text);
        put_message(r, &text, out);
        fakebuf_free(&text);
    }
}

/* The response object; `items` says whether its output is filled in. */
static void
put_response(struct fakereply *r, const char *status, bool items, struct fakebuf *out)
{
    const char *why = r->plan.filter != 0 ? "content_filter" : "max_output_tokens";
    bool incomplete = strcmp(status, "incomplete") == 0;
    fakebuf_add(out,
                "{'id':'resp_%x','object':'response','created_at':" FAKEREPLY_TIME
                ",'status':'%s','background':false,'error':null,'incomplete_details':",
                r->id, status);
    if (incomplete) {
        fakebuf_add(out, "{'reason':'%s'}", why);
    } else {
        fakebuf_add(out, "null");
    }
    fakebuf_add(out, ",'instructions':null,'max_output_tokens':null,'model':%j,'output':[",
                r->model, strlen(r->model));
    if (items) {
        put_items(r, out);
    }
    fakebuf_add(out, "],'parallel_tool_calls':true,'previous_response_id':null,"
                     "'reasoning':{'effort':null,'summary':null},'service_tier':'default',"
                     "'store':false,'temperature':1,'text':{'format':{'type':'text'}},"
                     "'tool_choice':'auto','tools':[],'top_p':1,'truncation':'disabled','usage':");
    if (items && r->plan.nousage == 0) {
        put_usage(r, out);
    } else {
        fakebuf_add(out, "null");
    }
    fakebuf_add(out, ",'user':null,'metadata':{}}");
}

static void
event_begin(struct fakereply *r, const char *type, struct fakebuf *out)
{
    fakebuf_add(out, "event: %s\ndata: {'type':'%s','sequence_number':%u", type, type,
                r->sequence++);
}

static void
event_end(struct fakebuf *out)
{
    fakebuf_add(out, "}\n\n");
}

static void
response_event(struct fakereply *r, const char *type, const char *status, bool items,
               struct fakebuf *out)
{
    event_begin(r, type, out);
    fakebuf_add(out, ",'response':");
    put_response(r, status, items, out);
    event_end(out);
}

static void
item_event(struct fakereply *r, const char *type, uint64_t index, struct fakebuf *out)
{
    event_begin(r, type, out);
    fakebuf_add(out, ",'output_index':%u,'item':", index);
}

static void
write_reasoning(struct fakereply *r, struct fakebuf *out)
{
    static const char place[] = ",'item_id':'rs_%x','output_index':0,'summary_index':0";
    item_event(r, "response.output_item.added", 0, out);
    put_reasoning(r, false, out);
    event_end(out);
    event_begin(r, "response.reasoning_summary_part.added", out);
    fakebuf_add(out, place, r->id);
    fakebuf_add(out, ",'part':{'type':'summary_text','text':''}");
    event_end(out);
    event_begin(r, "response.reasoning_summary_text.delta", out);
    fakebuf_add(out, place, r->id);
    fakebuf_add(out, ",'delta':'Thinking.'");
    event_end(out);
    event_begin(r, "response.reasoning_summary_text.done", out);
    fakebuf_add(out, place, r->id);
    fakebuf_add(out, ",'text':'Thinking.'");
    event_end(out);
    event_begin(r, "response.reasoning_summary_part.done", out);
    fakebuf_add(out, place, r->id);
    fakebuf_add(out, ",'part':{'type':'summary_text','text':'Thinking.'}");
    event_end(out);
    item_event(r, "response.output_item.done", 0, out);
    put_reasoning(r, true, out);
    event_end(out);
}

static uint64_t
main_index(const struct fakereply *r)
{
    return r->plan.reason > 0 ? 1 : 0;
}

static void
part_event(struct fakereply *r, const char *type, struct fakebuf *out)
{
    event_begin(r, type, out);
    fakebuf_add(out, ",'item_id':'msg_%x','output_index':%u,'content_index':0", r->id,
                main_index(r));
}

static void
open_stream(struct fakereply *r, struct fakebuf *out)
{
    response_event(r, "response.created", "in_progress", false, out);
    response_event(r, "response.in_progress", "in_progress", false, out);
    if (r->compaction) {
        return;
    }
    if (r->plan.reason > 0) {
        write_reasoning(r, out);
    }
    item_event(r, "response.output_item.added", main_index(r), out);
    if (r->call_count > 0) {
        put_call(r, 0, false, out);
        event_end(out);
        return;
    }
    put_message(r, NULL, out);
    event_end(out);
    part_event(r, "response.content_part.added", out);
    fakebuf_add(out, ",'part':{'type':'output_text','annotations':[],'logprobs':[],'text':''}");
    event_end(out);
}

static void
call_event(struct fakereply *r, uint32_t call, const char *type, struct fakebuf *out)
{
    event_begin(r, type, out);
    fakebuf_add(out, ",'item_id':'fc_%x','output_index':%u", r->id + call, main_index(r) + call);
}

static void
close_call(struct fakereply *r, uint32_t index, struct fakebuf *out)
{
    const struct fakecall *call = &r->calls[index];
    if (index > 0) {
        item_event(r, "response.output_item.added", main_index(r) + index, out);
        put_call(r, index, false, out);
        event_end(out);
        call_event(r, index, "response.function_call_arguments.delta", out);
        fakebuf_add(out, ",'delta':%j", call->args.data, call->args.len);
        event_end(out);
    }
    call_event(r, index, "response.function_call_arguments.done", out);
    fakebuf_add(out, ",'name':%j,'arguments':%j", call->name, strlen(call->name), call->args.data,
                call->args.len);
    event_end(out);
    item_event(r, "response.output_item.done", main_index(r) + index, out);
    put_call(r, index, true, out);
    event_end(out);
}

static void
close_message(struct fakereply *r, struct fakebuf *out)
{
    struct fakebuf text = { 0 };
    fakereply_text(r, &text);
    part_event(r, "response.output_text.done", out);
    fakebuf_add(out, ",'text':%j,'logprobs':[]", text.data, text.len);
    event_end(out);
    part_event(r, "response.content_part.done", out);
    fakebuf_add(out, ",'part':{'type':'output_text','annotations':[],'logprobs':[],'text':%j}",
                text.data, text.len);
    event_end(out);
    item_event(r, "response.output_item.done", main_index(r), out);
    put_message(r, &text, out);
    event_end(out);
    fakebuf_free(&text);
}

static void
close_stream(struct fakereply *r, struct fakebuf *out)
{
    if (r->compaction) {
        item_event(r, "response.output_item.added", 0, out);
        put_compaction(r, out);
        event_end(out);
        item_event(r, "response.output_item.done", 0, out);
        put_compaction(r, out);
        event_end(out);
    } else if (r->call_count == 0) {
        close_message(r, out);
    }
    for (uint32_t i = 0; i < r->call_count; i++) {
        close_call(r, i, out);
    }
    bool cut = r->plan.length != 0 || r->plan.filter != 0;
    response_event(r, cut ? "response.incomplete" : "response.completed",
                   cut ? "incomplete" : "completed", true, out);
}

void
fakeresponses_step(struct fakereply *r, uint64_t step, struct fakespan piece, struct fakebuf *out)
{
    if (step == 0) {
        open_stream(r, out);
    } else if (step > r->chunks) {
        close_stream(r, out);
    } else if (r->compaction) {
        return;
    } else if (r->call_count > 0) {
        call_event(r, 0, "response.function_call_arguments.delta", out);
        fakebuf_add(out, ",'delta':%j", piece.p, piece.n);
        event_end(out);
    } else {
        part_event(r, "response.output_text.delta", out);
        fakebuf_add(out, ",'delta':%j,'logprobs':[]", piece.p, piece.n);
        event_end(out);
    }
}

void
fakeresponses_whole(struct fakereply *r, struct fakebuf *out)
{
    if (r->op == FAKEOP_COMPACT) {
        fakebuf_add(out,
                    "{'id':'resp_%x','object':'response.compaction','created_at':" FAKEREPLY_TIME
                    ",'output':[",
                    r->id);
        put_items(r, out);
        fakebuf_add(out, "],'usage':");
        put_usage(r, out);
        fakebuf_add(out, "}");
        return;
    }
    bool cut = r->plan.length != 0 || r->plan.filter != 0;
    put_response(r, cut ? "incomplete" : "completed", true, out);
}

void
fakeresponses_failed(struct fakereply *r, const char *code, const char *message,
                     struct fakebuf *out)
{
    event_begin(r, "response.failed", out);
    fakebuf_add(out,
                ",'response':{'id':'resp_%x','object':'response','created_at':" FAKEREPLY_TIME
                ",'status':'failed','error':{'code':'%s','message':%j},"
                "'incomplete_details':null,'model':%j,'output':[],'usage':null}",
                r->id, code, message, strlen(message), r->model, strlen(r->model));
    event_end(out);
}
