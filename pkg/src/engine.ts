/** The wasm engine: loaded once a context, when the first queue is opened. */

import { show } from "./errors";
import type { ModuleSource } from "./source";
import { initSync, IndexedDb, moduleMemory, numbersAt, Peer } from "../wasm/posthaste.js";

export { numbersAt, IndexedDb, Peer };

let own: WebAssembly.Memory | undefined;

/** The module's memory, once it is loaded. */
export function memory(): WebAssembly.Memory {
  return (own ??= moduleMemory() as WebAssembly.Memory);
}

let source: (() => Promise<WebAssembly.Module>) | undefined;
let loading: Promise<void> | undefined;

/** Says where the module comes from; the first who says it is heard. */
export function provide(module: () => Promise<WebAssembly.Module>): void {
  source ??= module;
}

/** Gives the module itself, at once. */
export async function provideModule(given: ModuleSource): Promise<void> {
  if (loading) return loading;
  const attempt = instantiate(given);
  loading = attempt;
  attempt.catch(() => {
    if (loading === attempt) loading = undefined;
  });
  return attempt;
}

async function instantiate(given: ModuleSource): Promise<void> {
  let source: unknown = await given;
  if (typeof source === "string" || source instanceof URL) source = await fetch(source);
  if (source instanceof Response) source = await received(source);
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) source = await WebAssembly.compile(source as BufferSource);
  if (!isModule(source)) {
    throw new TypeError(`init needs a wasm module, its bytes, a response or an address, not ${show(source)}`);
  }
  start(source);
}

/** Of this realm or another: Next.js runs edge functions in a realm of their own, and compiles their modules outside. */
const isModule = (value: unknown): value is WebAssembly.Module => Object.prototype.toString.call(value) === "[object WebAssembly.Module]";

function start(module: WebAssembly.Module): void {
  initSync(module);
}

/** The module in a response: compiled while it comes, where the server says what it is. */
async function received(response: Response): Promise<WebAssembly.Module | ArrayBuffer> {
  if (!response.ok) throw new TypeError(`init got no wasm module from ${response.url}: ${response.status}`);
  const streams = typeof WebAssembly.compileStreaming === "function" && response.headers.get("Content-Type") === "application/wasm";
  return streams ? WebAssembly.compileStreaming(response) : response.arrayBuffer();
}

export function loadEngine(): Promise<void> {
  if (loading) return loading;
  if (typeof WebAssembly === "undefined") {
    return Promise.reject(new DOMException("posthaste needs WebAssembly, which is turned off here (Lockdown Mode does that)", "NotSupportedError"));
  }
  if (!source) {
    return Promise.reject(new DOMException("posthaste/slim has no wasm of its own: call init(module) first", "InvalidStateError"));
  }
  loading = source().then(start);
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}
