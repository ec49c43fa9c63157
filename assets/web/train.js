// The tab that trains: on the demo corpus or a folder, watched by its curves, kept in the browser, gone on with later.

import { Computer } from "./compute.js";
import { chosen, walked } from "./corpus.js";
import { curves } from "./curves.js";
import { byId, element, percent, problem, save, table } from "./dom.js";
import { alone, canKeep, forget, trainingsKept } from "./kept.js";
import { loadedModel, useModel } from "./predict.js";

const SMALL = { "model.hidden": 32, "model.heads": 4, "model.feed_forward": 64 };

let computer;
let folder;
/** The training that is shown, and whether it is computed now. */
let shown;
let isRunning = false;
let drawn = 0;

const trouble = (error, ways) => problem(byId("train-problem"), error, ways);
const choice = (name) => document.querySelector(`input[name=${name}]:checked`).value;

/** Makes the tab work. */
export async function beginTraining() {
  computer = new Computer("training");
  byId("folder").addEventListener("change", ({ target }) => {
    if (target.files.length > 0) takeFolder(chosen(target.files));
  });
  byId("training").addEventListener("submit", (event) => (event.preventDefault(), start()));
  byId("training").addEventListener("change", fitForm);
  document.addEventListener("model", fitForm);
  new ResizeObserver(() => (drawn ||= requestAnimationFrame(draw))).observe(byId("train"));
  fitForm();
  await listKept();
}

/** Opens the device anew, as after another was chosen; a training under way would be lost. */
export const isTraining = () => isRunning;
export const renewDevice = () => computer.end(new Error("another device was chosen"));

function takeFolder({ name, files }) {
  folder = { name, files };
  byId("folder-name").textContent = `${name}: ${files.length} files`;
  document.querySelector("input[name=data][value=own]").checked = true;
  fitForm();
}

/** Takes a folder that was dropped. */
export async function takeDropped(folders) {
  byId("train-problem").replaceChildren();
  if (folders.length > 1) {
    return trouble(Object.assign(new Error(`${folders.length} folders were dropped: ${folders.slice(0, 4).map(({ name }) => name).join(", ")}`), { remedy: "Drop one, with all recordings in it." }));
  }
  try {
    takeFolder(await walked(folders[0]));
  } catch (error) {
    trouble(error);
  }
}

function fitForm() {
  const model = loadedModel();
  byId("size").disabled = choice("from") === "model";
  byId("from-name").textContent = model ? (model.toy ? "the toy" : model.name) : "none is loaded";
  byId("start").disabled = isRunning;
}

/** The settings that were typed; a line that is none is said. */
function settings() {
  const options = choice("from") === "new" && byId("size").value === "small" ? { ...SMALL } : {};
  const named = { epochs: "train.epochs", batch: "train.batch_size", rate: "train.lr", seed: "train.seed" };
  for (const [id, name] of Object.entries(named)) options[name] = Number(byId(id).value);
  for (const line of byId("more").value.split("\n").map((line) => line.trim()).filter(Boolean)) {
    const [, name, value] = line.match(/^([\w.]+)\s*=\s*(.+)$/) ?? [];
    if (name === undefined) throw Object.assign(new Error(`"${line}" is no setting`), { remedy: "Write name=value, as train.weight_decay=0.01." });
    options[name] = value;
  }
  return options;
}

async function start() {
  byId("train-problem").replaceChildren();
  let options;
  try {
    options = settings();
  } catch (error) {
    return trouble(error);
  }
  const data = choice("data");
  if (data === "own" && !folder) return trouble(Object.assign(new Error("no folder was chosen"), { remedy: "Choose one, or take the demo corpus." }));
  const model = choice("from") === "model" ? loadedModel() : undefined;
  if (choice("from") === "model" && !model) return trouble(new Error("there is no model to begin with"));
  const name = `${data === "demo" ? "Demo corpus" : folder.name}${model ? `, from ${model.toy ? "the toy model" : model.name}` : ""}`;
  const id = new Date().toISOString().replace(/[:.]/g, "-");
  navigator.storage?.persist?.().catch(() => {});
  await work(name, "train", { id, name, data, files: data === "own" ? folder.files : undefined, options, from: model?.bytes });
}

/** Has the worker train or resume, and shows it. */
async function work(name, what, args) {
  isRunning = true;
  shown = { id: args.id, name, records: [], losses: [], epochs: 0, steps: 0, state: "preparing", notes: [], ...(what === "resume" ? args.record : {}) };
  fitForm();
  present("Preparing …");
  byId("run-name").focus();
  await listKept();
  try {
    Object.assign(shown, await computer.call(what, { ...args, record: undefined }, take));
  } catch (error) {
    const isKept = !shown.isUnkept && shown.records.length > 0;
    shown.state = "stopped";
    const remedy = isKept ? `Epoch ${shown.records.at(-1).epoch} is kept: it goes on from there.` : undefined;
    if (error.lost || error.fault) error = Object.assign(new Error(error.message), { remedy: remedy ?? "Begin again: no epoch was done yet." });
    trouble(error, isKept ? [["Continue", () => resume(shown)]] : []);
    if (shown.epochs === 0) byId("run").hidden = true;
  }
  isRunning = false;
  fitForm();
  present();
  await listKept();
}

const resume = (record) => work(record.name, "resume", { id: record.id, record });

function take(event) {
  if (event.type === "prepared") {
    present(`Preparing: ${event.done} of ${event.of} recordings`, event.done / event.of);
  } else if (event.type === "record") {
    Object.assign(shown, event.record);
  } else if (event.type === "note" || event.type === "unkept") {
    shown.notes = [...(shown.notes ?? []), event.line];
    shown.isUnkept ||= event.type === "unkept";
    present();
  } else if (event.type === "start") {
    Object.assign(shown, { epochs: event.epochs, steps: event.steps, state: "running" });
    present();
  } else if (event.type === "step") {
    shown.losses.splice(event.step, Infinity, event.loss);
    byId("run-progress").value = (event.step + 1) / Math.max(shown.steps, 1);
    drawn ||= requestAnimationFrame(draw);
  } else if (event.type === "epoch") {
    shown.records = [...shown.records.filter(({ epoch }) => epoch < event.epoch), event];
    present();
  }
}

/** What is said of a training as it stands. */
function standing({ state, records, epochs, splits, test, leftOut, notes = [] }) {
  const last = records.at(-1);
  const validated = last?.validation ? `, validation UA ${percent(last.validation.ua)}` : "";
  const reached = last ? `epoch ${last.epoch} of ${epochs}${validated}` : "no epoch is done yet";
  const tested = test ? ` On the test split: UA ${percent(test.ua)}, WA ${percent(test.wa)}.` : "";
  const without = leftOut?.length > 0 ? ` ${leftOut.length} recordings were left out: ${leftOut.slice(0, 3).map(({ id, reason }) => `${id} (${reason})`).join(", ")}.` : "";
  const parts = splits && (splits.validation > 0 ? `, validates on ${splits.validation}` : ", validates on none, so that the last epoch is kept");
  const data = splits ? ` Trains on ${splits.train} recordings${parts}${splits.test > 0 ? `, tests on ${splits.test}` : ""}.` : "";
  const said = { done: "Done", running: "Training", stopped: "Stopped" }[state] ?? "Stopped";
  return `${said}: ${reached}.${tested}${data}${without} ${notes.join(" ")}`.trim();
}

function present(line, progress) {
  byId("run").hidden = false;
  byId("run-name").textContent = shown.name;
  byId("run-state").textContent = line ?? standing(isRunning ? { ...shown, state: "running" } : shown);
  byId("run-progress").hidden = !isRunning;
  if (progress !== undefined) byId("run-progress").value = progress;
  const buttons = [];
  if (isRunning) buttons.push(["Stop", () => computer.call("stop")]);
  if (!isRunning && shown.state === "stopped") buttons.push(["Continue", () => resume(shown)]);
  if (!isRunning && shown.records.length > 0) {
    buttons.push(["Predict with it", () => result("model", (bytes) => use(bytes))]);
    buttons.push(["Save the model", () => result("model", (bytes) => save(bytes, "model.mcsan"))]);
    buttons.push(["Save the weights", () => result("weights", (bytes) => save(bytes, "weights.safetensors"))]);
    buttons.push(["Save the run folder", () => result("run", (bytes) => save(bytes, "run.zip", "application/zip"))]);
  }
  if (!isRunning) buttons.push(["Delete", () => remove(shown)]);
  const had = document.activeElement?.closest("#run-buttons") ? document.activeElement.textContent : undefined;
  byId("run-buttons").replaceChildren(...buttons.map(([label, action]) => element("button", { type: "button", click: action }, label)));
  [...byId("run-buttons").children].find((button) => button.textContent === had)?.focus();
  draw();
}

function draw() {
  drawn = 0;
  if (!shown) return;
  // Two figures side by side, or one below the other; letters keep their size.
  const whole = byId("curves").clientWidth;
  const width = Math.max(240, Math.min((whole >= 784 ? (whole - 16) / 2 : whole) - (whole < 480 ? 20 : 28), 540));
  byId("curves").replaceChildren(...(shown.epochs > 0 ? curves(shown, width) : []));
  const rows = shown.records.map(({ epoch, train, validation, best }) => [
    epoch + (best ? " (best)" : ""), train?.loss?.toFixed(4) ?? "", validation?.loss?.toFixed(4) ?? "", percent(validation?.ua ?? NaN), percent(validation?.wa ?? NaN),
  ]);
  byId("epochs-table").hidden = rows.length === 0;
  byId("epochs-table").querySelector(".scroll").replaceChildren(table("Epochs", ["epoch", "training loss", "validation loss", "UA", "WA"], rows, [1, 2, 3, 4]));
}

async function result(what, then) {
  try {
    await then(await computer.call("result", { id: shown.id, what }));
  } catch (error) {
    trouble(error);
  }
}

async function use(bytes) {
  if (await useModel(bytes, shown.name)) byId("tab-predict").click();
}

async function remove(record) {
  if (!confirm(`Delete the training “${record.name ?? record.id}” and its model from this browser?`)) return;
  try {
    if (canKeep()) await alone(record.id, () => forget(record.id));
  } catch (error) {
    return trouble(error);
  }
  if (shown?.id === record.id) {
    shown = undefined;
    byId("run").hidden = true;
  }
  await listKept();
}

/** Trainings of earlier, each with what can be done about it. */
async function listKept() {
  let found = [];
  try {
    found = await trainingsKept();
  } catch (error) {
    trouble(Object.assign(new Error(`what was kept cannot be read: ${error.message}`)));
  }
  const card = (record) => {
    const line = record.fault ?? standing({ ...record, state: record.state === "done" ? "done" : "stopped" });
    const buttons = [];
    if (!record.fault) buttons.push([record.state === "done" ? "Show" : "Continue", () => (record.state === "done" ? show(record) : resume(record))]);
    if (!record.fault && record.state !== "done") buttons.push(["Show", () => show({ ...record, state: "stopped" })]);
    buttons.push(["Delete", () => remove(record)]);
    const name = record.name ?? record.id;
    return element("div", { class: "card kept" }, element("p", {}, element("b", {}, name), ` ${new Date(record.id.replace(/T(\d+)-(\d+)-(\d+)-(\d+)Z/, "T$1:$2:$3.$4Z")).toLocaleString()}`, element("br"), line),
      element("div", { class: "row" }, buttons.map(([label, click]) => element("button", { type: "button", click, disabled: isRunning, "aria-label": `${label}: ${name}` }, label))));
  };
  byId("kept").replaceChildren(...found.filter(({ id }) => id !== shown?.id).map(card));
}

function show(record) {
  shown = record;
  present();
  listKept();
  byId("run-name").focus();
}
