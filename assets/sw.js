// The service worker: shows a page with a button to try again where a page cannot be loaded, and does nothing else. Pages always come from
// the network, and what they load comes from the network or the browser's own cache, under addresses that change with each build: so no
// page ever meets a program of another build because of this script.
// Caches belong to the origin, which other games may share below other paths.
const OURS = `broadside ${self.registration.scope} `;
const CACHE = `${OURS}@build@`;
const OFFLINE = "v/@build@/offline.html";

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.add(OFFLINE)));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    // Without it, each page would wait for this script to start.
    await self.registration.navigationPreload?.enable();
    const old = (await caches.keys()).filter((name) => name.startsWith(OURS) && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request, preloadResponse } = event;
  if (request.mode !== "navigate" || new URL(request.url).pathname.includes("/embed/")) return;
  const page = async () => {
    try {
      return (await preloadResponse) ?? (await fetch(request));
    } catch (reason) {
      const offline = await (await caches.open(CACHE)).match(new URL(OFFLINE, self.registration.scope).href);
      if (!offline) throw reason;
      // It has its texts in every language, and shows those of its own.
      const text = (await offline.text()).replace('<html lang="en">', `<html lang="${navigator.language}">`);
      return new Response(text, { headers: offline.headers });
    }
  };
  event.respondWith(page());
});
