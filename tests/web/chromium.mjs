// `node chromium.mjs WORK CHROMIUM`: tasks.mjs in a worker of a page, in a headless browser on SwiftShader.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [folder, chromium] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const kinds = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const page = `<!doctype html><title>tests</title><script type="module">
  const worker = new Worker("worker.mjs", { type: "module" });
  const tell = (what) => fetch("/told", { method: "POST", body: JSON.stringify(what) });
  worker.onmessage = ({ data }) => tell(data);
  worker.onerror = (error) => tell({ wrong: ["worker: " + error.message] });
</script>`;

let ended;
const end = new Promise((resolve) => (ended = resolve));
const server = createServer(async (request, answer) => {
  const name = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  if (request.method === "POST") {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { line, wrong } = JSON.parse(Buffer.concat(parts).toString());
    answer.writeHead(204).end();
    if (line) console.log(line);
    if (wrong) ended(wrong);
    return;
  }
  const known = name === "/work/known.json" && path.join(here, "swiftshader.json");
  const file = known || (name.startsWith("/work/") ? path.join(folder, name.slice("/work/".length)) : path.join(here, path.basename(name)));
  const bytes = name === "/" ? page : await readFile(file).catch(() => null);
  if (bytes === null) return answer.writeHead(404).end();
  answer.writeHead(200, { "content-type": name === "/" ? "text/html" : (kinds[path.extname(name)] ?? "application/octet-stream") }).end(bytes);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const profile = await mkdtemp(path.join(tmpdir(), "mcsan-"));
const options = [
  "--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", `--user-data-dir=${profile}`, "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];
const browser = spawn(chromium, [...options, `http://127.0.0.1:${server.address().port}/`], { stdio: "ignore", detached: true });
browser.on("exit", (code) => ended([`the browser ended by itself (${code})`]));
const minutes = Number(process.env.MCSAN_WEB_MINUTES ?? 20);
setTimeout(() => ended([`not done after ${minutes} minutes`]), minutes * 60_000).unref();
const wrong = await end;
try {
  process.kill(-browser.pid, "SIGKILL");
} catch {}
await rm(profile, { recursive: true, force: true, maxRetries: 9, retryDelay: 200 }).catch(() => {});
wrong.forEach((line) => console.log(`WRONG ${line}`));
process.exit(wrong.length > 0 ? 1 : 0);
