// Keeps the page for when there is no connection: every file of one build, taken as a whole.

// The build puts its files and their hash here.
const BUILD = { hash: "none", files: ["./"] };
// Other builds at other places of the same address keep their own.
const PREFIX = `mcsan ${new URL(self.registration.scope).pathname} `;
const CACHE = PREFIX + BUILD.hash;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(BUILD.files.map((file) => new Request(file, { cache: "reload" })))));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name));
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names))).then(() => self.clients.claim()));
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
