// cli.mjs - the command line programs as clients: one prompt each, in a home of its own, in the
// dialect that is theirs. What is no answer to the prompt is switched off, and where anything still
// calls out it meets a proxy that is not there.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { fake, gateway, test } from "./play.mjs";

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

function run(home, program, args, env) {
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
        child.stdin.end();
    });
}

// Runs a program. It has to print the answer, the provider to see at least `least` requests for
// `path` and no others, and the gateway to have booked all of them as finished: Codex leaves before
// the last bytes of a stream. (Claude Code's first tool is an agent, which asks for itself.)
async function prompt(home, program, args, env, { answer, path, least }) {
    const before = (await fake("stats")).requests;
    const result = await run(home, program, args, env);
    assert.ok(result.out.includes(answer), result.text);
    assert.equal(result.error, null, result.text);
    const count = (await fake("stats")).requests - before;
    assert.ok(count >= least, `${count} requests`);
    const { requests } = await fake(`requests?n=${count}`);
    assert.deepEqual(requests.map((r) => r.path), Array(count).fill(path));
    const text = execFileSync(process.env.SUB2APICTL, ["--json", "usage", "--count", `${count}`],
        { timeout: 5000, encoding: "utf8" });
    for (const record of JSON.parse(text).items) {
        const { status, code, stream, usage, out } = record;
        assert.deepEqual({ status, code, stream, usage, out },
            { status: 200, code: "", stream: true, usage: "upstream", out: 7 });
    }
    return result;
}

async function cli(name, program, ask) {
    const { error } = await run(home_with({}), program, ["--version"], {});
    if (error) {
        console.log(`note clients cli ${name}: it does not run here, skipped`);
        return;
    }
    test(`cli ${name}`, () => ask(program), RUN_MS_MAX + 5000);
}

// Each program says something, and in a second run calls a tool and shows what came of it.
const asks = [
    { text: "tell a story", answer: "You said: tell a story", least: 1 },
    { text: "use tool", answer: "Tool said:", least: 2 },
];

const codex_home = (more) => home_with({ ".codex/config.toml": `model = "gpt-5.5"
check_for_update_on_startup = false
${more}
[analytics]
enabled = false
` });
const codex_args = ["exec", "--skip-git-repo-check"];

await cli("codex, a provider of its own", join(bin, "codex"), async (program) => {
    const home = codex_home(`model_provider = "gateway"
[model_providers.gateway]
name = "gateway"
base_url = "${gateway.url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"`);
    for (const { text, ...want } of asks) {
        await prompt(home, program, [...codex_args, text], { GATEWAY_KEY: gateway.key },
            { ...want, path: "/v1/responses" });
    }
});

await cli("codex, the built-in provider", join(bin, "codex"), async (program) => {
    const home = codex_home(`openai_base_url = "${gateway.url}/v1"`);
    for (const { text, ...want } of asks) {
        const result = await prompt(home, program, [...codex_args, text],
            { CODEX_API_KEY: gateway.key }, { ...want, path: "/v1/responses" });
        assert.doesNotMatch(result.text, /reconnecting/i, "it tries a WebSocket first");
    }
});

const claude = `../@anthropic-ai/claude-code-linux-${process.arch}/claude`;

await cli("claude code", join(bin, claude), async (program) => {
    const home = home_with({});
    const env = { ANTHROPIC_BASE_URL: gateway.url, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1", DISABLE_TELEMETRY: "1", DISABLE_ERROR_REPORTING: "1" };
    for (const { text, ...want } of asks) {
        for (const key of [{ ANTHROPIC_API_KEY: gateway.key },
            { ANTHROPIC_AUTH_TOKEN: gateway.key }]) {
            await prompt(home, program, ["-p", text, "--model", "claude-haiku-4-5"],
                { ...env, ...key }, { ...want, path: "/v1/messages?beta=true" });
        }
    }
});

await cli("gemini", join(bin, "gemini"), async (program) => {
    const home = home_with({ ".gemini/settings.json": JSON.stringify({
        privacy: { usageStatisticsEnabled: false }, telemetry: { enabled: false },
        general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
    }) });
    for (const { text, ...want } of asks) {
        await prompt(home, program, ["-m", "gemini-2.5-flash", "-p", text],
            { GOOGLE_GEMINI_BASE_URL: gateway.url, GEMINI_API_KEY: gateway.key,
                GEMINI_CLI_TRUST_WORKSPACE: "true" },
            { ...want, path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" });
    }
});
