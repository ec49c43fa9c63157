// The page: its tabs, its device, files that are dropped, and the worker that keeps it for when there is no connection.

import { asked, Computer } from "./compute.js";
import { byId, problem } from "./dom.js";
import { beginPredicting, take } from "./predict.js";
import { beginTraining, isTraining, renewDevice } from "./train.js";

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
    byId("tab-predict").click();
    for (const file of event.dataTransfer.files) take(file);
  });
}

async function keepOffline() {
  const line = byId("offline");
  if (!("serviceWorker" in navigator)) {
    line.textContent = "This browser keeps nothing for when there is no connection.";
    return;
  }
  try {
    const { installing } = await navigator.serviceWorker.register(new URL("sw.js", import.meta.url), { updateViaCache: "none" });
    const failed = new Promise((_, reject) => installing?.addEventListener("statechange", ({ target }) => {
      if (target.state === "redundant") reject(new Error("its files could not be kept"));
    }));
    await Promise.race([navigator.serviceWorker.ready, failed]);
    line.textContent = "Works without a connection from now on.";
  } catch (error) {
    line.textContent = `Needs a connection: ${error.message}`;
  }
}

byId("device").value = asked.device;
byId("device").addEventListener("change", ({ target }) => chooseDevice(target.value));
tabs();
drops();
await openDevice();
keepOffline();
await Promise.all([beginPredicting(computer), beginTraining()]);
document.body.dataset.ready = "true";
