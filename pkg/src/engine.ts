/** The wasm engine: loaded once a context, when the first queue is opened. */

import { show } from "./errors";
import type { ModuleSource } from "./source";
import glue, { initSync, IndexedDb, Link, Peer, PortClient, PortHost, Presence } from "../wasm/posthaste.js";

export { IndexedDb, Link, Peer, PortClient, PortHost, Presence };

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
  const source = await given;
  const address = typeof source === "string" || source instanceof URL || source instanceof Response;
  if (!address && !(source instanceof WebAssembly.Module || source instanceof ArrayBuffer || ArrayBuffer.isView(source))) {
    throw new TypeError(`init needs a wasm module, its bytes, a response or an address, not ${show(source)}`);
  }
  await glue({ module_or_path: source });
}

export function loadEngine(): Promise<void> {
  if (loading) return loading;
  if (typeof WebAssembly === "undefined") {
    return Promise.reject(new DOMException("posthaste needs WebAssembly, which is turned off here (Lockdown Mode does that)", "NotSupportedError"));
  }
  if (!source) {
    return Promise.reject(new DOMException("posthaste/slim has no wasm of its own: call init(module) first", "InvalidStateError"));
  }
  loading = source().then((module) => void initSync({ module }));
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}
