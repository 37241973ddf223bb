// Imports the module named on the command line where whoever looks at what belongs to platforms is caught, and says what happened.
import { register } from "node:module";

/** What pages and workers have, what servers have, and what nothing may be made of before it is asked for. */
const GUARDED = [
  "window",
  "self",
  "document",
  "navigator",
  "location",
  "origin",
  "isSecureContext",
  "crossOriginIsolated",
  "indexedDB",
  "IDBKeyRange",
  "localStorage",
  "sessionStorage",
  "caches",
  "clients",
  "registration",
  "Worker",
  "SharedWorker",
  "MessageChannel",
  "MessagePort",
  "BroadcastChannel",
  "WebSocket",
  "XMLHttpRequest",
  "fetch",
  "Response",
  "Request",
  "crypto",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "WebAssembly",
  "SharedArrayBuffer",
  "DecompressionStream",
  "Blob",
  "atob",
  "Deno",
  "Bun",
];

register("./elsewhere.mjs", import.meta.url);
// Node's own loader is at work meanwhile: what it needs it must have by now.
await import("./letters.js");

const touched = [];
const had = GUARDED.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
for (const name of GUARDED) {
  const get = () => {
    touched.push(name);
    throw new ReferenceError(`${name} is not here`);
  };
  Object.defineProperty(globalThis, name, { configurable: true, get });
}
const names = new Set(Reflect.ownKeys(globalThis));
const { failed, ...exported } = await import(process.argv[2]).catch((error) => ({ failed: String(error) }));
const added = Reflect.ownKeys(globalThis).filter((name) => !names.has(name));
for (const [name, descriptor] of had) {
  if (descriptor) Object.defineProperty(globalThis, name, descriptor);
  else delete globalThis[name];
}
console.log(JSON.stringify({ touched, added, failed, some: Object.keys(exported).length > 0 }));
