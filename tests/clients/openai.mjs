// openai.mjs - the package "openai" as the client.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

import { all, base64_of, both, faulty, gateway, letters, png, provider, received, refresh,
    rejection, sent, stats, test, until } from "./play.mjs";

const client = (at, more) =>
    new OpenAI({ apiKey: at.key, baseURL: `${at.url}/v1`, maxRetries: 0, ...more });
const hello = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] };
const tools = [{
    type: "function",
    function: {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } },
            required: ["city"] },
    },
}];

test("openai: chat", async () => {
    const answer = await both((at) => client(at).chat.completions.create(hello));
    assert.equal(answer.choices[0].message.content, "You said: hello");
    assert.equal(answer.usage.total_tokens, 18);
});

test("openai: the request id is the gateway's", async () => {
    const one = await client(gateway).chat.completions.create(hello);
    const two = await client(gateway).chat.completions.create(hello);
    assert.match(one._request_id, /^req_/);
    assert.notEqual(one._request_id, two._request_id);
});

test("openai: the body goes as it is", async () => {
    await client(gateway).chat.completions.create({ ...hello, zz_unheard_of: { x: [1.0, "\u2028"] } });
    const got = await received();
    assert.ok(got.is_body(sent.body));
    assert.equal(got.fields.get("authorization"), `Bearer ${process.env.FAKE_KEY}`);
});

// The gateway asks for usage itself and takes the chunk with it out again. What is left is the
// "usage":null of the other chunks, which the SDK's types allow; the rest is as the provider's own.
function without_null_usage(item) {
    const { usage, ...rest } = item;
    return usage === null ? rest : item;
}

test("openai: chat stream without usage", async () => {
    const ask = { ...hello, stream: true };
    const chunks = await both(async (at) =>
        (await all(await client(at).chat.completions.create(ask))).map(without_null_usage));
    const text = chunks.map((c) => c.choices[0].delta.content ?? "").join("");
    assert.ok(text.startsWith("You said: hello"), text);
    assert.ok(chunks.every((c) => c.choices.length === 1 && !("usage" in c)));
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
});

test("openai: chat stream with usage", async () => {
    const ask = { ...hello, stream: true, stream_options: { include_usage: true } };
    const chunks = await both(async (at) => all(await client(at).chat.completions.create(ask)));
    assert.equal(chunks.at(-1).usage.total_tokens, 18);
    assert.equal(chunks.at(-1).choices.length, 0);
});

test("openai: chat stream helper", async () => {
    const stream = client(gateway).chat.completions.stream(hello);
    let text = "";
    stream.on("content", (delta) => (text += delta));
    assert.equal((await stream.finalChatCompletion()).choices[0].message.content, text);
    assert.ok(text.startsWith("You said: hello"), text);
});

test("openai: chat stream comes piece by piece", async () => {
    const stream = await client(gateway).chat.completions.create({
        ...hello, model: "fake-n5-gap100", stream: true });
    const at = [];
    for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content) {
            at.push(performance.now());
        }
    }
    assert.equal(at.length, 5);
    assert.ok(at[4] - at[0] > 300, `all within ${at[4] - at[0]} ms`);
});

test("openai: letters of a stream that comes in bits", async () => {
    for (const words of ["drip9", "crlf-comment", "burst"]) {
        const ask = { model: `fake-n6-gap1-${words}`, stream: true,
            messages: [{ role: "user", content: letters }] };
        const chunks = await both(async (at) =>
            (await all(await client(at).chat.completions.create(ask))).map(without_null_usage));
        const text = chunks.map((c) => c.choices[0].delta.content ?? "").join("");
        assert.ok(text.startsWith(`You said: ${letters} t00002`), text);
    }
});

test("openai: 80 at once, each gets its own answer", async () => {
    const one = client(gateway);
    await Promise.all(Array.from({ length: 80 }, async (_, i) => {
        const ask = { ...hello, messages: [{ role: "user", content: `number ${i}.` }] };
        if (i % 2 === 0) {
            const answer = await one.chat.completions.create(ask);
            assert.equal(answer.choices[0].message.content, `You said: number ${i}.`);
        } else {
            const chunks = await all(await one.chat.completions.create({ ...ask, stream: true }));
            const text = chunks.map((c) => c.choices[0].delta.content ?? "").join("");
            assert.ok(text.startsWith(`You said: number ${i}.`), text);
        }
    }));
});

test("openai: tools, two turns", async () => {
    const messages = [{ role: "user", content: "please use tool" }];
    const first = await both((at) =>
        client(at).chat.completions.create({ ...hello, messages, tools }));
    const call = first.choices[0].message.tool_calls[0];
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.equal(call.function.name, "get_weather");
    assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
    messages.push(first.choices[0].message,
        { role: "tool", tool_call_id: call.id, content: "22 degrees" });
    const second = await both((at) =>
        client(at).chat.completions.create({ ...hello, messages, tools }));
    assert.equal(second.choices[0].message.content, "Tool said: 22 degrees");
});

test("openai: tools streamed", async () => {
    const ask = { ...hello, messages: [{ role: "user", content: "use tool" }], tools };
    const answer = await both(async (at) =>
        without_null_usage(await client(at).chat.completions.stream(ask).finalChatCompletion()));
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
});

test("openai: a value for a schema", async () => {
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"],
        additionalProperties: false };
    const response_format = { type: "json_schema",
        json_schema: { name: "x", strict: true, schema } };
    const answer = await both((at) =>
        client(at).chat.completions.parse({ ...hello, response_format }));
    assert.ok(Number.isInteger(answer.choices[0].message.parsed.n));
});

test("openai: image input", async () => {
    const content = [{ type: "text", text: "what is it" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }];
    const ask = { ...hello, messages: [{ role: "user", content }] };
    const answer = await both((at) => client(at).chat.completions.create(ask));
    assert.equal(answer.choices[0].message.content, "You said: what is it");
});

test("openai: an image of 6 MB", async () => {
    const url = `data:image/png;base64,${base64_of(6000000)}`;
    const content = [{ type: "image_url", image_url: { url } }, { type: "text", text: "big" }];
    const ask = { ...hello, messages: [{ role: "user", content }] };
    const answer = await client(gateway).chat.completions.create(ask);
    assert.equal(answer.choices[0].message.content, "You said: big");
    const got = await received();
    assert.ok(got.body_bytes > 8000000 && got.is_body(sent.body));
});

test("openai: abort of a stream reaches the provider", async () => {
    const model = "fake-n300-gap40-oai";
    const stream = await client(gateway).chat.completions.create({ ...hello, model, stream: true });
    let seen = 0;
    for await (const chunk of stream) {
        seen += chunk.choices.length;
        if (seen === 3) {
            stream.controller.abort();
            break;
        }
    }
    await until(1000, "the provider sees the end", async () => (await stats(model)).aborted === 1);
});

test("openai: legacy completions", async () => {
    const ask = { model: "gpt-3.5-turbo-instruct", prompt: "hello" };
    const answer = await both((at) => client(at).completions.create(ask));
    assert.equal(answer.choices[0].text, "You said: hello");
    const chunks = await both(async (at) =>
        (await all(await client(at).completions.create({ ...ask, stream: true })))
            .map(without_null_usage));
    assert.ok(chunks.map((c) => c.choices[0].text).join("").startsWith("You said: hello"));
    assert.ok(chunks.every((c) => c.choices.length === 1 && !("usage" in c)));
});

test("openai: embeddings", async () => {
    const ask = { model: "text-embedding-3-small", input: ["one", "two"] };
    const floats = await both((at) =>
        client(at).embeddings.create({ ...ask, encoding_format: "float" }));
    const usual = await both((at) => client(at).embeddings.create(ask));
    assert.equal(JSON.parse(sent.body).encoding_format, "base64");
    assert.equal(usual.data.length, 2);
    assert.equal(usual.data[0].embedding.length, 16);
    assert.deepEqual([...usual.data[1].embedding], floats.data[1].embedding);
});

test("openai: responses", async () => {
    const ask = { model: "gpt-5.5", instructions: "be short", input: "hello" };
    const answer = await both((at) => client(at).responses.create(ask));
    assert.equal(answer.output_text, "You said: hello");
    assert.equal(answer.status, "completed");
    assert.equal(answer.usage.total_tokens, 18);
});

test("openai: responses stream", async () => {
    const ask = { model: "gpt-5.5", input: "hello", stream: true };
    const events = await both(async (at) => all(await client(at).responses.create(ask)));
    assert.equal(events[0].type, "response.created");
    assert.equal(events.at(-1).type, "response.completed");
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    const text = events.filter((e) => e.type === "response.output_text.delta")
        .map((e) => e.delta).join("");
    assert.equal(events.at(-1).response.output[0].content[0].text, text);
    assert.equal(events.at(-1).response.usage.total_tokens, 18);
});

test("openai: responses stream helper", async () => {
    const answer = await both((at) =>
        client(at).responses.stream({ model: "gpt-5.5", input: "hello" }).finalResponse());
    assert.ok(answer.output_text.startsWith("You said: hello"), answer.output_text);
});

test("openai: responses tools, two turns", async () => {
    const ask = { model: "gpt-5.5", tools: [{ type: "function", ...tools[0].function }] };
    const input = [{ role: "user", content: "use tool" }];
    const first = await both((at) => client(at).responses.create({ ...ask, input }));
    const call = first.output.find((item) => item.type === "function_call");
    assert.equal(call.name, "get_weather");
    input.push(...first.output,
        { type: "function_call_output", call_id: call.call_id, output: "22 degrees" });
    const second = await both((at) => client(at).responses.create({ ...ask, input }));
    assert.equal(second.output_text, "Tool said: 22 degrees");
});

test("openai: responses input tokens", async () => {
    const answer = await both((at) =>
        client(at).responses.inputTokens.count({ model: "gpt-5.5", input: "hello" }));
    assert.equal(answer.input_tokens, 11);
});

test("openai: models", async () => {
    const list = await all(client(gateway).models.list());
    assert.ok(list.length > 3 && list.every((m) => m.object === "model"));
    assert.deepEqual(await client(gateway).models.retrieve(list[1].id), list[1]);
});

test("openai: moderations", async () => {
    const answer = await both((at) => client(at).moderations.create({ input: "hello" }));
    assert.equal(answer.results[0].flagged, false);
});

test("openai: speech", async () => {
    const ask = { model: "gpt-4o-mini-tts", voice: "alloy", input: "hello" };
    const sound = await both(async (at) =>
        Buffer.from(await (await client(at).audio.speech.create(ask)).arrayBuffer()));
    assert.equal(sound.length, 1024);
    assert.equal(sound.toString("latin1", 0, 3), "ID3");
});

test("openai: transcriptions", async () => {
    const file = await toFile(Buffer.from("RIFF-no-real-sound"), "a.wav", { type: "audio/wav" });
    const ask = { model: "gpt-4o-mini-transcribe", file, prompt: "hello" };
    const answer = await client(gateway).audio.transcriptions.create(ask);
    assert.equal(typeof answer.text, "string");
    assert.match((await received()).fields.get("content-type"), /^multipart\/form-data; boundary=/);
    const events = await all(await client(gateway).audio.transcriptions.create({
        ...ask, stream: true }));
    assert.equal(events.at(-1).type, "transcript.text.done");
});

test("openai: translations", async () => {
    const file = await toFile(Buffer.from("RIFF-no-real-sound"), "a.wav", { type: "audio/wav" });
    const answer = await client(gateway).audio.translations.create({ model: "whisper-1", file });
    assert.equal(typeof answer.text, "string");
});

test("openai: images", async () => {
    const ask = { model: "gpt-image-1", prompt: "a dot" };
    const made = await both((at) => client(at).images.generate(ask));
    assert.equal(Buffer.from(made.data[0].b64_json, "base64").toString("latin1", 1, 4), "PNG");
    const events = await both(async (at) =>
        all(await client(at).images.generate({ ...ask, stream: true, partial_images: 1 })));
    assert.equal(events.at(-1).type, "image_generation.completed");
    const image = await toFile(Buffer.from(png, "base64"), "a.png", { type: "image/png" });
    const edited = await client(gateway).images.edit({ ...ask, image });
    assert.ok(edited.data[0].b64_json.length > 0);
});

test("openai: a wrong key", async () => {
    const ask = client({ ...gateway, key: "sk-wrong" }).chat.completions.create(hello);
    const error = await rejection(ask);
    assert.ok(error instanceof OpenAI.AuthenticationError, String(error));
    assert.equal(error.status, 401);
    assert.equal(error.code, "invalid_api_key");
    assert.match(error.requestID, /^req_/);
});

test("openai: no such model at the gateway", async () => {
    const error = await rejection(client(gateway).models.retrieve("gpt-nothing"));
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
    assert.equal(error.code, "model_not_found");
});

// An error of the provider, as the SDK shows it.
async function fails(model, more) {
    refresh();
    return rejection(client(faulty).chat.completions.create({ ...hello, model, ...more }));
}

// The same error without the gateway.
async function fails_there(model) {
    return rejection(client(provider).chat.completions.create({ ...hello, model }));
}

test("openai: the provider's 400 and 404 with its own text", async () => {
    for (const [status, kind] of [[400, OpenAI.BadRequestError], [404, OpenAI.NotFoundError],
        [422, OpenAI.UnprocessableEntityError]]) {
        const error = await fails(`fake-status${status}`);
        const theirs = await fails_there(`fake-status${status}`);
        assert.ok(error instanceof kind, String(error));
        assert.equal(error.message, theirs.message);
        assert.deepEqual(error.error, theirs.error);
        assert.match(error.requestID, /^req_/);
    }
});

test("openai: the provider's 429", async () => {
    const error = await fails("fake-status429-retryafter7");
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    const seconds = Number(error.headers.get("retry-after"));
    assert.ok(seconds >= 1 && seconds <= 7, `retry-after ${error.headers.get("retry-after")}`);
});

test("openai: the provider's 500 is 502, streamed or not", async () => {
    for (const stream of [false, true]) {
        const error = await fails("fake-status500", { stream });
        assert.ok(error instanceof OpenAI.InternalServerError, String(error));
        assert.equal(error.status, 502);
        assert.equal(error.code, "upstream_error");
    }
});

test("openai: the provider refuses the gateway's key", async () => {
    const error = await fails("fake-status401");
    assert.equal(error.status, 502, "not 401: the client's own key is good");
});

test("openai: an error in the middle of a stream", async () => {
    refresh();
    const ask = { ...hello, model: "fake-n5-errstream2", stream: true };
    const error = await rejection(client(faulty).chat.completions.create(ask).then(all));
    assert.ok(error instanceof OpenAI.APIError, String(error));
});

test("openai: a stream that breaks off ends as failed", async () => {
    for (const fault of ["cut2", "eof2", "badchunk2"]) {
        refresh();
        const ask = { ...hello, model: `fake-n5-${fault}`, stream: true };
        const error = await rejection(client(faulty).chat.completions.create(ask).then(all));
        assert.ok(error instanceof OpenAI.APIError, `${fault}: ${error}`);
        refresh();
        const events = await all(await client(faulty).responses.create({
            model: ask.model, input: "hello", stream: true }));
        assert.equal(events.at(-1).type, "response.failed", fault);
        assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    }
});

test("openai: the SDK's own retry succeeds", async () => {
    refresh();
    const model = "fake-first1-status503-oai";
    const answer = await client(faulty, { maxRetries: 3 }).chat.completions.create({
        ...hello, model });
    assert.equal(answer.choices[0].message.content, "You said: hello");
});
