// The page: its tabs, its device, files that are dropped, and the worker that keeps it for when there is no connection.

import { asked, Computer } from "./compute.js";
import { byId, element, problem } from "./dom.js";
import { beginPredicting, take } from "./predict.js";
import { beginTraining, isTraining, renewDevice, takeDropped } from "./train.js";

const computer = new Computer("prediction");

async function openDevice() {
  const line = byId("engine");
  line.textContent = "Opening the device …";
  try {
    const { name, kind, notice, version } = await computer.call("open");
    const where = kind === "webgpu" ? `WebGPU${name && name !== "WebGPU" ? `, ${name}` : ""}` : "this computer's processor, by the reference in WebAssembly";
    line.textContent = `Computes on ${where}.${notice ? ` ${notice}` : ""}`;
    byId("version").textContent = `mcsan ${version}`;
  } catch (error) {
    line.textContent = "No device.";
    problem(byId("predict-problem"), error, asked.device === "cpu" ? [] : [["Compute on the processor", () => chooseDevice("cpu")]]);
  }
}

/** Takes another device for what is computed from now on. */
async function chooseDevice(which) {
  if (isTraining()) {
    byId("device").value = asked.device;
    problem(byId("train-problem"), Object.assign(new Error("a training is under way"), { remedy: "Stop it before you choose another device; it goes on there." }));
    return;
  }
  asked.device = which;
  byId("device").value = which;
  computer.end(new Error("another device was chosen"));
  renewDevice();
  await openDevice();
}

function tabs() {
  const all = [...document.querySelectorAll("[role=tab]")];
  const select = (tab) => {
    for (const one of all) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
      byId(one.getAttribute("aria-controls")).hidden = one !== tab;
    }
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  };
  for (const [place, tab] of all.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }[key];
      if (to === undefined) return;
      const other = all.at(to % all.length);
      select(other);
      other.focus();
    });
  }
  const named = all.find((tab) => location.hash === `#${tab.getAttribute("aria-controls")}`);
  if (named) select(named);
}

function drops() {
  const over = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget ?? over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    // What is dropped can be asked for now alone.
    const dropped = [...event.dataTransfer.items].filter(({ kind }) => kind === "file").map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
    const folders = dropped.map(({ entry }) => entry).filter((entry) => entry?.isDirectory);
    byId(folders.length > 0 ? "tab-train" : "tab-predict").click();
    if (folders.length > 0) takeDropped(folders);
    for (const { file } of dropped.filter(({ entry }) => !entry?.isDirectory)) take(file);
  });
}

async function keepOffline() {
  const line = byId("offline");
  if (!("serviceWorker" in navigator)) {
    line.textContent = "This browser keeps nothing for when there is no connection.";
    return;
  }
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", import.meta.url), { updateViaCache: "none" });
    tellOfNewer(registration);
    const failed = new Promise((_, reject) => registration.installing?.addEventListener("statechange", ({ target }) => {
      if (target.state === "redundant") reject(new Error("its files could not be kept"));
    }));
    await Promise.race([navigator.serviceWorker.ready, failed]);
    if (!registration.waiting) line.textContent = "Works without a connection from now on.";
  } catch (error) {
    line.textContent = `Needs a connection: ${error.message}`;
  }
}

/** Says when a newer version was loaded. It waits until no tab shows this one, or the only one that does takes it. */
function tellOfNewer(registration) {
  const line = byId("offline");
  const tell = () => {
    const take = () => {
      if (isTraining()) line.firstChild.textContent = "A training is under way: the new version can be taken when it is over. ";
      else registration.waiting?.postMessage("take over");
    };
    line.replaceChildren("A new version is there; it comes when all tabs of this page are closed. ", element("button", { type: "button", click: take }, "Take it now"));
  };
  const watch = (worker) => worker?.addEventListener("statechange", () => {
    if (worker.state === "installed" && navigator.serviceWorker.controller) tell();
  });
  if (registration.waiting) tell();
  watch(registration.installing);
  registration.addEventListener("updatefound", () => watch(registration.installing));
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (data === "others") line.firstChild.textContent = "Close the other tabs of this page first: they show this version. ";
  });
  const isOlder = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener("controllerchange", () => isOlder && location.reload());
}

byId("device").value = asked.device;
byId("device").addEventListener("change", ({ target }) => chooseDevice(target.value));
tabs();
drops();
await openDevice();
keepOffline();
await Promise.all([beginPredicting(computer), beginTraining()]);
document.body.dataset.ready = "true";
