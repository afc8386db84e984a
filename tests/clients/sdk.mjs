// sdk.mjs - the official SDKs behind one function each: say(gateway, ask) asks and returns what the
// SDK made of the answer.
//
// ask     { model, text?, system?, image?, tools?, force? (a tool's name), schema?, reasons?, limit?,
//         temperature?, top_p?, stop?, history?, results?, stream }; `history` is that of an earlier
//         answer, `results` what came of its calls: { id, name, output, image? }.
// answer  { text, finish: stop|length|tools|filter, calls: [{ id, name, args }],
//         usage: { input, output, cached }, model, history, pieces: when each came of a stream }
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const url_of = (image) => `data:${image.type};base64,${image.data}`;
const finish_of = (reason, names) => {
    assert.ok(reason in names, `finish ${reason}`);
    return names[reason];
};

function with_sampling(body, { temperature, top_p, stop }, top_p_name, stop_name) {
    const given = { temperature, [top_p_name]: top_p, [stop_name]: stop };
    return Object.assign(body, Object.fromEntries(
        Object.entries(given).filter(([name, value]) => name && value !== undefined)));
}

// --- openai, chat completions ---

const openai = (at) => new OpenAI({ apiKey: at.key, baseURL: `${at.url}/v1`, maxRetries: 0 });

function chat_ask(ask) {
    const content = ask.image === undefined ? ask.text : [{ type: "text", text: ask.text },
        { type: "image_url", image_url: { url: url_of(ask.image) } }];
    const messages = [...(ask.history ?? [])];
    if (ask.system) {
        messages.push({ role: "system", content: ask.system });
    }
    for (const { id, output } of ask.results ?? []) {
        messages.push({ role: "tool", tool_call_id: id, content: output });
    }
    if (ask.text) {
        messages.push({ role: "user", content });
    }
    const body = { model: ask.model, messages };
    if (ask.tools) {
        body.tools = ask.tools.map(({ name, description, schema }) =>
            ({ type: "function", function: { name, description, parameters: schema } }));
    }
    if (ask.schema) {
        body.response_format = { type: "json_schema",
            json_schema: { name: "value", strict: true, schema: ask.schema } };
    }
    if (ask.reasons) {
        body.reasoning_effort = "low";
    }
    if (ask.limit) {
        body.max_completion_tokens = ask.limit;
    }
    if (ask.force) {
        body.tool_choice = { type: "function", function: { name: ask.force } };
    }
    return with_sampling(body, ask, "top_p", "stop");
}

async function chat_say(at, ask) {
    const body = chat_ask(ask);
    const pieces = [];
    let answer;
    if (ask.stream) {
        const stream = openai(at).chat.completions.stream({ ...body,
            stream_options: { include_usage: true } });
        stream.on("content", () => pieces.push(performance.now()));
        answer = await stream.finalChatCompletion();
    } else {
        answer = await openai(at).chat.completions.create(body);
    }
    const [{ message, finish_reason }] = answer.choices;
    return {
        text: message.content, model: answer.model, pieces,
        finish: finish_of(finish_reason, { stop: "stop", length: "length", tool_calls: "tools",
            content_filter: "filter" }),
        calls: (message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name,
            args: JSON.parse(call.function.arguments) })),
        usage: { input: answer.usage.prompt_tokens, output: answer.usage.completion_tokens,
            cached: answer.usage.prompt_tokens_details?.cached_tokens ?? 0 },
        history: [...body.messages, message],
    };
}

// --- openai, responses ---

function responses_ask(ask) {
    const input = [...(ask.history ?? [])];
    for (const { id, output, image } of ask.results ?? []) {
        input.push({ type: "function_call_output", call_id: id, output: image === undefined ? output
            : [{ type: "input_text", text: output },
                { type: "input_image", image_url: url_of(image), detail: "auto" }] });
    }
    if (ask.text) {
        const content = [{ type: "input_text", text: ask.text }];
        if (ask.image) {
            content.push({ type: "input_image", image_url: url_of(ask.image), detail: "auto" });
        }
        input.push({ role: "user", content });
    }
    const body = { model: ask.model, input, store: false };
    if (ask.system) {
        body.instructions = ask.system;
    }
    if (ask.tools) {
        body.tools = ask.tools.map(({ name, description, schema }) =>
            ({ type: "function", name, description, parameters: schema, strict: false }));
    }
    if (ask.schema) {
        body.text = { format: { type: "json_schema", name: "value", strict: true,
            schema: ask.schema } };
    }
    if (ask.reasons) {
        body.reasoning = { effort: "low", summary: "auto" };
        body.include = ["reasoning.encrypted_content"];
    }
    if (ask.limit) {
        body.max_output_tokens = ask.limit;
    }
    if (ask.force) {
        body.tool_choice = { type: "function", name: ask.force };
    }
    return with_sampling(body, ask, "top_p", "");
}

async function responses_say(at, ask) {
    const body = responses_ask(ask);
    const pieces = [];
    let answer;
    if (ask.stream) {
        const stream = openai(at).responses.stream(body);
        stream.on("response.output_text.delta", () => pieces.push(performance.now()));
        answer = await stream.finalResponse();
    } else {
        answer = await openai(at).responses.create(body);
    }
    const calls = answer.output.filter((item) => item.type === "function_call");
    const finish = finish_of(answer.status, { completed: "stop", incomplete: "length" });
    const why = answer.incomplete_details?.reason;
    return {
        text: answer.output_text, model: answer.model, pieces,
        finish: calls.length > 0 ? "tools" : finish === "stop" ? finish
            : finish_of(why, { max_output_tokens: "length", content_filter: "filter" }),
        calls: calls.map((call) => ({ id: call.call_id, name: call.name,
            args: JSON.parse(call.arguments) })),
        usage: { input: answer.usage.input_tokens, output: answer.usage.output_tokens,
            cached: answer.usage.input_tokens_details.cached_tokens },
        // What `parse` adds for the program is nothing that the API takes back.
        history: [...body.input, ...answer.output.map(({ parsed_arguments, ...item }) =>
            item.content === undefined ? item : { ...item,
                content: item.content.map(({ parsed, ...part }) => part) })],
    };
}

// --- anthropic ---

function anthropic_ask(ask) {
    const picture = ({ type: media_type, data }) =>
        ({ type: "image", source: { type: "base64", media_type, data } });
    const content = (ask.results ?? []).map(({ id, output, image }) =>
        ({ type: "tool_result", tool_use_id: id, content: image === undefined ? output
            : [{ type: "text", text: output }, picture(image)] }));
    if (ask.image) {
        content.push(picture(ask.image));
    }
    if (ask.text) {
        content.push({ type: "text", text: ask.text });
    }
    const body = { model: ask.model, max_tokens: ask.limit ?? 4096,
        messages: [...(ask.history ?? []), { role: "user", content }] };
    if (ask.system) {
        body.system = [{ type: "text", text: ask.system, cache_control: { type: "ephemeral" } }];
    }
    if (ask.tools) {
        body.tools = ask.tools.map(({ name, description, schema }) =>
            ({ name, description, input_schema: schema }));
    }
    if (ask.schema) {
        body.output_config = { format: { type: "json_schema", schema: ask.schema } };
    }
    if (ask.reasons) {
        body.thinking = { type: "enabled", budget_tokens: 2048 };
    }
    if (ask.force) {
        body.tool_choice = { type: "tool", name: ask.force };
    }
    return with_sampling(body, ask, "top_p", "stop_sequences");
}

async function anthropic_say(at, ask) {
    const client = new Anthropic({ apiKey: at.key, baseURL: at.url, maxRetries: 0 });
    const body = anthropic_ask(ask);
    const pieces = [];
    let answer;
    if (ask.stream) {
        const stream = client.messages.stream(body);
        stream.on("text", () => pieces.push(performance.now()));
        answer = await stream.finalMessage();
    } else {
        answer = await client.messages.create(body);
    }
    return {
        text: answer.content.filter((block) => block.type === "text").map((block) => block.text)
            .join(""),
        model: answer.model, pieces,
        finish: finish_of(answer.stop_reason, { end_turn: "stop", max_tokens: "length",
            tool_use: "tools", refusal: "filter" }),
        calls: answer.content.filter((block) => block.type === "tool_use").map((block) =>
            ({ id: block.id, name: block.name, args: block.input })),
        usage: { input: answer.usage.input_tokens + (answer.usage.cache_read_input_tokens ?? 0),
            output: answer.usage.output_tokens,
            cached: answer.usage.cache_read_input_tokens ?? 0 },
        history: [...body.messages, { role: "assistant", content:
            answer.content.map(({ parsed_output, ...block }) => block) }],
    };
}

// --- genai ---

function genai_ask(ask) {
    const contents = [...(ask.history ?? [])];
    if (ask.results) {
        const picture = (image) => (image === undefined ? {}
            : { parts: [{ inlineData: { mimeType: image.type, data: image.data } }] });
        contents.push({ role: "user", parts: ask.results.map(({ id, name, output, image }) =>
            ({ functionResponse: { ...(id ? { id } : {}), name, response: { output },
                ...picture(image) } })) });
    }
    if (ask.text) {
        const parts = [{ text: ask.text }];
        if (ask.image) {
            parts.push({ inlineData: { mimeType: ask.image.type, data: ask.image.data } });
        }
        contents.push({ role: "user", parts });
    }
    const config = {};
    if (ask.system) {
        config.systemInstruction = ask.system;
    }
    if (ask.tools) {
        config.tools = [{ functionDeclarations: ask.tools.map(({ name, description, schema }) =>
            ({ name, description, parametersJsonSchema: schema })) }];
    }
    if (ask.schema) {
        Object.assign(config, { responseMimeType: "application/json",
            responseJsonSchema: ask.schema });
    }
    if (ask.reasons) {
        config.thinkingConfig = { includeThoughts: true, thinkingBudget: 2048 };
    }
    if (ask.limit) {
        config.maxOutputTokens = ask.limit;
    }
    if (ask.force) {
        config.toolConfig = { functionCallingConfig: { mode: "ANY",
            allowedFunctionNames: [ask.force] } };
    }
    return { model: ask.model, contents,
        config: with_sampling(config, ask, "topP", "stopSequences") };
}

async function genai_say(at, ask) {
    const client = new GoogleGenAI({ apiKey: at.key, httpOptions: { baseUrl: at.url } });
    const body = genai_ask(ask);
    const pieces = [];
    const chunks = [];
    if (ask.stream) {
        for await (const chunk of await client.models.generateContentStream(body)) {
            if (chunk.candidates?.[0].content?.parts?.some((part) => part.text && !part.thought)) {
                pieces.push(performance.now());
            }
            chunks.push(chunk);
        }
    } else {
        chunks.push(await client.models.generateContent(body));
    }
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0].content?.parts ?? []);
    const last = chunks.at(-1);
    const calls = parts.filter((part) => part.functionCall).map(({ functionCall }) => functionCall);
    const usage = last.usageMetadata;
    const finish = finish_of(last.candidates[0].finishReason, { STOP: "stop",
        MAX_TOKENS: "length", SAFETY: "filter" });
    return {
        text: parts.map((part) => (part.thought ? "" : part.text ?? "")).join(""),
        model: last.modelVersion, pieces,
        finish: calls.length > 0 ? "tools" : finish,
        calls: calls.map(({ id, name, args }) => ({ id, name, args })),
        usage: { input: usage.promptTokenCount,
            output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
            cached: usage.cachedContentTokenCount ?? 0 },
        history: [...body.contents, { role: "model", parts }],
    };
}

export const sdks = [
    { name: "openai chat", own: "chat", say: chat_say },
    { name: "openai responses", own: "responses", say: responses_say },
    { name: "anthropic sdk", own: "anthropic", say: anthropic_say },
    { name: "google genai", own: "gemini", say: genai_say },
];
