// The library in a browser, ready when it is imported.
import init from "./mcsan.js";

await init({ module_or_path: new URL("mcsan_bg.wasm", import.meta.url) });

export * from "./mcsan.js";
