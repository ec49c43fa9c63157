// What is tried of the page in Chromium, `node try.mjs WHAT PAGE FOLDER CHROMIUM`: PAGE is what `make web` built, FOLDER has what the command
// line made of a small corpus (see tests/page.rs).

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { audit, tabThrough } from "./audit.mjs";
import { serve } from "./serve.mjs";
import {
  again, begin, breakOff, close, file, folder, hash, json, keptOf, open, opened, predict, quiet, ready, sameLosses, saved, shows, text, train,
  useModel, what,
} from "./steps.mjs";

const tried = {
  /** Every format gives what the command line gives, on the processor and by WebGPU; the maps are there and follow the keyboard. */
  async predictions() {
    const expected = json("predictions.json");
    for (const device of ["cpu", "webgpu"]) {
      const page = await open(`?device=${device}`);
      assert.match(await text(page, "#engine"), device === "cpu" ? /processor/ : /WebGPU/);
      await useModel(page);
      const clips = device === "cpu" ? Object.entries(expected) : Object.entries(expected).slice(0, 1);
      for (const [clip, { words, probabilities }] of clips) {
        const result = await predict(page, file(clip), words);
        close(result.probabilities, probabilities, 1e-5);
        for (const { by, over, heads, rows, columns, weights } of result.attention) {
          assert.ok(rows > 0 && columns > 0 && weights.length === heads * rows * columns, `${by} to ${over}`);
          const sum = weights.slice(0, columns).reduce((sum, weight) => sum + weight, 0);
          assert.ok(Math.abs(sum - 1) < 1e-4, `a row's weights sum to ${sum}`);
        }
        assert.equal(result.attention.length, 2, clip);
        assert.ok(result.kernels.some(({ name, ms, launches }) => name === "bilstm" && ms >= 0 && launches > 0), clip);
      }
      await page.value("document.querySelector('.map').focus()");
      const before = await text(page, ".readout");
      await page.key("ArrowRight");
      await page.key("ArrowDown");
      assert.notEqual(await text(page, ".readout"), before);
      quiet(page);
    }
  },

  /** What the microphone hears is the clip, and is predicted. */
  async microphone() {
    const flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${file("spoken.wav")}`, "--autoplay-policy=no-user-gesture-required"];
    const page = await open(undefined, { flags });
    await page.value("{ const make = URL.createObjectURL; URL.createObjectURL = (blob) => ((globalThis.lastSound = blob), make(blob)); }");
    await page.click("#record");
    await shows(page, "#record", "Stop");
    await page.until("parseFloat(document.querySelector('#elapsed').innerText) >= 1.5 && document.querySelector('#level').value > 0.05", 60);
    await page.click("#record");
    await shows(page, "#clip-name", "recording.wav");
    // The clip is a tone of 500 Hz: so many of its samples cross zero, or the clip that is heard is another.
    const hertz = await page.value(`lastSound.arrayBuffer().then((bytes) => {
      const samples = new Float32Array(bytes, 44).slice(8000, 16000);
      return samples.filter((sample, place) => place > 0 && sample >= 0 !== samples[place - 1] >= 0).length;
    })`);
    assert.ok(Math.abs(hertz - 500) < 15, `${hertz} Hz`);
    await useModel(page);
    const { probabilities } = await predict(page, undefined, "go away");
    assert.ok(Math.abs(Object.values(probabilities).reduce((sum, p) => sum + p, 0) - 1) < 1e-6);
    quiet(page);
  },

  /** A microphone that is refused is one line with a way on, and so are damaged files; what was there stays. */
  async refusals() {
    const page = await open(undefined, { flags: ["--use-fake-device-for-media-stream"] });
    await page.browser.send("Browser.setPermission", { permission: { name: "microphone" }, setting: "denied" });
    await page.click("#record");
    await shows(page, "#predict-problem", "the microphone was refused");
    console.log(await text(page, "#predict-problem p"));
    await useModel(page);
    assert.equal(await text(page, "#predict-problem"), "");
    const folder = mkdtempSync(join(tmpdir(), "mcsan-damaged-"));
    try {
      const model = readFileSync(file("model.mcsan"));
      const damaged = { "cut.mcsan": model.subarray(0, model.length / 2), "noise.mcsan": Buffer.alloc(5000, 7), "none.wav": Buffer.alloc(0), "noise.wav": Buffer.alloc(5000, 9), "text.mp3": Buffer.from("no sound") };
      const bit = Buffer.from(model);
      bit[bit.length - 100] ^= 16;
      damaged["bit.mcsan"] = bit;
      await predict(page, file("glad1.wav"), "what");
      for (const [name, bytes] of Object.entries(damaged)) {
        writeFileSync(join(folder, name), bytes);
        await page.choose(name.endsWith(".mcsan") ? "#model" : "#clip", [join(folder, name)]);
        await shows(page, "#predict-problem", name);
        const [line] = (await text(page, "#predict-problem")).split("\n");
        console.log(line);
        assert.ok(!line.includes("RuntimeError") && !line.includes("unreachable") && !line.includes("broke off"), line);
        assert.equal(await text(page, "#model-name"), "model.mcsan");
        assert.match(await text(page, "#clip-name"), /^glad1.wav/);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    const { probabilities } = await predict(page, undefined, json("predictions.json")["glad1.wav"].words);
    close(probabilities, json("predictions.json")["glad1.wav"].probabilities, 1e-5);
  },

  /** A device that is lost is told; what was chosen stays, and the next try has another. */
  async lost() {
    const caught = "\n{ const request = GPUAdapter.prototype.requestDevice; GPUAdapter.prototype.requestDevice = async function (...a) { return (self.lastDevice = await request.apply(this, a)); } }\n";
    const page = await open("?device=webgpu", { server: await serve(folder, { "/worker.js": caught }) });
    await useModel(page);
    const before = await predict(page, file("glad1.wav"), "what a day");
    await page.value("lastDevice.destroy()", page.workers.get("prediction"));
    // Whether it is noticed before the next prediction or by it, a line says so.
    await page.click("#go");
    await page.until("/lost/.test(document.querySelector('#predict-problem').innerText + document.querySelector('#engine').innerText)", 120);
    console.log(await text(page, "#engine"), await text(page, "#predict-problem"));
    await page.value("[...document.querySelectorAll('#predict-problem button')].find((b) => b.textContent === 'Try again')?.click()");
    await page.until("!document.querySelector('#go').disabled", 120);
    const after = await predict(page, undefined, "what a day");
    assert.deepEqual(after.probabilities, before.probabilities);
  },

  /** Without a connection the page is there again, with its toy model. */
  async offline() {
    const page = await open();
    await shows(page, "#offline", "without a connection", 60);
    await page.server.close();
    await again(page);
    const { probabilities } = await predict(page, file("glad1.wav"), "My sister lost her job.");
    assert.equal(Object.keys(probabilities).length, 7);
    assert.match(await text(page, "#model-name"), /toy/);
  },

  /** Losses are the command line's; a training that was broken off ends in the bytes of one that was not; what it saves is taken elsewhere. */
  async training() {
    const page = await open();
    const settings = { epochs: "8", batch: "4", rate: json("training.json").rate, seed: "0", size: "paper", more: json("training.json").settings.join("\n") };
    await train(page, settings);
    await shows(page, "#run-state", "Done", 120);
    const [whole] = await keptOf(page);
    sameLosses(whole.files["training.json"].losses, json("training.json").losses);

    // Another one is broken off after its first epoch.
    await breakOff(page, settings, 2);
    await page.press("Continue");
    await shows(page, "#run-state", "Done", 120);
    const [first, second] = await keptOf(page);
    for (const name of ["model.mcsan", "weights.safetensors"]) assert.equal(second.files[name], first.files[name], name);
    assert.equal(String(second.files["training.json"].losses), String(first.files["training.json"].losses));

    writeFileSync(file("page.safetensors"), await saved(page, "Save the weights"));
    const model = await saved(page, "Save the model");
    assert.equal(hash(model), first.files["model.mcsan"]);
    writeFileSync(file("page.mcsan"), model);
    mkdirSync(file("page-run"), { recursive: true });
    writeFileSync(file("page-run.zip"), await saved(page, "Save the run folder"));
    await page.press("Predict with it");
    const { probabilities } = await predict(page, file("glad1.wav"), json("predictions.json")["glad1.wav"].words);
    writeFileSync(file("page.json"), JSON.stringify(probabilities));
    quiet(page);
  },

  /** A model is trained further on a folder: broken off it ends in the bytes of one that was not; one is stopped by hand and gone on with. */
  async finetuning() {
    const page = await open();
    await useModel(page);
    await page.value("document.querySelector('input[name=from][value=model]').click()");
    await train(page, { epochs: "60", batch: "4" });
    await shows(page, "#run-state", "Done", 120);
    await breakOff(page, { epochs: "60", batch: "4" }, 2);
    await page.press("Continue");
    await shows(page, "#run-state", "Done", 120);
    const [first, second] = await keptOf(page);
    for (const name of ["model.mcsan", "weights.safetensors"]) assert.equal(second.files[name], first.files[name], name);
    assert.equal(String(second.files["training.json"].losses), String(first.files["training.json"].losses));

    await useModel(page);
    await page.value("document.querySelector('input[name=from][value=model]').click()");
    await train(page, { epochs: "40", batch: "4" });
    await page.until("/epoch [1-9]/.test(document.querySelector('#run-state').innerText)", 60);
    await page.press("Stop");
    await shows(page, "#run-state", "Stopped", 60);
    const stoppedAt = (await keptOf(page)).at(-1).files["training.json"].losses.length;
    assert.ok(stoppedAt < 40 * 3, `${stoppedAt} steps`);
    await page.press("Continue");
    await shows(page, "#run-state", "Done", 120);
    assert.match(await text(page, "#run-name"), /model.mcsan/);
    quiet(page);
  },

  /** The demo corpus is trained on to its end as by the command line. */
  async demo() {
    const page = await open();
    await page.click("#tab-train");
    const { losses, test, settings } = json("demo.json");
    await begin(page, settings);
    await shows(page, "#run-state", "Done", 300);
    const [{ files }] = await keptOf(page);
    const record = files["training.json"];
    sameLosses(record.losses, losses);
    assert.equal(record.test.ua, test.ua);
    assert.equal(record.test.wa, test.wa);
    quiet(page);
  },

  /** What is dropped is taken: a model, a clip, a folder to train on; of two folders a line says that it is one at a time. */
  async dropping() {
    const page = await open();
    await page.drop([file("model.mcsan")]);
    await shows(page, "#model-name", "model.mcsan");
    await page.drop([file("glad1.wav")]);
    await shows(page, "#clip-name", "glad1.wav");
    const { words, probabilities } = json("predictions.json")["glad1.wav"];
    close((await predict(page, undefined, words)).probabilities, probabilities, 1e-5);

    await page.drop([file("corpus"), file("run")]);
    await shows(page, "#train-problem", "2 folders were dropped");
    console.log(await text(page, "#train-problem p"));
    await page.drop([file("corpus")]);
    await shows(page, "#folder-name", "corpus: 16 files");
    assert.equal(await text(page, "#train-problem"), "");
    const { losses, rate, settings } = json("training.json");
    await begin(page, { epochs: "8", batch: "4", rate, seed: "0", size: "paper", more: settings.join("\n") });
    await shows(page, "#run-state", "Done", 120);
    sameLosses((await keptOf(page))[0].files["training.json"].losses, losses);
    quiet(page);
  },

  /** Where the browser has no room, at once or later, a line says so; the training goes on to its end and can be saved. */
  async full() {
    const page = await open();
    await shows(page, "#offline", "without a connection", 60);
    const leave = async (room) => {
      const { usage } = await page.value("navigator.storage.estimate().then(({ usage }) => ({ usage }))");
      await page.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.server.url).origin, quotaSize: usage + room });
    };
    const settings = { epochs: "8", batch: "4", rate: json("training.json").rate, seed: "0", size: "paper", more: json("training.json").settings.join("\n") };
    await train(page, settings);
    await shows(page, "#run-state", "Done", 120);
    const [whole] = await keptOf(page);
    const sizes = await page.value(`(async () => {
      const trainings = await (await navigator.storage.getDirectory()).getDirectoryHandle("trainings");
      const folder = await trainings.getDirectoryHandle(${JSON.stringify(whole.id)});
      const size = async (name) => (await (await folder.getFileHandle(name)).getFile()).size;
      return { data: await size("data.safetensors"), checkpoint: await size("checkpoint.zip") };
    })()`);

    // Neither the data, nor anything else.
    await leave(1000);
    await train(page, settings);
    await shows(page, "#run-state", "Done", 120);
    await shows(page, "#run-state", "the browser has no more room");
    console.log(await text(page, "#run-state"));
    assert.equal(hash(await saved(page, "Save the model")), whole.files["model.mcsan"]);
    assert.deepEqual((await keptOf(page)).map(({ id }) => id), [whole.id]);

    // The data, and no checkpoint.
    await leave(sizes.data + sizes.checkpoint / 2);
    await train(page, settings);
    await shows(page, "#run-state", "Done", 120);
    await shows(page, "#run-state", "the browser has no more room");
    assert.equal(hash(await saved(page, "Save the model")), whole.files["model.mcsan"]);
    const cut = (await keptOf(page)).at(-1);
    assert.deepEqual(Object.keys(cut.files).filter((name) => name === "model.mcsan"), []);

    // What is left of it begins again where there is room.
    await page.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.server.url).origin });
    await again(page);
    await page.click("#tab-train");
    await page.press("Continue");
    await shows(page, "#run-state", "Done", 120);
    assert.equal((await keptOf(page)).at(-1).files["model.mcsan"], whole.files["model.mcsan"]);
    quiet(page);
  },

  /** A browser that keeps no files, or refuses to, has a training go on to its end, stopped and gone on with; a line says that it is not kept. */
  async unkept() {
    for (const [behind, said] of [
      ["\ndelete StorageManager.prototype.getDirectory;\n", "keeps no files"],
      ['\nStorageManager.prototype.getDirectory = async () => { throw new DOMException("storage is blocked", "SecurityError"); };\n', "storage is blocked"],
      // As without TLS.
      ['\nfor (const name of ["storage", "locks"]) Object.defineProperty(navigator, name, { value: undefined });\n', "keeps no files"],
    ]) {
      const page = await open(undefined, { server: await serve(folder, { "/kept.js": behind }) });
      await train(page, { epochs: "40", batch: "4" });
      await page.until("/epoch [1-9]/.test(document.querySelector('#run-state').innerText)", 60);
      await page.press("Stop");
      await shows(page, "#run-state", "Stopped", 60);
      await page.press("Continue");
      await shows(page, "#run-state", "Done: epoch 40 of 40", 120);
      await shows(page, "#run-state", said);
      console.log(await text(page, "#run-state"));
      await page.press("Predict with it");
      await shows(page, "#model-name", "corpus");
      const { probabilities } = await predict(page, file("glad1.wav"), "what");
      assert.equal(Object.keys(probabilities).length, 3);
    }
  },

  /** A training under way is another tab's alone: it is neither gone on with nor deleted there, and ends as if alone. */
  async tabs() {
    const page = await open();
    await train(page, { epochs: "60", batch: "4" });
    await page.until("/epoch [1-9]/.test(document.querySelector('#run-state').innerText)", 60);
    const other = await open(undefined, { browser: page.browser, server: page.server });
    await other.click("#tab-train");
    for (const button of ["Continue", "Delete"]) {
      await other.press(button);
      await shows(other, "#train-problem", "goes on in another tab");
      console.log(button, await text(other, "#train-problem p"));
      await other.press("Close");
    }
    await page.press("Stop");
    await shows(page, "#run-state", "Stopped", 60);
    // Now the other one may.
    await other.press("Continue");
    await shows(other, "#run-state", "Done: epoch 60 of 60", 120);
    const [{ files }] = await keptOf(page);
    assert.deepEqual(Object.keys(files).sort(), ["checkpoint.zip", "data.safetensors", "model.mcsan", "training.json", "weights.safetensors"]);
    assert.equal(files["training.json"].losses.length, 60 * 3);
    quiet(other);
  },

  /** A newer build takes over as a whole: when it is asked for and no other tab shows the older one, and only if all its files are of it. */
  async renewal() {
    const built = mkdtempSync(join(tmpdir(), "mcsan-newer-"));
    const newer = (name, change) => {
      const path = join(built, name);
      cpSync(folder, path, { recursive: true });
      const own = (file) => hash(readFileSync(join(path, file)));
      let worker = readFileSync(join(path, "sw.js"), "utf8");
      for (const file of ["app.js", "worker.js"]) {
        const before = own(file);
        writeFileSync(join(path, file), readFileSync(join(path, file), "utf8").replace(...change[file]));
        worker = worker.replace(before, own(file));
      }
      writeFileSync(join(path, "sw.js"), worker.replace(/hash: "\w+"/, `hash: "${name}"`));
      return path;
    };
    const marks = { "app.js": ["`mcsan ${version}`", "`mcsan ${version}, newer page`"], "worker.js": ["version: mcsan.version()", "version: mcsan.version() + ', newer worker'"] };
    try {
      const second = newer("second", marks);
      const page = await open();
      await shows(page, "#offline", "without a connection", 60);
      const older = await text(page, "#version");
      page.server.folder = second;
      await again(page);
      await shows(page, "#offline", "A new version is there", 60);
      const other = await open(undefined, { browser: page.browser, server: page.server });
      for (const one of [page, other]) assert.equal(await text(one, "#version"), older);
      await useModel(page);
      await predict(page, file("glad1.wav"), "what");
      await page.press("Take it now");
      await shows(page, "#offline", "Close the other tabs");
      await other.close();
      await page.press("Take it now");
      await shows(page, "#version", ", newer worker, newer page", 60);
      await ready(page);
      assert.deepEqual((await page.value("caches.keys()")).map((name) => name.split(" ").at(-1)), ["second"]);

      // The server has a third build but for one file.
      const third = newer("third", { "app.js": [", newer page", ", third page"], "worker.js": [", newer worker", ", third worker"] });
      cpSync(join(second, "worker.js"), join(third, "worker.js"));
      page.server.folder = third;
      await page.value(`navigator.serviceWorker.ready.then((registration) => new Promise((resolve) => {
        registration.addEventListener("updatefound", () => {
          const { installing } = registration;
          installing.addEventListener("statechange", () => installing.state === "redundant" && resolve());
        });
        registration.update();
      }))`);
      await again(page);
      assert.equal(await text(page, "#version"), `${older}, newer worker, newer page`);
      await useModel(page);
      await predict(page, file("glad1.wav"), "what");
    } finally {
      rmSync(built, { recursive: true });
    }
  },

  /** Phone and desktop, light and dark: nothing sticks out, everything has its name and is read well, and the keyboard reaches it. */
  async layout() {
    const page = await open("?device=cpu", { view: { width: 1280, height: 900 } });
    await predict(page, file("glad1.wav"), "My unbelievablyuninterruptedlongword lost her job, I can't believe it happened again to us.");
    const views = [[320, false], [320, true], [1280, false], [1280, true]].map(([width, dark]) => ({ width, dark, height: 900 }));
    const look = async (name) => {
      for (const view of views) {
        await page.view(view);
        await page.value("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
        await audit(page, `${name}, ${view.width} pixels, ${view.dark ? "dark" : "light"}`);
        if (process.env.MCSAN_SCREENSHOTS) writeFileSync(join(process.env.MCSAN_SCREENSHOTS, `page-${name}-${view.width}-${view.dark ? "dark" : "light"}.png`), await page.screenshot());
      }
    };
    await page.value("document.querySelectorAll('details').forEach((details) => (details.open = true))");
    await look("predict");
    const stops = await tabThrough(page);
    for (const stop of ["device", "tab-predict", "clip", "record", "words", "go", "model", "save-result"]) assert.ok(stops.includes(stop), `${stop} is not reached by the keyboard: ${stops.join(", ")}`);
    await page.value("document.querySelector('#tab-predict').focus()");
    await page.key("ArrowRight");
    assert.equal(await page.value("document.activeElement.id + document.querySelector('#predict').hidden"), "tab-traintrue");
    await train(page, { epochs: "2", batch: "4" });
    await shows(page, "#run-state", "Done", 120);
    await page.value("document.querySelectorAll('details').forEach((details) => (details.open = true))");
    await look("train");
    const [reached] = [await tabThrough(page)];
    for (const stop of ["folder", "epochs", "start", "Save the model"]) assert.ok(reached.includes(stop), `${stop} is not reached by the keyboard: ${reached.join(", ")}`);
    quiet(page);
  },
};

let failed = false;
try {
  assert.ok(what in tried, `there is no ${what}: ${Object.keys(tried).join(", ")}`);
  await tried[what]();
  console.log(`${what}: as it should be`);
} catch (error) {
  failed = true;
  console.log(error.stack ?? String(error));
}
await Promise.all(opened.map((one) => one.close().catch(() => {})));
process.exit(failed ? 1 : 0);
