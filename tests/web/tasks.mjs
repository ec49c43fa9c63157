// What is done with the library compiled to WebAssembly, wherever it runs: every kernel's cases, a training, a stop and a resumption, a
// prediction, and what is refused; each is held against what the program itself computed.

/**
 * How far the loss of a step may lie from the program's, as a part of it. On WebGPU a product of n terms may be rounded by n units in the
 * last place, as if its factors were. All weights changed by 128 units, up or down at random, change the losses of this training on the
 * reference by 5e-6 in the first two steps and by up to 1e-3 in the tenth; changed by one unit, by 2e-7 in all. llvmpipe's come to 1e-7,
 * SwiftShader's to 3e-4.
 */
const bound = (kind, step) => (kind === "cpu" ? 1e-6 : step < 2 ? 1e-5 : 1e-3);

const equal = (first, second) => first.length === second.length && first.every((byte, place) => byte === second[place]);

/** What a call throws, in one line. */
async function refusal(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`threw ${error}, which is no Error`);
    return `${error.message}${error.remedy ? `; ${error.remedy}` : ""}`;
  }
  throw new Error("was not refused");
}

/**
 * `read(name)` gives a file of the work folder; `work` is its work.json: `{files, settings, losses, clip, text, probabilities}`.
 * `known` are cases that this driver is known to fail. Gives the lines of what is wrong.
 */
export async function run(mcsan, { kind, checks, known = [], work, read, tell }) {
  const wrong = [];
  const require = (holds, line) => (holds ? tell(`ok: ${line}`) : wrong.push(line));
  const engine = await mcsan.Engine.open(kind);
  tell(`${engine.kind}: ${engine.name}`);
  require(engine.kind === kind && engine.notice === undefined && engine.lost === undefined, `${kind} is opened`);

  if (checks) {
    const failed = [];
    const result = await mcsan.check(engine, "", (line) => {
      if (line.startsWith("FAILED ")) failed.push(line);
      tell(line);
    });
    const unknown = failed.filter((line) => !known.some((name) => line.includes(name)));
    require(result.passed > 200 && unknown.length === 0, `${result.passed} cases pass, ${failed.length} fail, all of these known`);
    wrong.push(...unknown);
  }

  const files = await Promise.all(work.files.map(async (path) => ({ path, bytes: await read(path) })));
  let progress = 0;
  const data = await mcsan.Dataset.folder(engine, files, { manifest: "manifest.csv" }, ({ done, total }) => (progress = done / total));
  require(progress === 1 && data.info.utterances === work.files.length - 1, `${data.info.utterances} clips are prepared`);
  const losses = [];
  const note = (event) => event.type === "step" && losses.push(event.loss);
  const training = mcsan.Training.create(data, work.settings);
  const finished = await training.run(engine, note);
  const apart = losses.map((loss, step) => Math.abs(loss / work.losses[step] - 1));
  const close = losses.length === work.losses.length && apart.every((far, step) => far <= bound(kind, step));
  require(finished.stopped === false && close, `${losses.length} losses are ${apart.map((far) => far.toExponential(1)).join(", ")} from the program's`);

  const stopped = mcsan.Training.create(data, work.settings);
  const half = await stopped.run(engine, (event) => event.type === "step" && event.step === 3 && stopped.stop());
  const again = mcsan.Dataset.load(data.bytes());
  const resumed = mcsan.Training.resume(stopped.checkpoint(), again);
  await resumed.run(engine);
  const same = equal(resumed.weights(), training.weights());
  require(half.stopped && half.step < losses.length && same, `stopped after ${half.step} steps it ends in the same bytes`);
  const trained = mcsan.Model.load(training.model());
  require(trained.info.classes.length === data.info.classes.length, "what was trained is read as a model");
  const further = mcsan.Training.fromModel(trained, data, { "train.steps": 2, "train.batch_size": 4 });
  require((await further.run(engine)).stopped === false, "it is trained further");

  const model = mcsan.Model.load(await read("model.mcsan"));
  const samples = mcsan.decode(await read(work.clip), work.clip);
  const said = await model.predict(engine, samples, work.text);
  const far = Math.max(...said.probabilities.map((own, place) => Math.abs(own - work.probabilities[place])));
  require(far <= 1e-5, `probabilities are ${far} from the program's`);
  const sums = said.attention.map(({ columns, weights }) => weights.slice(0, columns).reduce((sum, weight) => sum + weight, 0));
  require(sums.length > 0 && sums.every((sum) => Math.abs(sum - 1) < 1e-4), `a row of each of ${sums.length} attentions sums to one`);
  require(said.kernels.length > 3 && said.kernels.every(({ launches }) => launches > 0), `${said.kernels.length} kernels are timed`);

  const noise = new Uint8Array(999).fill(77);
  const damaged = (await read("model.mcsan")).slice();
  damaged[damaged.length >> 1] ^= 1;
  for (const [call, part] of [
    [() => mcsan.decode(noise, "noise.wav"), "noise.wav"],
    [() => mcsan.Model.load(noise, "noise.mcsan"), "noise.mcsan: is neither"],
    [() => mcsan.Model.load(damaged, "damaged.mcsan"), "damaged.mcsan: member"],
    [() => mcsan.Training.create(data, { "train.lr": -1 }), "train.lr"],
    [() => mcsan.Training.create(data, { "train.rate": 1 }), "train.rate"],
    [() => mcsan.Training.create(data, {}).weights(), "no checkpoint yet"],
    [() => model.predict(engine, undefined, work.text), "audio"],
    [() => mcsan.Dataset.prepare(engine, [{ name: "a.wav", bytes: noise, text: "a", label: "b" }]), "a.wav"],
    [() => mcsan.check(engine, "lineal"), "the nearest is 'linear'"],
    [() => mcsan.Engine.open("quantum"), "'quantum' is no engine"],
  ]) {
    const line = await refusal(call).catch((error) => `${error.message}: ${call}`);
    require(line.includes(part) && !line.includes("held-"), `refused: ${line}`);
  }
  return wrong;
}
