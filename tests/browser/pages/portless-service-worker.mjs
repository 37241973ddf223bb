/** A service worker that has not imported ports, and is asked to use one: it answers with the error. */
import { openQueue } from "/posthaste/index.js";

addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", (event) => {
  const { port } = event.data;
  event.waitUntil(openQueue("jobs", { port }).catch(({ name, message }) => port.postMessage({ name, message })));
});
