// main.mjs PART... - runs the tests of the parts, one after the other; run.sh starts what they need.
import { play } from "./play.mjs";

const parts = process.argv.slice(2);
for (const part of parts) {
    await import(`./${part}.mjs`);
}
const { passed, failed } = await play();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
