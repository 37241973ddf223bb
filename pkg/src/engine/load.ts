/** The wasm engine: loaded once a context, when the first queue is opened. */

import { initSync } from "../../wasm/posthaste.js";

let source: (() => Promise<WebAssembly.Module>) | undefined;
let loading: Promise<void> | undefined;

/** Says where the module comes from; the first who says it is heard. */
export function provide(module: () => Promise<WebAssembly.Module>): void {
  source ??= module;
}

/** Takes the module itself, at once, unless there is one; where it can't be had, another may be given. */
export function startWith(module: () => Promise<WebAssembly.Module>): Promise<void> {
  if (loading) return loading;
  const attempt = module().then(start);
  loading = attempt;
  attempt.catch(() => {
    if (loading === attempt) loading = undefined;
  });
  return attempt;
}

function start(module: WebAssembly.Module): void {
  initSync(module);
}

export function loadEngine(): Promise<void> {
  if (loading) return loading;
  if (typeof WebAssembly === "undefined") {
    return Promise.reject(
      new DOMException("posthaste needs WebAssembly, which is turned off here (Lockdown Mode does that)", "NotSupportedError"),
    );
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
