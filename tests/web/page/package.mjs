// The npm package as others have it: packed, installed into a folder of its own, imported in Node. `node package.mjs PACKAGE FOLDER`, of which
// FOLDER has what the command line made (see tests/page.rs).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [source, files] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "mcsan-package-"));
try {
  const npm = (...args) => execFileSync("npm", ["--silent", "--offline", "--cache", join(folder, "cache"), ...args], { cwd: folder, encoding: "utf8" });
  const tarball = npm("pack", source).trim().split("\n").at(-1);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  npm("install", `./${tarball}`);
  writeFileSync(join(folder, "use.mjs"), 'export * from "mcsan";\n');
  const { Engine, Model, decode } = await import(pathToFileURL(join(folder, "use.mjs")));

  const engine = await Engine.open("cpu");
  assert.equal(engine.kind, "cpu");
  const model = Model.load(readFileSync(join(files, "model.mcsan")));
  for (const [clip, { words, probabilities }] of Object.entries(JSON.parse(readFileSync(join(files, "predictions.json"), "utf8")))) {
    const result = await model.predict(engine, decode(readFileSync(join(files, clip)), clip), words);
    result.classes.forEach((name, place) => assert.ok(Math.abs(result.probabilities[place] - probabilities[name]) <= 1e-5, `${clip}: ${name}`));
  }
  assert.throws(() => decode(new Uint8Array(3), "three.wav"), /three\.wav/);
  console.log(`${tarball}: as it should be`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
