// anthropic.mjs - the package "@anthropic-ai/sdk" as the client: 1.x, which sends the key as
// Bearer, and 0.x, which sends it as x-api-key and states an older version.
import assert from "node:assert/strict";
import First from "anthropic-sdk-0";
import Second from "@anthropic-ai/sdk";

import { all, base64_of, both, faulty, gateway, letters, png, provider, received, refresh,
    rejection, sent, stats, test, until } from "./play.mjs";

const hello = { model: "claude-haiku-4-5", max_tokens: 100,
    messages: [{ role: "user", content: "hello" }] };
const tools = [{ name: "get_weather", input_schema: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } }];

function tests_of(name, Anthropic, key_field, version) {
    const old = Anthropic === First;
    const client = (at, more) =>
        new Anthropic({ apiKey: at.key, baseURL: at.url, maxRetries: 0, ...more });

    test(`${name}: messages`, async () => {
        const answer = await both((at) => client(at).messages.create(hello));
        assert.equal(answer.content[0].text, "You said: hello");
        assert.equal(answer.usage.output_tokens, 7);
    });

    test(`${name}: key field and version are what this test is about`, async () => {
        const answer = await client(gateway).messages.create(hello);
        assert.ok(sent.fields.get(key_field)?.endsWith(gateway.key));
        assert.equal(sent.fields.get("anthropic-version"), version);
        assert.match(answer._request_id, /^req_/);
        const got = await received();
        assert.ok(got.is_body(sent.body));
        assert.equal(got.fields.get("anthropic-version"), version);
        assert.ok(![...got.fields.values()].some((value) => value.includes(gateway.key)));
    });

    test(`${name}: Bearer and x-api-key`, async () => {
        const bearer = { apiKey: null, authToken: gateway.key };
        const answer = await client(gateway, bearer).messages.create(hello);
        assert.equal(sent.fields.get("authorization"), `Bearer ${gateway.key}`);
        assert.equal(answer.content[0].text, "You said: hello");
        const plain = { apiKey: null, authToken: null,
            defaultHeaders: { "x-api-key": gateway.key, authorization: null } };
        const other = await client(gateway, plain).messages.create(hello);
        assert.equal(sent.fields.get("x-api-key"), gateway.key);
        assert.ok(!sent.fields.has("authorization"));
        assert.equal(other.content[0].text, "You said: hello");
    });

    test(`${name}: stream`, async () => {
        const events = await both(async (at) =>
            all(await client(at).messages.create({ ...hello, stream: true })));
        assert.equal(events[0].type, "message_start");
        assert.equal(events.at(-1).type, "message_stop");
        assert.ok(events.find((e) => e.type === "message_delta").usage.output_tokens > 0);
    });

    test(`${name}: stream helper`, async () => {
        const run = async (at) => {
            const stream = client(at).messages.stream(hello);
            const seen = { text: "", events: [] };
            stream.on("text", (delta) => (seen.text += delta));
            stream.on("streamEvent", (event) => seen.events.push(event.type));
            const message = await stream.finalMessage();
            return { ...seen, message };
        };
        const { text, events, message } = await both(run);
        assert.equal(message.content[0].text, text);
        assert.ok(text.startsWith("You said: hello"), text);
        assert.ok(events.includes("content_block_start") && events.includes("content_block_stop"));
        assert.equal(message.stop_reason, "end_turn");
    });

    test(`${name}: letters of a stream that comes in bits`, async () => {
        for (const words of ["drip9", "crlf-comment", "burst"]) {
            const ask = { ...hello, model: `fake-n6-gap1-${words}`,
                messages: [{ role: "user", content: letters }] };
            const message = await both((at) => client(at).messages.stream(ask).finalMessage());
            assert.ok(message.content[0].text.startsWith(`You said: ${letters} t00002`), words);
        }
    });

    test(`${name}: tools, two turns`, async () => {
        const messages = [{ role: "user", content: "please use tool" }];
        const first = await both((at) => client(at).messages.create({ ...hello, messages, tools }));
        const call = first.content.find((block) => block.type === "tool_use");
        assert.equal(first.stop_reason, "tool_use");
        assert.equal(typeof call.input.city, "string");
        messages.push({ role: "assistant", content: first.content }, { role: "user",
            content: [{ type: "tool_result", tool_use_id: call.id, content: "22 degrees" }] });
        const second = await both((at) =>
            client(at).messages.create({ ...hello, messages, tools }));
        assert.equal(second.content[0].text, "Tool said: 22 degrees");
    });

    test(`${name}: tools streamed`, async () => {
        const messages = [{ role: "user", content: "use tool" }];
        const message = await both((at) =>
            client(at).messages.stream({ ...hello, messages, tools }).finalMessage());
        const call = message.content.find((block) => block.type === "tool_use");
        assert.equal(typeof call.input.city, "string");
    });

    test(`${name}: reasoning streamed`, async () => {
        const ask = { ...hello, model: "fake-reason5", max_tokens: 3000,
            thinking: { type: "enabled", budget_tokens: 1024 } };
        const message = await both((at) => client(at).messages.stream(ask).finalMessage());
        const thought = message.content.find((block) => block.type === "thinking");
        assert.ok(thought.signature.length > 0 && thought.thinking.length > 0);
    });

    test(`${name}: image input`, async () => {
        const source = { type: "base64", media_type: "image/png", data: png };
        const content = [{ type: "image", source }, { type: "text", text: "what is it" }];
        const ask = { ...hello, messages: [{ role: "user", content }] };
        const answer = await both((at) => client(at).messages.create(ask));
        assert.equal(answer.content[0].text, "You said: what is it");
    });

    test(`${name}: an image of 6 MB`, async () => {
        const source = { type: "base64", media_type: "image/png", data: base64_of(6000000) };
        const content = [{ type: "image", source }, { type: "text", text: "big" }];
        await client(gateway).messages.create({ ...hello, messages: [{ role: "user", content }] });
        const got = await received();
        assert.ok(got.body_bytes > 8000000 && got.is_body(sent.body));
    });

    test(`${name}: the beta path`, async () => {
        const betas = ["context-management-2025-06-27"];
        const answer = await both((at) => client(at).beta.messages.create({ ...hello, betas }));
        assert.equal(answer.content[0].text, "You said: hello");
        assert.equal(sent.url.search, old ? "?beta=true" : "");
        await client(gateway).beta.messages.create({ ...hello, betas });
        assert.equal((await received()).fields.get("anthropic-beta"), betas[0]);
    });

    test(`${name}: count tokens`, async () => {
        const ask = { model: hello.model, messages: hello.messages };
        const answer = await both((at) => client(at).messages.countTokens(ask));
        assert.equal(answer.input_tokens, 11);
    });

    test(`${name}: models`, async () => {
        const list = await all(client(gateway).models.list({ limit: 2 }));
        assert.ok(list.length > 2 && list.every((model) => model.type === "model"));
        assert.equal(new Set(list.map((model) => model.id)).size, list.length);
        assert.deepEqual(await client(gateway).models.retrieve(list[1].id), list[1]);
    });

    test(`${name}: abort of a stream reaches the provider`, async () => {
        const model = `fake-n300-gap40-${name.replace(/\W/g, "")}`;
        const stream = client(gateway).messages.stream({ ...hello, model });
        let seen = 0;
        stream.on("text", () => ++seen === 3 && stream.abort());
        const error = await rejection(stream.finalMessage());
        assert.ok(error instanceof Anthropic.APIUserAbortError, String(error));
        await until(1000, "the provider sees the end", async () =>
            (await stats(model)).aborted === 1);
    });

    test(`${name}: a wrong key`, async () => {
        const error = await rejection(
            client({ ...gateway, key: "sk-wrong" }).messages.create(hello));
        assert.ok(error instanceof Anthropic.AuthenticationError, String(error));
        assert.equal(error.status, 401);
        assert.equal(error.error.error.type, "authentication_error");
        assert.match(error.requestID, /^req_/);
    });

    const fails = (model, more) => {
        refresh();
        return rejection(client(faulty).messages.create({ ...hello, model, ...more }));
    };

    test(`${name}: the provider's 400 and 404 with its own text`, async () => {
        for (const [status, kind] of [[400, Anthropic.BadRequestError],
            [404, Anthropic.NotFoundError]]) {
            const model = `fake-status${status}`;
            const error = await fails(model);
            const theirs = await rejection(client(provider).messages.create({ ...hello, model }));
            assert.ok(error instanceof kind, String(error));
            assert.equal(error.error.error.message, theirs.error.error.message);
            assert.equal(error.error.error.type, theirs.error.error.type);
        }
    });

    test(`${name}: the provider's 429`, async () => {
        const error = await fails("fake-status429-retryafter7");
        assert.ok(error instanceof Anthropic.RateLimitError, String(error));
        assert.equal(error.error.error.type, "rate_limit_error");
        const seconds = Number(error.headers.get("retry-after"));
        assert.ok(seconds >= 1 && seconds <= 7, `retry-after ${seconds}`);
    });

    test(`${name}: the provider's 529 and 500`, async () => {
        const busy = await fails("fake-status529");
        assert.equal(busy.status, 503);
        assert.ok(busy instanceof Anthropic.InternalServerError, String(busy));
        assert.equal(busy.error.error.type, "overloaded_error");
        for (const stream of [false, true]) {
            const broken = await fails("fake-status500", { stream });
            assert.equal(broken.status, 502);
            assert.ok(broken instanceof Anthropic.InternalServerError, String(broken));
            assert.equal(broken.error.error.type, "api_error");
        }
    });

    test(`${name}: a stream that breaks off is an error`, async () => {
        for (const fault of ["errstream2", "cut2", "eof2", "badchunk2"]) {
            refresh();
            const ask = { ...hello, model: `fake-n5-${fault}` };
            const error = await rejection(client(faulty).messages.stream(ask).finalMessage());
            assert.ok(error instanceof Anthropic.AnthropicError, `${fault}: ${error}`);
        }
    });

    test(`${name}: the SDK's own retry succeeds`, async () => {
        refresh();
        const model = `fake-first1-status503-${name.replace(/\W/g, "")}`;
        const answer = await client(faulty, { maxRetries: 3 }).messages.create({ ...hello, model });
        assert.equal(answer.content[0].text, "You said: hello");
    });
}

tests_of("anthropic 0.x", First, "x-api-key", "2023-06-01");
tests_of("anthropic 1.x", Second, "authorization", "2026-10-21");
