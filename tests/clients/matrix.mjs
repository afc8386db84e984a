// matrix.mjs - every SDK against accounts of every dialect: what it asks goes through the gateway to
// a provider that speaks only chat, responses, anthropic or gemini, and must come back as if that
// provider spoke the SDK's own dialect. The cases are written once; sdk.mjs has what differs.
import assert from "node:assert/strict";

import { gateways, letters, received, refresh, rejection, square, tests_of_matrix } from
    "./play.mjs";
import { sdks } from "./sdk.mjs";

const weather = { name: "get_weather", description: "Tells the weather of a city.",
    schema: { type: "object", properties: { city: { type: "string" },
        days: { type: "array", items: { type: "integer" } } }, required: ["city"],
        additionalProperties: false } };
const clock = { name: "get_time", description: "Tells the time.",
    schema: { type: "object", properties: {} } };
// What JSON Schema can say and not every provider reads.
const hard = { name: "plan-trip_2", description: "Plans.", schema: { type: "object",
    $schema: "http://json-schema.org/draft-07/schema#", $defs: {
        place: { type: "object", properties: { name: { type: "string", minLength: 1 } },
            required: ["name"] } },
    properties: { from: { $ref: "#/$defs/place" }, to: { $ref: "#/$defs/place" },
        mode: { oneOf: [{ const: "train" }, { const: "boat" }] },
        seats: { type: ["integer", "null"], exclusiveMinimum: 0, enum: [1, 2, 3, null] },
        type: { type: "string", format: "uri", default: "x" },
        stops: { type: "array", items: { anyOf: [{ type: "string" }, { type: "null" }] } },
        more: { type: "object", additionalProperties: { type: "string" } } },
    required: ["from", "mode"], additionalProperties: false } };
// Each provider's models that refuse what others take.
const choosy = { chat: ["gpt-4o-mini", "gpt-5", "llama-3.3-70b-instruct"],
    responses: ["gpt-4.1", "gpt-5", "o4-mini"],
    anthropic: ["claude-3-5-sonnet-20241022", "claude-sonnet-4-5", "claude-opus-4-8"],
    gemini: ["gemini-2.0-flash", "gemini-2.5-flash", "gemini-3-pro-preview"] };
const ordinary = { chat: "gpt-4o-mini", responses: "gpt-5", anthropic: "claude-sonnet-4-5",
    gemini: "gemini-2.5-flash" };

// Case by case: what is asked, and what is true of the answer; both ways of asking unless told.
const cases = {
    async text({ say, model }) {
        const answer = await say({ model, text: "hello" });
        assert.equal(answer.text, "You said: hello");
        assert.equal(answer.finish, "stop");
        assert.deepEqual(answer.usage, { input: 11, output: 7, cached: 0 });
        assert.equal(answer.model, model);
    },

    async "system and letters"({ say }) {
        const model = "fake-n6-gap1-drip9";
        const answer = await say({ model, text: letters, system: "Be brief." });
        assert.ok(answer.text.startsWith(`You said: ${letters} t00002`), answer.text);
        assert.ok((await received()).body.includes("Be brief."));
    },

    async length({ say }) {
        const answer = await say({ model: "fake-length", text: "hello", limit: 100 });
        assert.equal(answer.finish, "length");
    },

    async "a value for a schema"({ say, model }) {
        const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"],
            additionalProperties: false };
        const answer = await say({ model, text: "a number", schema });
        assert.ok(Number.isInteger(JSON.parse(answer.text).n), answer.text);
    },

    async "two turns"({ say, model }) {
        const first = await say({ model, text: "hello" });
        const second = await say({ model, history: first.history, text: "again" });
        assert.equal(second.text, "You said: again");
    },

    async tools({ say, model }) {
        const tools = [weather, clock];
        const first = await say({ model, text: "use tool", tools });
        assert.equal(first.finish, "tools");
        assert.equal(first.calls.length, 1);
        assert.equal(first.calls[0].name, "get_weather");
        assert.equal(typeof first.calls[0].args.city, "string");
        const results = [{ ...first.calls[0], output: "22 degrees" }];
        const second = await say({ model, history: first.history, results, tools });
        assert.match(second.text, /^Tool said: .*22 degrees/);
    },

    async "two tools at once"({ say }) {
        const tools = [weather, clock];
        const first = await say({ model: "fake-tool2-n5", text: "hello", tools });
        assert.deepEqual(first.calls.map((call) => call.name), ["get_weather", "get_time"]);
        const ids = first.calls.map((call) => call.id ?? Symbol(call.name));
        assert.equal(new Set(ids).size, 2);
        const results = first.calls.map((call) => ({ ...call, output: `of ${call.name}` }));
        const second = await say({ model: "fake-n7", history: first.history, results, tools });
        assert.match(second.text, /^Tool said: .*of get_time/);
    },

    // What the provider signed must come back to it, through the client, as it was.
    async "tools after reasoning"({ say }) {
        const model = "fake-reason3-n5";
        const tools = [weather];
        const first = await say({ model, text: "use tool", tools, reasons: true });
        assert.equal(first.calls.length, 1);
        assert.deepEqual(first.usage, { input: 11, output: 7, cached: 0 });
        const results = [{ ...first.calls[0], output: "22 degrees" }];
        const second = await say({ model, history: first.history, results, tools, reasons: true });
        assert.match(second.text, /^Tool said: .*22 degrees/);
    },

    async "usage in parts"({ say }) {
        const answer = await say({ model: "fake-in100-cached40-out20-reason5", text: "hello",
            reasons: true });
        assert.equal(answer.text, "You said: hello");
        assert.deepEqual(answer.usage, { input: 100, output: 20, cached: 40 });
    },

    async "nothing is said"({ say }) {
        const answer = await say({ model: "fake-empty", text: "hello" });
        assert.deepEqual([answer.text || "", answer.finish], ["", "stop"]);
    },

    async "a filter ends it"({ say }) {
        const answer = await say({ model: "fake-filter", text: "hello" });
        assert.equal(answer.finish, "filter");
    },

    async "a hard schema, and a tool by force"({ say, model }) {
        const answer = await say({ model, text: "use tool", tools: [hard, clock],
            force: "plan-trip_2" });
        assert.equal(answer.calls[0].name, "plan-trip_2");
        assert.equal(answer.calls[0].args.mode, "train");
        assert.ok("from" in answer.calls[0].args);
    },

    // Each model gets only what it takes; what the client says to its own provider is its affair.
    async "models that refuse options"({ say, own, faulty }) {
        for (const model of own ? [] : choosy[faulty]) {
            const first = await say({ model, text: "use tool", system: "Be brief.", reasons: true,
                temperature: 0.5, top_p: 0.9, stop: ["zzz", "yyy"], limit: 20000,
                tools: [weather] });
            assert.equal(first.calls[0].name, "get_weather", model);
            const results = [{ ...first.calls[0], output: "22 degrees" }];
            const second = await say({ model, history: first.history, results, tools: [weather],
                reasons: true });
            assert.match(second.text, /^Tool said: .*22 degrees/, model);
        }
    },

    async "an image as a tool's result"({ say, model, client }) {
        if (client === "openai chat") {
            return; // its tools speak text only
        }
        const tools = [weather];
        const first = await say({ model, text: "use tool", tools });
        const results = [{ ...first.calls[0], output: "a picture", image: square }];
        await say({ model, history: first.history, results, tools });
        assert.equal((await received()).images, 1);
    },

    async image({ say, model }) {
        const answer = await say({ model, text: "see image", image: square });
        assert.equal(answer.text, `You said: see image (1 image, ${square.bytes} bytes)`);
    },

    async errors({ say, faulty }) {
        const statuses = { 400: [400], 404: [404], 429: [429], 500: [502], 529: [502, 503, 529] };
        for (const [theirs, ours] of Object.entries(statuses)) {
            refresh(`errors-${faulty}`);
            const model = `fake-status${theirs}`;
            const error = await rejection(say({ model, text: "hello", faulty }));
            assert.ok(ours.includes(error.status), `${theirs} came as ${error.status}: ${error}`);
            if (theirs < 429) {
                assert.match(error.message, /fake/i);
            }
        }
    },
};

// Cases that only a stream can have.
const stream_cases = {
    async "piece by piece"({ say }) {
        const answer = await say({ model: "fake-n5-gap60", text: "hello" });
        assert.equal(answer.pieces.length, 5);
        assert.ok(answer.pieces[4] - answer.pieces[0] > 150, "all at once");
    },

    async "a stream that breaks off"({ say, faulty }) {
        for (const fault of ["errstream2", "cut2", "eof2", "badjson2"]) {
            refresh(`errors-${faulty}`);
            const error = await rejection(say({ model: `fake-n5-${fault}`, text: "hello", faulty }));
            assert.ok(error instanceof Error, fault);
        }
    },
};

for (const sdk of sdks) {
    for (const upstream of Object.keys(ordinary)) {
        const model = ordinary[upstream];
        for (const stream of [false, true]) {
            const all = stream ? { ...cases, ...stream_cases } : cases;
            for (const [name, run] of Object.entries(all)) {
                const say = (ask) => sdk.say(gateways[ask.faulty ? `errors-${upstream}` : upstream],
                    { ...ask, stream });
                tests_of_matrix(sdk.name, upstream, stream ? `${name}, streamed` : name,
                    () => run({ say, model, faulty: upstream, own: sdk.own === upstream,
                        client: sdk.name }));
            }
        }
    }
}
