/** A wasm module that the application gives, in any form. Apart from the engine: edge functions refuse a file that could compile one. */

import { show } from "../contract/errors";
import type { ModuleSource } from "../contract/source";

export async function moduleOf(given: ModuleSource): Promise<WebAssembly.Module> {
  let source: unknown = await given;
  if (typeof source === "string" || source instanceof URL) source = await fetch(source);
  if (source instanceof Response) source = await received(source);
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) source = await WebAssembly.compile(source as BufferSource);
  if (!isModule(source)) {
    throw new TypeError(`init needs a wasm module, its bytes, a response or an address, not ${show(source)}`);
  }
  return source;
}

/** Of this realm or another: Next.js runs edge functions in a realm of their own, and compiles their modules outside. */
const isModule = (value: unknown): value is WebAssembly.Module => Object.prototype.toString.call(value) === "[object WebAssembly.Module]";

/** The module in a response: compiled while it comes, where the server says what it is. */
async function received(response: Response): Promise<WebAssembly.Module | ArrayBuffer> {
  if (!response.ok) throw new TypeError(`init got no wasm module from ${response.url}: ${response.status}`);
  const streams = typeof WebAssembly.compileStreaming === "function" && response.headers.get("Content-Type") === "application/wasm";
  return streams ? WebAssembly.compileStreaming(response) : response.arrayBuffer();
}
