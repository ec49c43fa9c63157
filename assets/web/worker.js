// What computes: the library as WebAssembly, in a worker, so that the page stays free.

import init, * as mcsan from "./mcsan.js";
import { trainings } from "./fit.js";

const ready = init({ module_or_path: new URL("mcsan_bg.wasm", import.meta.url) });
let which;
let engine;
let model;

/** The device, opened when it is first needed, and again after it was lost, which is told. */
async function device(tell = () => {}) {
  if (engine?.lost) {
    tell({ type: "lost", line: engine.lost });
    engine = undefined;
  }
  engine ??= await mcsan.Engine.open(which);
  return engine;
}

/** What the page calls by name. */
const functions = {
  async open() {
    const { name, kind, notice } = await device();
    return { name, kind, notice, version: mcsan.version() };
  },
  decode: ({ bytes, name }) => mcsan.decode(bytes, name),
  load({ bytes, name }) {
    const loaded = mcsan.Model.load(bytes, name);
    model?.free();
    model = loaded;
    return model.info;
  },
  predict: async ({ samples, words }, tell) => model.predict(await device(tell), samples, words),
  ...trainings(mcsan, device),
};

/** An error as a message: its line, its remedy, and whether the device or the whole worker is gone. */
function told(error) {
  const { message = String(error), remedy } = error ?? {};
  return { message, remedy, lost: engine?.lost !== undefined, fault: error instanceof WebAssembly.RuntimeError };
}

self.addEventListener("message", async ({ data: { id, name, args, device: asked } }) => {
  which = asked;
  try {
    await ready;
    const result = await functions[name](args, (event) => self.postMessage({ id, event }));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: told(error) });
  }
});
