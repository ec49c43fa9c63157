// What trainings keep in the browser: a folder each in its private file system (OPFS), for this page alone.

const TRAININGS = "trainings";

/** Whether the browser lets this page keep files. */
export const canKeep = () => navigator.storage?.getDirectory !== undefined && "createWritable" in (globalThis.FileSystemFileHandle?.prototype ?? {});

async function folder(id, create = false) {
  const root = await navigator.storage.getDirectory();
  const trainings = await root.getDirectoryHandle(TRAININGS, { create: true });
  return id === undefined ? trainings : trainings.getDirectoryHandle(id, { create });
}

/** Writes a file of a training, whole or not at all. */
export async function keep(id, name, content) {
  const file = await (await folder(id, true)).getFileHandle(name, { create: true });
  const stream = await file.createWritable();
  try {
    await stream.write(content);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
}

/** The bytes of a file of a training, or nothing where it has none of that name. */
export async function kept(id, name) {
  try {
    const file = await (await (await folder(id)).getFileHandle(name)).getFile();
    // One of which nothing was written yet.
    return file.size > 0 ? new Uint8Array(await file.arrayBuffer()) : undefined;
  } catch (error) {
    if (error.name === "NotFoundError") return undefined;
    throw error;
  }
}

/** Every training's `training.json`, the newest first; one that cannot be read is named with its fault. */
export async function trainingsKept() {
  if (!canKeep()) return [];
  const found = [];
  for await (const [id, handle] of (await folder()).entries()) {
    if (handle.kind !== "directory") continue;
    try {
      const bytes = await kept(id, "training.json");
      found.push(bytes ? { ...JSON.parse(new TextDecoder().decode(bytes)), id } : { id, fault: "was not begun" });
    } catch (error) {
      found.push({ id, fault: `cannot be read: ${error.message}` });
    }
  }
  return found.sort((a, b) => b.id.localeCompare(a.id));
}

/** Removes all of a training, if anything of it is there. */
export async function forget(id) {
  try {
    await (await folder()).removeEntry(id, { recursive: true });
  } catch (error) {
    if (error.name !== "NotFoundError") throw error;
  }
}

/** Does `action` while no other tab works on the training; says in one line where one does. */
export function alone(id, action) {
  // Where there are no locks no files are kept, either: both take a secure context.
  if (!navigator.locks) return action();
  return navigator.locks.request(`${TRAININGS}/${id}`, { ifAvailable: true }, (lock) => {
    if (!lock) throw Object.assign(new Error("this training goes on in another tab"), { remedy: "Watch it there, or close that tab first." });
    return action();
  });
}
