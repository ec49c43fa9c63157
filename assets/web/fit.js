// Trainings in the worker: prepared, run, kept after each epoch, gone on with.

import { alone, canKeep, forget, keep, kept } from "./kept.js";
import { contents, demo } from "./corpus.js";

/** The functions that the page calls; `device()` gives the engine. */
export function trainings(mcsan, device) {
  let current;

  async function dataset({ data, files }, tell) {
    const progress = ({ done, total }) => tell({ type: "prepared", done, of: total });
    if (data === "demo") return mcsan.Dataset.archive(await device(), await demo(), { manifest: "manifest.csv" }, progress);
    const { files: read, manifest } = await contents(files);
    return mcsan.Dataset.folder(await device(), read, { manifest, split: "auto" }, progress);
  }

  /** Writes files of a training for as long as the browser takes them; when it does not any more, that is told once. */
  function keeper(tell) {
    let isKept = canKeep();
    if (!isKept) tell({ type: "unkept", line: "This browser keeps no files for this page: what is trained is lost when this tab is closed; save the model at the end." });
    return async (write) => {
      if (!isKept) return false;
      try {
        await write();
      } catch (error) {
        isKept = false;
        const reason = error.name === "QuotaExceededError" ? "the browser has no more room" : error.message;
        tell({ type: "unkept", line: `What is trained is not kept: ${reason}. It goes on, and what it learns from now on is lost when this tab is closed; save the model at the end.` });
      }
      return isKept;
    };
  }

  const begun = (prepared, options, from) =>
    from ? mcsan.Training.fromModel(mcsan.Model.load(from), prepared, options) : mcsan.Training.create(prepared, options);

  /** Runs a training to its end or until it is stopped, and keeps what it has after each epoch, as `attempt` can. */
  async function run(record, training, attempt, tell) {
    let isOver = false;
    let pending;
    let writing = Promise.resolve();
    if (current?.training !== training) current?.training.free();
    current = { id: record.id, record, training, attempt };
    // Of what comes while something is written the newest is written next. First what is shown, then what is gone on from: an epoch too
    // many of the former is replaced.
    const write = async () => {
      if (!pending) return;
      const { shown, checkpoint } = pending;
      pending = undefined;
      await attempt(async () => {
        await keep(record.id, "training.json", shown);
        await keep(record.id, "checkpoint.zip", checkpoint);
      });
    };
    const take = (told) => {
      // Epochs count from 1 here.
      const event = told.type === "epoch" ? { ...told, epoch: told.epoch + 1 } : told;
      if (event.type === "start") Object.assign(record, { epochs: event.epochs, steps: event.steps });
      if (event.type === "step") record.losses.splice(event.step, Infinity, event.loss);
      if (event.type === "epoch") record.records = [...record.records.filter(({ epoch }) => epoch < event.epoch), event];
      tell(event.type === "notice" ? { type: "note", line: event.notice } : event);
      if (event.type !== "checkpoint") return;
      // It is there when this event was told to all.
      setTimeout(() => {
        if (isOver) return;
        pending = { shown: JSON.stringify(record), checkpoint: training.checkpoint() };
        writing = writing.then(write);
      });
    };
    const { stopped, test } = await training.run(await device(), take);
    isOver = true;
    await writing;
    Object.assign(record, { state: "stopped", test });
    await attempt(async () => {
      await keep(record.id, "training.json", JSON.stringify(record));
      await keep(record.id, "checkpoint.zip", training.checkpoint());
      if (!stopped) {
        await keep(record.id, "model.mcsan", training.model());
        await keep(record.id, "weights.safetensors", training.weights());
      }
      Object.assign(record, { state: stopped ? "stopped" : "done" });
      await keep(record.id, "training.json", JSON.stringify(record));
    });
    record.state = stopped ? "stopped" : "done";
    return record;
  }

  return {
    /** A training from the beginning: `{id, name, data, files, options, from}`. */
    train: ({ id, name, data, files, options, from }, tell) =>
      alone(id, async () => {
        const prepared = await dataset({ data, files }, tell);
        const { classes, splits, leftOut } = prepared.info;
        const record = { id, name, data, options, classes, splits, leftOut, records: [], losses: [], epochs: 0, steps: 0, state: "running" };
        const training = begun(prepared, options, from);
        tell({ type: "record", record });
        const attempt = keeper(tell);
        const isKept = await attempt(async () => {
          await keep(id, "data.safetensors", prepared.bytes());
          if (from) await keep(id, "from.mcsan", from);
          await keep(id, "training.json", JSON.stringify(record));
        });
        // Without its data nothing goes on.
        if (!isKept && canKeep()) await forget(id).catch(() => {});
        return run(record, training, attempt, tell);
      }),

    /** Goes on with a training: the one of this worker, or one that was kept. */
    resume: ({ id }, tell) =>
      alone(id, async () => {
        if (current?.id === id) {
          const { record, training, attempt } = current;
          record.state = "running";
          tell({ type: "record", record });
          return run(record, training, attempt, tell);
        }
        const [text, data, checkpoint, from] = await Promise.all(["training.json", "data.safetensors", "checkpoint.zip", "from.mcsan"].map((name) => kept(id, name)));
        if (!text || !data) throw Object.assign(new Error("nothing of this training was kept"), { remedy: "Delete it and train again." });
        const record = { ...JSON.parse(new TextDecoder().decode(text)), id, state: "running" };
        const prepared = mcsan.Dataset.load(data);
        tell({ type: "record", record });
        // Before its first epoch is over it begins again.
        return run(record, checkpoint ? mcsan.Training.resume(checkpoint, prepared) : begun(prepared, record.options, from), keeper(tell), tell);
      }),

    /** Stops the training under way after its step. */
    stop: () => current?.training.stop(),

    /** A file of a training: "model", "weights" or "run"; of the best epoch so far. */
    async result({ id, what }) {
      const name = { model: "model.mcsan", weights: "weights.safetensors", run: "checkpoint.zip" }[what];
      if (current?.id === id) {
        const { training } = current;
        return { model: () => training.model(), weights: () => training.weights(), run: () => training.checkpoint() }[what]();
      }
      const bytes = await kept(id, name);
      if (bytes) return bytes;
      const [data, checkpoint] = await Promise.all([kept(id, "data.safetensors"), kept(id, "checkpoint.zip")]);
      const training = mcsan.Training.resume(checkpoint, mcsan.Dataset.load(data));
      return what === "model" ? training.model() : training.weights();
    },
  };
}
