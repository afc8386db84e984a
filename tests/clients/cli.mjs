// cli.mjs - the command line programs as clients: one prompt each, in a home of its own, in the
// dialect that is theirs. What is no answer to the prompt is switched off, and where anything still
// calls out it meets a proxy that is not there.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { fake, gateway, gateways, is_absent, refresh, square, test, tests_of_matrix } from
    "./play.mjs";

const RUN_MS_MAX = 60000;
const bin = new URL("cli/node_modules/.bin/", import.meta.url).pathname;

// A new home with these files; returns its directory.
function home_with(files) {
    const home = mkdtempSync(join(process.env.CLIENTS_DIR, "home-"));
    for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(home, path, ".."), { recursive: true });
        writeFileSync(join(home, path), text);
    }
    mkdirSync(join(home, "work"), { recursive: true });
    return home;
}

function run(home, program, args, env, input = "") {
    const nowhere = "http://127.0.0.1:9";
    const options = {
        cwd: join(home, "work"), timeout: RUN_MS_MAX, killSignal: "SIGKILL", maxBuffer: 1 << 22,
        env: { HOME: home, PATH: `${join(process.execPath, "..")}:/usr/bin:/bin`, TERM: "dumb",
            TMPDIR: home, LANG: "C.UTF-8", HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere,
            https_proxy: nowhere, http_proxy: nowhere, NO_PROXY: "127.0.0.1,localhost",
            no_proxy: "127.0.0.1,localhost", ...env },
    };
    return new Promise((done) => {
        const child = execFile(program, args, options, (error, out, err) =>
            done({ error, out, err, text: `${error ?? ""}\n${out}\n${err}` }));
        child.stdin.on("error", () => {}); // it may not read it
        child.stdin.end(input);
    });
}

// Runs a program. It has to print the answer, the provider to see at least `least` requests for
// `path` and no others (but to count tokens), and the gateway to have booked all of them as
// finished: Codex leaves before the last bytes of a stream. (Claude Code's first tool is an agent,
// which asks for itself.)
async function prompt(start, { answer, path, least }) {
    const before = (await fake("stats")).requests;
    const result = await start();
    assert.ok(result.out.includes(answer), result.text);
    assert.equal(result.error, null, result.text);
    const count = (await fake("stats")).requests - before;
    assert.ok(count >= least, `${count} requests`);
    const { requests } = await fake(`requests?n=${count}`);
    const asked = requests.map((r) => r.path).filter((one) => !/(count_?|input_)tokens/i.test(one));
    assert.deepEqual(asked, Array(asked.length).fill(path));
    const text = execFileSync(process.env.SUB2APICTL, ["--json", "usage", "--count", `${count}`],
        { timeout: 5000, encoding: "utf8" });
    const records = JSON.parse(text).items.filter((record) => record.stream);
    assert.equal(records.length, asked.length);
    for (const { status, code, usage, out } of records) {
        assert.deepEqual({ status, code, usage, out },
            { status: 200, code: "", usage: "upstream", out: 7 });
    }
    return result;
}

// Each program says something, and in a second run calls a tool and shows what came of it.
const asks = [
    { text: "tell a story", answer: "You said: tell a story", least: 1 },
    { text: "use tool", answer: "Tool said:", least: 2 },
];
const paths = { chat: "/v1/chat/completions", responses: "/v1/responses",
    anthropic: "/v1/messages",
    gemini: "/v1beta/models/MODEL:streamGenerateContent?alt=sse" };

// What all programs have in common. `start(at, model, ask)` runs one in a new home against a
// gateway; ask is { text } or { text, image: a file's path }; `own` is its dialect and `path` what
// it asks for when nothing is translated.
async function cli({ name, program, model, own, path, start }) {
    const { error } = await run(home_with({}), program, ["--version"], {});
    if (error) {
        console.log(`note clients cli ${name}: it does not run here, skipped`);
        is_absent(name);
        return;
    }
    for (const upstream of Object.keys(paths)) {
        const one = (text, ask) =>
            tests_of_matrix(name, upstream, text, ask, 3 * RUN_MS_MAX);
        const at = gateways[upstream];
        const there = upstream === own ? path : paths[upstream].replace("MODEL", model);
        for (const { text, ...want } of asks) {
            one(text, () => prompt(() => start(at, model, { text }), { ...want, path: there }));
        }
        one("see image", async () => {
            await prompt(() => start(at, model, { text: "see image", image: image_file }),
                { answer: "You said:", least: 1, path: there });
            const { requests } = await fake("requests?n=1");
            assert.equal(requests[0].images, 1);
        });
        one("an error", async () => {
            refresh(`errors-${upstream}`);
            const bad = gateways[`errors-${upstream}`];
            const result = await start(bad, "fake-status400", { text: "hello" });
            assert.match(result.text, /fake error 400/);
        });
    }
}

const image_file = join(process.env.CLIENTS_DIR, "square.png");
writeFileSync(image_file, Buffer.from(square.data, "base64"));

const codex_home = (more) => home_with({ ".codex/config.toml": `model = "gpt-5.5"
check_for_update_on_startup = false
${more}
[analytics]
enabled = false
` });
const codex = join(bin, "codex");
const codex_args = (model, { text, image }) => ["exec", "--skip-git-repo-check", "-m", model,
    ...(image ? ["-i", image] : []), "--", text];

await cli({
    name: "codex", program: codex, model: "gpt-5.5", own: "responses", path: "/v1/responses",
    start: (at, model, ask) => run(codex_home(`model_provider = "gateway"
[model_providers.gateway]
name = "gateway"
base_url = "${at.url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"`), codex, codex_args(model, ask), { GATEWAY_KEY: at.key }),
});

test("cli codex, the built-in provider", async () => {
    for (const { text, ...want } of asks) {
        const result = await prompt(() => run(codex_home(`openai_base_url = "${gateway.url}/v1"`),
            codex, codex_args("gpt-5.5", { text }), { CODEX_API_KEY: gateway.key }),
        { ...want, path: "/v1/responses" });
        assert.doesNotMatch(result.text, /reconnecting/i, "it tries a WebSocket first");
    }
}, RUN_MS_MAX + 5000);

const claude = join(bin, `../@anthropic-ai/claude-code-linux-${process.arch}/claude`);
const claude_path = "/v1/messages?beta=true";

// An image goes in as a message of the program's own stream format.
function claude_start(at, model, { text, image }, key = { ANTHROPIC_API_KEY: at.key }) {
    const env = { ANTHROPIC_BASE_URL: at.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1", DISABLE_TELEMETRY: "1", DISABLE_ERROR_REPORTING: "1",
        CLAUDE_CODE_MAX_RETRIES: "0", ...key };
    const args = ["-p", "--model", model];
    if (image === undefined) {
        return run(home_with({}), claude, [...args, text], env);
    }
    const source = { type: "base64", media_type: square.type, data: square.data };
    const message = { role: "user", content: [{ type: "image", source }, { type: "text", text }] };
    return run(home_with({}), claude, [...args, "--input-format", "stream-json",
        "--output-format", "stream-json", "--verbose"], env,
    `${JSON.stringify({ type: "user", message })}\n`);
}

await cli({ name: "claude code", program: claude, model: "claude-haiku-4-5", own: "anthropic",
    path: claude_path, start: claude_start });

test("cli claude code, with a token", async () => {
    for (const { text, ...want } of asks) {
        await prompt(() => claude_start(gateway, "claude-haiku-4-5", { text },
            { ANTHROPIC_AUTH_TOKEN: gateway.key }), { ...want, path: claude_path });
    }
}, RUN_MS_MAX + 5000);

const gemini = join(bin, "gemini");

// An image is named in the prompt; it has to be in the workspace.
function gemini_start(at, model, { text, image }) {
    const home = home_with({ ".gemini/settings.json": JSON.stringify({
        privacy: { usageStatisticsEnabled: false }, telemetry: { enabled: false },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
    }) });
    if (image !== undefined) {
        copyFileSync(image, join(home, "work/square.png"));
    }
    return run(home, gemini, ["-m", model, "-p", image ? `${text} @square.png` : text],
        { GOOGLE_GEMINI_BASE_URL: at.url, GEMINI_API_KEY: at.key,
            GEMINI_CLI_TRUST_WORKSPACE: "true" });
}

await cli({ name: "gemini cli", program: gemini, model: "gemini-2.5-flash", own: "gemini",
    path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", start: gemini_start });
