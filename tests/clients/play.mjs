// play.mjs - what the tests share: the list of tests, the gateway's and the fake provider's
// addresses, and a look at what was really sent.
//
// The fake provider's answers follow from the request alone, so `both` asks the gateway and the
// provider the same and wants the same answer: what an SDK makes of the gateway's bytes is compared
// with what it makes of the provider's own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";

const TEST_MS_MAX = 15000;

export const gateway = { url: process.env.GATEWAY_URL, key: process.env.GATEWAY_KEY };
export const faulty = { url: process.env.GATEWAY_URL, key: process.env.GATEWAY_KEY_ERRORS };
export const provider = { url: process.env.FAKE_URL, key: process.env.FAKE_KEY };

// The accounts of one dialect each, and those of them that fail on purpose: a gateway by its group.
export const gateways = Object.fromEntries(Object.entries(JSON.parse(process.env.GATEWAY_KEYS))
    .map(([group, key]) => [group, { url: process.env.GATEWAY_URL, key }]));

const tests = [];

export function test(name, run, ms = TEST_MS_MAX) {
    tests.push({ name, run, ms });
}

// What is not there to be tested stands in the matrix by that name, and counts as nothing.
const absent = [];

export function is_absent(client) {
    absent.push(client);
}

// A test of one client at one upstream: it also counts in the matrix.
export function tests_of_matrix(client, upstream, name, run, ms = TEST_MS_MAX) {
    tests.push({ name: `${client} at ${upstream}: ${name}`, run, ms, client, upstream,
        case: name });
}

function within(ms, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function why(error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return text.split("\n").slice(0, 30).join("\n    ");
}

export async function play() {
    let passed = 0;
    for (const one of tests) {
        try {
            await within(one.ms, one.run());
            one.passed = true;
            passed++;
            console.log(`ok clients ${one.name}`);
        } catch (error) {
            console.log(`FAIL clients ${one.name}: ${why(error)}`);
        }
    }
    print_matrix();
    return { passed, failed: tests.length - passed };
}

// A row a client, a column an upstream: how many passed, or what failed first.
function print_matrix() {
    const inside = tests.filter((one) => one.client !== undefined);
    for (const client of new Set(inside.map((one) => one.client))) {
        const cells = Object.keys(gateways).filter((group) => !group.includes("-")).map((group) => {
            const here = inside.filter((one) => one.client === client && one.upstream === group);
            const bad = here.filter((one) => !one.passed);
            return here.length === 0 ? "-"
                : bad.length === 0 ? `${here.length} ok`
                    : `${bad.length} of ${here.length} FAILED: ${bad[0].case}`;
        });
        console.log(`matrix ${[client, ...cells].join(" | ")}`);
    }
    for (const client of absent) {
        console.log(`matrix ${client} | not installed`);
    }
}

// The last request of any SDK; all of them use the global fetch. No SDK may call out.
export const sent = {};
const real_fetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    assert.ok([gateway.url, provider.url].includes(url.origin), `a request to ${url}`);
    const fields = input instanceof Request ? input.headers : init?.headers;
    Object.assign(sent, { url, fields: new Headers(fields), body: init?.body });
    return real_fetch(input, init);
};

export async function both(ask) {
    const through = await ask(gateway);
    assert.deepStrictEqual(through, await ask(provider));
    return through;
}

export async function all(iterable) {
    const items = [];
    for await (const item of iterable) {
        items.push(item);
    }
    return items;
}

export async function rejection(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new assert.AssertionError({ message: "no error where one is due" });
}

// What the fake provider says of itself: tests/fake/README.md.
export async function fake(path) {
    return (await real_fetch(`${provider.url}/__fake/${path}`)).json();
}

// What the provider has counted for a model.
export async function stats(model) {
    const { models } = await fake("stats");
    return models[model] ?? { requests: 0, finished: 0, aborted: 0 };
}

// The last request that reached the provider, and whether its body is `text`, byte for byte.
export async function received() {
    const { requests } = await fake("requests?n=1");
    const last = requests[requests.length - 1];
    return {
        ...last,
        fields: new Map(last.headers),
        is_body: (text) => createHash("sha256").update(text).digest("hex") === last.body_sha256,
    };
}

export async function until(ms, what, condition) {
    const end = Date.now() + ms;
    while (!(await condition())) {
        assert.ok(Date.now() < end, `${what}: not within ${ms} ms`);
        await new Promise((done) => setTimeout(done, 20));
    }
}

// After an error the account cools; the next test of errors wants it fresh.
export function refresh(account = "errors") {
    execFileSync(process.env.SUB2APICTL, ["account", "reset", account], { timeout: 5000 });
}

// Letters of one to four bytes, a line separator, what JSON and SSE escape.
export const letters = "aé€😀\u2028\"\\\t漢字🏳️‍🌈 data: x";

// One red pixel.
export const png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAE" +
    "hQGAhKmMIQAAAABJRU5ErkJggg==";

// The same as an image for the matrix.
export const square = { type: "image/png", data: png, bytes: Buffer.from(png, "base64").length };

// So many bytes as base64, of which no part looks like another.
export function base64_of(bytes) {
    const out = Buffer.alloc(bytes);
    let x = 1;
    for (let i = 0; i < bytes; i++) {
        x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
        out[i] = x >>> 24;
    }
    return out.toString("base64");
}
