// What is done in a page again and again: opened, used, waited for, trained in.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Chromium } from "./chromium.mjs";
import { serve } from "./serve.mjs";

export const [what, folder, files, program] = process.argv.slice(2);
export const file = (name) => join(files, name);
export const json = (name) => JSON.parse(readFileSync(file(name), "utf8"));
export const opened = [];

export const ready = (page, seconds = 60) => page.until("document.body?.dataset.ready === 'true'", seconds);

/** A page that is ready, in a browser of its own unless one is given. */
export async function open(query = "?device=cpu", { flags = [], view, browser, server } = {}) {
  server ??= await serve(folder);
  const isOwn = browser === undefined;
  browser ??= new Chromium(program, flags);
  if (isOwn) opened.push(browser);
  opened.push(server);
  const page = await browser.open(undefined, view);
  page.server = server;
  await page.go(server.url + query);
  await ready(page, 120);
  return page;
}

export const text = (page, selector) => page.value(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
export const shows = (page, selector, part, seconds) => page.until(`document.querySelector(${JSON.stringify(selector)}).innerText.includes(${JSON.stringify(part)})`, seconds);

/** Loads the model of the command line. */
export async function useModel(page, name = "model.mcsan") {
  await page.choose("#model", [file(name)]);
  await shows(page, "#model-name", name);
}

/** Predicts a clip with its words; what the page would save of it. */
export async function predict(page, clip, words) {
  if (clip) {
    await page.choose("#clip", [clip]);
    await shows(page, "#clip-name", clip.split("/").at(-1));
  }
  await page.type("#words", words);
  await page.click("#go");
  await page.until("!document.querySelector('#go').disabled && document.querySelector('#predicting').innerText.startsWith('Done')", 180);
  return page.value(`new Promise((resolve) => {
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => (blob.text().then((text) => resolve(JSON.parse(text))), URL.createObjectURL = make, make(blob));
    document.querySelector("#save-result").click();
  })`);
}

export function close(probabilities, expected, bound) {
  assert.deepEqual(Object.keys(probabilities).sort(), Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) {
    assert.ok(Math.abs(probabilities[name] - value) <= bound, `${name}: ${probabilities[name]} for ${value}`);
  }
}

/** Neither a message in the console nor a request to anywhere else. */
export function quiet(page) {
  assert.deepEqual(page.said, []);
  assert.deepEqual(page.foreign, []);
}

/** Trains on the folder of the corpus; gives when it runs. */
export async function train(page, settings) {
  await page.click("#tab-train");
  await page.choose("#folder", [file("corpus")]);
  await shows(page, "#folder-name", "corpus");
  await begin(page, settings);
}

/** Trains on what is chosen. */
export async function begin(page, settings) {
  for (const [id, value] of Object.entries(settings)) await page.type(`#${id}`, value);
  await page.click("#start");
}

/** The record and the files that a training left, by their hashes. */
export const keptOf = (page) => page.value(`(async () => {
  const trainings = await (await navigator.storage.getDirectory()).getDirectoryHandle("trainings");
  const found = [];
  for await (const folder of trainings.values()) {
    const files = {};
    for await (const handle of folder.values()) {
      const bytes = await (await handle.getFile()).arrayBuffer();
      const hash = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      files[handle.name] = handle.name === "training.json" ? JSON.parse(new TextDecoder().decode(bytes)) : hash;
    }
    found.push({ id: folder.name, files });
  }
  return found.sort((a, b) => a.id.localeCompare(b.id));
})()`);

/** What the page saves by the button of that name. */
export const saved = (page, button) => page.value(`new Promise((resolve) => {
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => (blob.arrayBuffer().then((bytes) => { let s = ""; for (const b of new Uint8Array(bytes)) s += String.fromCharCode(b); resolve(btoa(s)); }), URL.createObjectURL = make, make(blob));
  [...document.querySelectorAll("#run-buttons button")].find((b) => b.textContent === ${JSON.stringify(button)}).click();
})`).then((base64) => Buffer.from(base64, "base64"));

/** Has the page load itself again, as soon as a promise of it has come; nothing is left to be answered by what goes. */
export async function again(page, once = "undefined") {
  await page.value(`delete document.body.dataset.ready; (async () => (await ${once}, setTimeout(() => location.reload())))(); 0`);
  await ready(page, 120);
}

/** From now on the worker of trainings keeps one checkpoint and waits with the next, so that a training is not over before it is broken off. */
export const holdAfterCheckpoint = (page) => page.value(`{
  const { createWritable } = FileSystemFileHandle.prototype;
  let checkpoints = 0;
  FileSystemFileHandle.prototype.createWritable = function (...options) {
    return this.name === "checkpoint.zip" && checkpoints++ > 0 ? new Promise(() => {}) : createWritable.apply(this, options);
  };
}`, page.workers.get("training"));

/** Trains, and loads the page again as soon as the newest of `count` trainings has kept an epoch. */
export async function breakOff(page, settings, count) {
  await holdAfterCheckpoint(page);
  await train(page, settings);
  await again(page, `(async () => {
    const trainings = await (await navigator.storage.getDirectory()).getDirectoryHandle("trainings");
    for (;;) {
      const ids = await Array.fromAsync(trainings.keys());
      const last = ids.length === ${count} && (await trainings.getDirectoryHandle(ids.sort().at(-1)));
      const checkpoint = last && (await last.getFileHandle("checkpoint.zip").catch(() => undefined));
      if (checkpoint && (await checkpoint.getFile()).size > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })()`);
  await page.click("#tab-train");
}

/** Losses of a training in the page are the program's. */
export function sameLosses(found, expected) {
  assert.equal(found.length, expected.length);
  found.forEach((loss, step) => assert.ok(Math.abs(loss - expected[step]) <= 1e-5 * Math.max(1, expected[step]), `step ${step + 1}: ${loss} for ${expected[step]}`));
}

export const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
