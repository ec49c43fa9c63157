// Keeps the page for when there is no connection: every file of one build, taken as a whole. A newer build waits until no tab shows the one
// before, so that no page has files of two.

// The build puts its hash here and that of each file: while a server is given a new build it may have files of both.
const BUILD = { hash: "none", files: {} };
// Other builds at other places of the same address keep their own.
const PREFIX = `mcsan ${new URL(self.registration.scope).pathname} `;
const CACHE = PREFIX + BUILD.hash;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => Promise.all(Object.entries(BUILD.files).map(([file, hash]) => fill(cache, file, hash)))));
});

async function fill(cache, file, hash) {
  const response = await fetch(new Request(file, { cache: "reload" }));
  if (!response.ok) throw new Error(`${file}: ${response.status}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
  if ([...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") !== hash) throw new Error(`${file}: is of another build`);
  await cache.put(file, response);
}

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name));
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names))).then(() => self.clients.claim()));
});

// The only tab asks for the newer build, which it is then loaded from anew.
self.addEventListener("message", (event) => {
  if (event.data !== "take over") return;
  const windows = self.clients.matchAll({ type: "window", includeUncontrolled: true });
  event.waitUntil(windows.then(({ length }) => (length > 1 ? event.source.postMessage("others") : self.skipWaiting())));
});

// What is large and asked for by few, as the demo corpus, is kept when it is first asked for.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  event.respondWith(answer(request, (promise) => event.waitUntil(promise)));
});

async function answer(request, until) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) until(cache.put(request, response.clone()));
  return response;
}
