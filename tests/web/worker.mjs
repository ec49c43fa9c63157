// tasks.mjs in a worker of a page.
import { run } from "./tasks.mjs";
import * as mcsan from "./work/mcsan.js";

const read = async (name) => {
  const answer = await fetch(`work/${name}`);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
};
const tell = (line) => postMessage({ line });
try {
  await mcsan.default({ module_or_path: "work/mcsan_bg.wasm" });
  const work = JSON.parse(new TextDecoder().decode(await read("work.json")));
  const known = JSON.parse(new TextDecoder().decode(await read("known.json")));
  const wrong = await run(mcsan, { kind: "webgpu", checks: true, known, work, read, tell });
  postMessage({ wrong });
} catch (error) {
  postMessage({ wrong: [`${error}`] });
}
