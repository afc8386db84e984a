// genai.mjs - the package "@google/genai" as the client, with its own path /v1 and with /v1beta.
import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";

import { all, base64_of, both, faulty, gateway, letters, png, provider, received, refresh,
    rejection, sent, stats, test, until } from "./play.mjs";

const model = "gemini-2.5-flash";
const hello = { model, contents: "hello" };
const functionDeclarations = [{ name: "get_weather", parametersJsonSchema: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"] } }];

// What the SDK keeps of the head of the answer differs in its date and ids.
const plain = (answer) => JSON.parse(JSON.stringify({ ...answer, sdkHttpResponse: undefined }));

function tests_of(name, version) {
    const client = (at) => new GoogleGenAI({ apiKey: at.key,
        httpOptions: { baseUrl: at.url, ...(version ? { apiVersion: version } : {}) } });
    const ask_both = (ask) => both(async (at) => plain(await ask(client(at).models)));
    const texts = (chunks) => chunks.map((c) =>
        c.candidates?.[0].content?.parts?.map((part) => part.text ?? "").join("") ?? "").join("");

    test(`${name}: generateContent`, async () => {
        const answer = await client(gateway).models.generateContent(hello);
        assert.equal(answer.text, "You said: hello");
        assert.equal(answer.usageMetadata.totalTokenCount, 18);
        assert.ok(sent.url.pathname.startsWith(`/${version ?? "v1"}/models/`), sent.url.pathname);
        assert.equal(sent.fields.get("x-goog-api-key"), gateway.key);
        const got = await received();
        assert.ok(got.is_body(sent.body));
        assert.equal(got.fields.get("x-goog-api-key"), provider.key);
        await ask_both((models) => models.generateContent(hello));
    });

    test(`${name}: generateContentStream`, async () => {
        const chunks = await both(async (at) =>
            (await all(await client(at).models.generateContentStream(hello))).map(plain));
        assert.ok(texts(chunks).startsWith("You said: hello"), texts(chunks));
        assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
        assert.equal(chunks.at(-1).usageMetadata.totalTokenCount, 18);
    });

    test(`${name}: letters of a stream that comes in bits`, async () => {
        for (const words of ["drip9", "crlf-comment", "burst"]) {
            const ask = { model: `fake-n6-gap1-${words}`, contents: letters };
            const chunks = await both(async (at) =>
                (await all(await client(at).models.generateContentStream(ask))).map(plain));
            assert.ok(texts(chunks).startsWith(`You said: ${letters} t00002`), texts(chunks));
        }
    });

    test(`${name}: chat of two turns`, async () => {
        const chat = client(gateway).chats.create({ model });
        await chat.sendMessage({ message: "hello" });
        const answer = await chat.sendMessage({ message: "again" });
        assert.equal(answer.text, "You said: again");
        assert.equal(JSON.parse(sent.body).contents.length, 3);
    });

    test(`${name}: tools, two turns`, async () => {
        const config = { tools: [{ functionDeclarations }] };
        const contents = [{ role: "user", parts: [{ text: "please use tool" }] }];
        const first = await client(gateway).models.generateContent({ model, contents, config });
        const [call] = first.functionCalls;
        assert.equal(call.name, "get_weather");
        assert.equal(typeof call.args.city, "string");
        contents.push(first.candidates[0].content, { role: "user", parts: [{ functionResponse: {
            id: call.id, name: call.name, response: { output: "22 degrees" } } }] });
        const second = await ask_both((models) =>
            models.generateContent({ model, contents, config }));
        assert.match(second.candidates[0].content.parts[0].text, /^Tool said: .*22 degrees/);
    });

    test(`${name}: tools streamed`, async () => {
        const config = { tools: [{ functionDeclarations }] };
        const chunks = await all(await client(gateway).models.generateContentStream({
            model, contents: "use tool", config }));
        const [call] = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
        assert.equal(typeof call.args.city, "string");
    });

    test(`${name}: image input`, async () => {
        const contents = [{ role: "user", parts: [
            { inlineData: { mimeType: "image/png", data: png } }, { text: "what is it" }] }];
        const answer = await client(gateway).models.generateContent({ model, contents });
        assert.equal(answer.text, "You said: what is it");
    });

    test(`${name}: an image of 6 MB`, async () => {
        const data = base64_of(6000000);
        const contents = [{ role: "user", parts: [
            { inlineData: { mimeType: "image/png", data } }, { text: "big" }] }];
        const answer = await client(gateway).models.generateContent({ model, contents });
        assert.equal(answer.text, "You said: big");
        const got = await received();
        assert.ok(got.body_bytes > 8000000 && got.is_body(sent.body));
    });

    test(`${name}: countTokens`, async () => {
        const answer = await ask_both((models) => models.countTokens(hello));
        assert.equal(answer.totalTokens, 11);
    });

    test(`${name}: embedContent`, async () => {
        const ask = { model: "gemini-embedding-001", contents: ["one", "two"] };
        const answer = await ask_both((models) => models.embedContent(ask));
        assert.equal(answer.embeddings.length, 2);
        assert.equal(answer.embeddings[0].values.length, 16);
    });

    test(`${name}: models`, async () => {
        const list = await all(await client(gateway).models.list({ config: { pageSize: 2 } }));
        assert.ok(list.length > 2 && list.every((one) => one.name.startsWith("models/")));
        assert.equal(new Set(list.map((one) => one.name)).size, list.length);
        const one = await client(gateway).models.get({ model: list[1].name });
        assert.deepEqual(plain(one), plain(list[1]));
    });

    test(`${name}: abort of a stream reaches the provider`, async () => {
        const slow = `fake-n300-gap40-${name.replace(/\W/g, "")}`;
        const stop = new AbortController();
        const stream = await client(gateway).models.generateContentStream({
            model: slow, contents: "hello", config: { abortSignal: stop.signal } });
        let seen = 0;
        const error = await rejection((async () => {
            for await (const chunk of stream) {
                seen += chunk.text ? 1 : 0;
                if (seen === 3) {
                    stop.abort();
                }
            }
        })());
        assert.equal(error.name, "AbortError");
        await until(1000, "the provider sees the end", async () =>
            (await stats(slow)).aborted === 1);
    });

    test(`${name}: a wrong key`, async () => {
        const ask = client({ ...gateway, key: "sk-wrong" }).models.generateContent(hello);
        const error = await rejection(ask);
        assert.ok(error instanceof ApiError, String(error));
        assert.equal(error.status, 401);
        assert.equal(JSON.parse(error.message).error.status, "UNAUTHENTICATED");
    });

    const fails = (name_of_model) => {
        refresh();
        return rejection(client(faulty).models.generateContent({ ...hello, model: name_of_model }));
    };

    test(`${name}: the provider's 400 and 404 with its own text`, async () => {
        for (const status of [400, 404]) {
            const bad = `fake-status${status}`;
            const error = await fails(bad);
            const theirs = await rejection(
                client(provider).models.generateContent({ ...hello, model: bad }));
            assert.ok(error instanceof ApiError, String(error));
            assert.equal(error.status, status);
            assert.equal(error.message, theirs.message);
        }
    });

    test(`${name}: the provider's 429, 503 and 500`, async () => {
        for (const [theirs, ours, words] of [[429, 429, "RESOURCE_EXHAUSTED"],
            [503, 502, "UNAVAILABLE"], [500, 502, "UNAVAILABLE"]]) {
            const error = await fails(`fake-status${theirs}`);
            assert.ok(error instanceof ApiError, String(error));
            assert.equal(error.status, ours);
            assert.equal(JSON.parse(error.message).error.status, words);
        }
    });

    test(`${name}: a stream that breaks off is an error`, async () => {
        for (const fault of ["errstream2", "cut2", "eof2", "badchunk2"]) {
            refresh();
            const ask = { ...hello, model: `fake-n5-${fault}` };
            const error = await rejection(
                client(faulty).models.generateContentStream(ask).then(all));
            assert.ok(error instanceof Error, fault);
        }
    });
}

tests_of("genai v1", undefined);
tests_of("genai v1beta", "v1beta");
