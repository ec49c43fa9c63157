// The library in Node, ready when it is imported.
import { readFile } from "node:fs/promises";
import init from "./mcsan.js";

await init({ module_or_path: await readFile(new URL("mcsan_bg.wasm", import.meta.url)) });

export * from "./mcsan.js";
