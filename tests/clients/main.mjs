// main.mjs PART... - runs the tests of the parts, one after the other; run.sh starts what they
// need.
import assert from "node:assert/strict";

import { fake, play, test } from "./play.mjs";

const parts = process.argv.slice(2);
for (const part of parts) {
    await import(`./${part}.mjs`);
}
test("the provider saw nothing but good HTTP and its own key", async () => {
    const { bad, denied, open } = await fake("stats");
    assert.deepEqual({ bad, denied, open }, { bad: 0, denied: 0, open: 0 });
});
const { passed, failed } = await play();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
