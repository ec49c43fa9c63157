// Files of a corpus by their paths: of the demo corpus and of a folder. What they mean the library knows.

const USED = /\.(csv|txt|wav|flac|mp3|m4a|mp4|ogg|oga|aiff?|caf|aac|mka|mkv|webm)$/i;

const fault = (message, remedy) => Object.assign(new Error(message), { remedy });

/** The demo corpus, as a ZIP. */
export async function demo() {
  const response = await fetch(new URL("demo.zip", import.meta.url));
  if (!response.ok) throw fault(`demo.zip: ${response.status} ${response.statusText}`, "Try again while there is a connection.");
  return new Uint8Array(await response.arrayBuffer());
}

/** A chosen folder: its name, and its files by their paths in it. */
export function chosen(list) {
  const files = [...list].map((file) => ({ path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file }));
  return { name: [...list][0]?.webkitRelativePath.split("/")[0] || "folder", files };
}

/** A folder that was dropped, as `chosen` gives one. */
export async function walked(folder) {
  const files = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      files.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // Some at a time, until there are no more.
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (entries.length === 0) return;
      for (const child of entries) await walk(child, path === "" ? child.name : `${path}/${child.name}`);
    }
  };
  try {
    await walk(folder, "");
  } catch (error) {
    throw fault(`${folder.name}: cannot be read: ${error.message}`, "Choose it by the button, or copy it elsewhere first.");
  }
  return { name: folder.name, files };
}

/** What the library is given of a chosen folder: `{files: [{path, bytes}], manifest}`, where a CSV at its top lists the recordings. */
export async function contents(chosen) {
  const used = chosen.filter(({ path }) => USED.test(path) && !path.split("/").some((part) => part.startsWith(".")));
  const lists = used.map(({ path }) => path).filter((path) => /^[^/]+\.csv$/i.test(path));
  const manifest = lists.find((path) => path.toLowerCase() === "manifest.csv") ?? lists[0];
  if (lists.length > 1 && manifest.toLowerCase() !== "manifest.csv") {
    throw fault(`the folder has ${lists.length} CSVs: ${lists.slice(0, 4).join(", ")}`, "Name the one that lists the recordings manifest.csv.");
  }
  const files = [];
  for (const { path, file } of used) {
    try {
      files.push({ path, bytes: new Uint8Array(await file.arrayBuffer()) });
    } catch (error) {
      throw fault(`${path}: cannot be read: ${error.message}`, "Choose the folder again: it was changed since, or is too large.");
    }
  }
  return { files, manifest };
}
