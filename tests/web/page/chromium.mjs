// A headless Chromium that is driven by the DevTools protocol over pipes, and pages in it.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What WebGPU needs here: Chromium's software adapter. */
const FLAGS = [
  "--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars", "--remote-debugging-pipe",
];

export class Chromium {
  #process;
  #last = 0;
  #calls = new Map();
  #rest = "";
  #folder = mkdtempSync(join(tmpdir(), "mcsan-chromium-"));
  /** Listeners of events: `(method, params, session)`. */
  listeners = new Set();

  constructor(program, flags = []) {
    const args = [...FLAGS, `--user-data-dir=${this.#folder}`, ...flags, "about:blank"];
    this.#process = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.stdio[4].on("data", (data) => this.#read(data));
    this.#process.stdio[3].on("error", () => {});
    this.ended = new Promise((resolve) => this.#process.on("exit", resolve));
    this.ended.then(() => this.#calls.forEach(({ reject }) => reject(new Error("Chromium ended"))));
  }

  #read(data) {
    const parts = (this.#rest + data.toString()).split("\0");
    this.#rest = parts.pop();
    for (const message of parts.map((part) => JSON.parse(part))) {
      const call = this.#calls.get(message.id);
      if (call) {
        this.#calls.delete(message.id);
        message.error ? call.reject(new Error(`${call.said}: ${message.error.message}`)) : call.resolve(message.result);
      } else {
        this.listeners.forEach((listener) => listener(message.method, message.params, message.sessionId));
      }
    }
  }

  send(method, params = {}, sessionId) {
    const id = ++this.#last;
    const said = `${method} ${params.expression?.slice(0, 200) ?? ""}`;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, said });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** A page of its own at `url`. */
  async open(url, view) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    await page.begin(view);
    if (url) await page.go(url);
    return page;
  }

  async close() {
    await this.send("Browser.close").catch(() => {});
    await Promise.race([this.ended, sleep(5000)]);
    this.#process.kill("SIGKILL");
    await this.ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  /** Lines of the console and exceptions that nobody caught. */
  said = [];
  /** Sessions of its workers, by the workers' names. */
  workers = new Map();
  /** Requests beside those to the page's own server. */
  foreign = [];

  constructor(browser, session, target) {
    Object.assign(this, { browser, session, target });
  }

  async begin({ width = 1280, height = 900, dark = false } = {}) {
    this.browser.listeners.add((method, params, session) => this.#hear(method, params, session));
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await this.send(`${domain}.enable`);
    await this.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
    await this.view({ width, height, dark });
  }

  async #hear(method, params, session) {
    if (method === "Target.attachedToTarget" && session === this.session) {
      const { sessionId, targetInfo } = params;
      this.workers.set(targetInfo.title || targetInfo.url, sessionId);
      // The first is not answered before the second was sent.
      const calls = ["Runtime.enable", "Runtime.runIfWaitingForDebugger"];
      await Promise.all(calls.map((method) => this.browser.send(method, {}, sessionId).catch(() => {})));
      return;
    }
    if (session !== this.session && ![...this.workers.values()].includes(session)) return;
    if (method === "Runtime.exceptionThrown") this.said.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
    if (method === "Runtime.consoleAPICalled") this.said.push(`${params.type}: ${params.args.map((arg) => arg.value ?? arg.description).join(" ")}`);
    if (method === "Log.entryAdded") this.said.push(`${params.entry.level}: ${params.entry.text} ${params.entry.url ?? ""}`);
    if (method === "Network.requestWillBeSent") {
      const { protocol, host } = new URL(params.request.url);
      if (!["blob:", "data:"].includes(protocol) && host !== this.host) this.foreign.push(params.request.url);
    }
    if (method === "Page.javascriptDialogOpening") await this.send("Page.handleJavaScriptDialog", { accept: true });
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  view({ width, height, dark = false, motion = "reduce" }) {
    const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }, { name: "prefers-reduced-motion", value: motion }];
    return Promise.all([
      this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false }),
      this.send("Emulation.setEmulatedMedia", { features }),
    ]);
  }

  async go(url) {
    this.host = new URL(url).host;
    await this.send("Page.navigate", { url });
  }

  /** The value of an expression, or of what its promise brings. */
  async value(expression, session = this.session) {
    const { result, exceptionDetails } = await this.browser.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true, userGesture: true }, session);
    if (exceptionDetails) throw new Error(`${expression.slice(0, 200)}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression, seconds = 60) {
    const end = Date.now() + 1000 * seconds;
    for (;;) {
      const value = await this.value(expression).catch(() => false);
      if (value) return value;
      if (Date.now() > end) {
        const seen = await this.value("document.body.innerText").catch(() => "");
        throw new Error(`never came true: ${expression}\n${this.said.join("\n")}\n${seen.slice(0, 3000)}`);
      }
      await sleep(50);
    }
  }

  /** Gives files of this machine to an input. */
  async choose(selector, files) {
    const { root } = await this.send("DOM.getDocument");
    const { nodeId } = await this.send("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.send("DOM.setFileInputFiles", { nodeId, files });
  }

  /** Drops files and folders of this machine in the middle of the page. */
  async drop(files) {
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await this.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data: { items: [], files, dragOperationsMask: 1 } });
    }
  }

  close() {
    return this.browser.send("Target.closeTarget", { targetId: this.target });
  }

  click(selector) {
    return this.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
  }

  /** Clicks the button of that text. */
  press(text) {
    const find = `[...document.querySelectorAll("button")].find((b) => b.textContent === ${JSON.stringify(text)} && b.offsetParent && !b.disabled)`;
    return this.until(find + " && true").then(() => this.value(`${find}.click()`));
  }

  type(selector, text) {
    return this.value(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.value = ${JSON.stringify(text)}; e.dispatchEvent(new Event("input", { bubbles: true })); e.dispatchEvent(new Event("change", { bubbles: true })); })()`);
  }

  async key(key, code = key) {
    for (const type of ["keyDown", "keyUp"]) await this.send("Input.dispatchKeyEvent", { type, key, code, windowsVirtualKeyCode: { Tab: 9, ArrowRight: 39, ArrowDown: 40, Enter: 13 }[key] });
  }

  async screenshot() {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    return Buffer.from(data, "base64");
  }
}
