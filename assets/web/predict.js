// The tab that predicts: a clip, its words, a model, and what comes out.

import { showAttention } from "./attention.js";
import { byId, element, grouped, percent, problem, save, table } from "./dom.js";
import { Recording } from "./microphone.js";
import { RATE, wav } from "./sound.js";

/** What is chosen: bytes are kept, so that a worker that was begun anew can be given them again. */
const state = { clip: undefined, model: undefined, recording: undefined, result: undefined, figure: undefined, begun: 0 };

let computer;
const trouble = (error, ways) => problem(byId("predict-problem"), error, ways);
const clear = () => byId("predict-problem").replaceChildren();

/** The model that is loaded: `{bytes, name, info, toy}`. */
export const loadedModel = () => state.model;

/** Makes the tab work; `computer` computes. */
export function beginPredicting(it) {
  computer = it;
  byId("clip").addEventListener("change", ({ target }) => takeFile(target));
  byId("model").addEventListener("change", ({ target }) => takeFile(target));
  byId("toy").addEventListener("click", loadToy);
  byId("record").addEventListener("click", record);
  byId("speech").addEventListener("submit", (event) => (event.preventDefault(), predict()));
  byId("save-result").addEventListener("click", () => save(JSON.stringify(plain(state.result), null, 1), "prediction.json", "application/json"));
  byId("player").addEventListener("play", follow);
  return loadToy();
}

function takeFile(input) {
  const [file] = input.files;
  input.value = "";
  if (file) take(file);
}

/** Takes a file that was chosen or dropped: a model by its name, anything else as a recording. */
export async function take(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    return trouble(Object.assign(new Error(`${file.name}: cannot be read: ${error.message}`), { remedy: "Choose it again: it was changed since, or is too large." }));
  }
  return file.name.toLowerCase().endsWith(".mcsan") ? useModel(bytes, file.name) : useClip(bytes, file.name);
}

/** Loads a model; the one before stays where this one cannot be read. */
export async function useModel(bytes, name, toy = false) {
  clear();
  try {
    const info = await computer.call("load", { bytes, name });
    state.model = { bytes, name, info, toy };
    state.begun = computer.begun;
  } catch (error) {
    state.begun = 0;
    trouble(named(error, name));
    return false;
  }
  showModel();
  return true;
}

async function loadToy() {
  try {
    const response = await fetch(new URL("toy.mcsan", import.meta.url));
    if (!response.ok) throw new Error(`toy.mcsan: ${response.status} ${response.statusText}`);
    await useModel(new Uint8Array(await response.arrayBuffer()), "toy model", true);
  } catch (error) {
    byId("model-name").textContent = "No model.";
    trouble(Object.assign(new Error(`the toy model could not be loaded: ${error.message}`), { remedy: "Load a model of yours." }), [["Try again", loadToy]]);
  }
}

function showModel() {
  const { name, info, toy } = state.model;
  byId("model-name").textContent = toy
    ? "A toy, trained for a moment on sentences that a speech synthesiser spoke. It shows how this works and says nothing about people."
    : name;
  const facts = {
    classes: info.classes.join(", "),
    reads: [info.reads.includes("audio") && "the recording", info.reads.includes("text") && `the words, of which it knows ${grouped(info.words)}`].filter(Boolean).join(" and "),
    system: `${info.system}, ${grouped(info.parameters)} parameters`,
    "reads at most": info.longest ? `${info.longest} s` : undefined,
  };
  const list = byId("model-facts");
  list.className = "facts";
  list.replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));
  byId("toy").hidden = toy;
  document.dispatchEvent(new CustomEvent("model", { detail: state.model }));
}

async function useClip(bytes, name) {
  clear();
  try {
    const samples = await computer.call("decode", { bytes, name });
    if (samples.length === 0) throw new Error(`${name}: holds no sound`);
    state.clip = { samples, name };
  } catch (error) {
    trouble(named(error, name));
    return;
  }
  const player = byId("player");
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(new Blob([wav(state.clip.samples, RATE)], { type: "audio/wav" }));
  player.hidden = false;
  byId("clip-name").textContent = `${name}, ${(state.clip.samples.length / RATE).toFixed(1)} s`;
}

async function record() {
  if (state.recording) return endRecording();
  clear();
  const button = byId("record");
  button.disabled = true;
  try {
    state.recording = await Recording.begin((peak, seconds) => {
      byId("level").value = peak;
      byId("elapsed").textContent = `${seconds.toFixed(1)} s`;
    }, endRecording);
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop recording";
    byId("recording").hidden = false;
    byId("clip-name").textContent = "Recording.";
  } catch (error) {
    trouble(error);
  }
  button.disabled = false;
}

async function endRecording() {
  const { recording } = state;
  if (!recording) return;
  state.recording = undefined;
  const button = byId("record");
  button.setAttribute("aria-pressed", "false");
  button.textContent = "Record";
  byId("recording").hidden = true;
  await useClip(await recording.end(), "recording.wav");
}

async function predict() {
  clear();
  const { clip, model } = state;
  const words = byId("words").value.trim();
  if (!model) return trouble(new Error("there is no model"), [["Load the toy model", loadToy]]);
  const needs = (stream) => model.info.reads.includes(stream);
  if (needs("audio") && !clip) return trouble(Object.assign(new Error("this model hears: it needs a recording"), { remedy: "Choose one or record one." }));
  if (!needs("audio") && !words) return trouble(Object.assign(new Error("this model reads words alone, and there are none"), { remedy: "Type what is said." }));
  const [button, line] = [byId("go"), byId("predicting")];
  button.disabled = true;
  line.textContent = "Computing …";
  try {
    if (state.begun !== computer.begun) {
      await computer.call("load", { bytes: model.bytes, name: model.name });
      state.begun = computer.begun;
    }
    const started = performance.now();
    const samples = needs("audio") ? clip.samples : undefined;
    state.result = await computer.call("predict", { samples, words: needs("text") ? words : undefined }, ({ line }) => {
      byId("engine").textContent = `The device was lost (${line}) and was opened again; what you chose is kept.`;
    });
    line.textContent = `Done in ${((performance.now() - started) / 1000).toFixed(2)} s.`;
    show(state.result, samples, needs("text") && !words);
  } catch (error) {
    line.textContent = "";
    const kept = error.lost ? Object.assign(new Error(error.message), { remedy: "Recording, words and model are kept. The device is opened again when you try again." }) : error;
    trouble(kept, [["Try again", predict]]);
  }
  button.disabled = false;
}

function show(result, samples, isWordless) {
  const order = result.classes.map((_, place) => place).sort((a, b) => result.probabilities[b] - result.probabilities[a]);
  const [best] = order;
  byId("result").hidden = false;
  byId("verdict").textContent = `${result.classes[best]}, ${percent(result.probabilities[best])}`;
  const unknown = result.tokens.filter((_, place) => !result.known[place]);
  const notes = [
    result.cut ? `The model reads the first ${state.model.info.longest} s of a recording; the rest is left out.` : undefined,
    isWordless ? "No words were given: the model takes them as one that it does not know." : undefined,
    unknown.length > 0 ? `Unknown to the model: ${unknown.join(", ")}.` : undefined,
  ];
  byId("result-notes").textContent = notes.filter(Boolean).join(" ");
  byId("which").textContent = state.model.toy ? "of the toy model" : `of ${state.model.name}`;
  const bar = (place) => {
    const filled = element("span", {});
    filled.style.width = `${100 * result.probabilities[place]}%`;
    return element("tr", { class: place === best ? "first" : undefined }, element("th", { scope: "row", title: result.classes[place] }, result.classes[place]),
      element("td", { class: "bar", "aria-hidden": "true" }, filled), element("td", { class: "number" }, percent(result.probabilities[place])));
  };
  byId("bars").replaceChildren(element("table", { class: "bars", "aria-label": "Probability of each class" }, element("tbody", {}, order.map(bar))));
  const kernels = [...result.kernels].sort((a, b) => (b.ms ?? -1) - (a.ms ?? -1));
  const total = kernels.reduce((sum, { ms }) => sum + (ms ?? 0), 0);
  byId("time-figure").hidden = kernels.length === 0;
  byId("time-total").textContent = `${total.toFixed(2)} ms together`;
  byId("times").replaceChildren(table("Time of each kernel", ["kernel", "ms", "launches"], kernels.map(({ name, ms, launches }) => [name, ms === null ? "not told" : ms.toFixed(3), launches]), [1, 2]));
  state.figure = showAttention(byId("attention"), result, samples);
  byId("verdict").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion:reduce)").matches ? "auto" : "smooth" });
}

/** Has the maps follow the recording while it is played. */
function follow() {
  const player = byId("player");
  const step = () => {
    state.figure?.moment?.(player.paused ? undefined : player.currentTime);
    if (!player.paused) requestAnimationFrame(step);
  };
  step();
}

/** A result without its arrays' types. */
const plain = (result) => ({
  probabilities: Object.fromEntries(result.classes.map((name, place) => [name, result.probabilities[place]])),
  tokens: result.tokens, known: Array.from(result.known), frameSeconds: result.frameSeconds,
  attention: (result.attention ?? []).map((layer) => ({ ...layer, weights: Array.from(layer.weights) })), kernels: result.kernels,
});

/** The error with the file's name in front, where it has it not. */
function named(error, name) {
  if (error.message.includes(name)) return error;
  return Object.assign(new Error(`${name}: ${error.message}`), { remedy: error.remedy });
}
