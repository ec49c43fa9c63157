// `node node.mjs WORK KIND [DAWN]`: tasks.mjs in Node, KIND cpu, or webgpu by the package in the folder DAWN.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "./tasks.mjs";

const [folder, kind, dawn] = process.argv.slice(2);
const read = async (name) => new Uint8Array(await readFile(path.join(folder, name)));
if (dawn) {
  const { create, globals } = await import(pathToFileURL(path.resolve(dawn)));
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });
  // wgpu tells by it that there is a page.
  globalThis.Window = class {};
}
const mcsan = await import(pathToFileURL(path.join(folder, "mcsan.js")));
await mcsan.default({ module_or_path: await read("mcsan_bg.wasm") });
const work = JSON.parse(await readFile(path.join(folder, "work.json"), "utf8"));
const wrong = await run(mcsan, { kind, checks: kind === "webgpu", work, read, tell: (line) => console.log(line) });
wrong.forEach((line) => console.log(`WRONG ${line}`));
// Dawn's threads go on.
process.exit(wrong.length > 0 ? 1 : 0);
