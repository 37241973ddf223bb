/**
 * The shipped file, evaluated once for each context of the world: its text is not touched but for the `export` at its end,
 * which becomes a `return`, so that what it takes for globals can be given to it as parameters. One compiled function serves
 * all contexts: what the engine of JavaScript has learnt of it in one, it knows in the next.
 */

import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";
import zlib from "node:zlib";

const EXPORTS = /export\s*\{([^{}]*)\};?\s*(?:\/\/[^\n]*\s*)?$/;
const IMPORTS = /(?:^|[;}])\s*import\s*(?:[\w*{]|["'])|\bimport\s*\(/;

/** Characters past which a text is the wasm in base64. */
const INLINE_MIN = 50_000;

/** `names`: the globals that each context has of its own. */
export function loadPackage(folder, names) {
  const file = path.join(folder, "index.js");
  const text = fs.readFileSync(file, "utf8");
  const found = EXPORTS.exec(text);
  if (!found) throw new Error(`${file} does not end with an export`);
  if (IMPORTS.test(text.slice(0, found.index))) throw new Error(`${file} imports something: the simulator must learn to load that`);
  const exported = found[1].split(",").map((pair) => pair.trim().split(/\s+as\s+/)).map(([own, name = own]) => `${name}:${own}`);
  const evaluate = vm.compileFunction(`"use strict";${text.slice(0, found.index)};return{${exported}}`, names, { filename: file });
  return { evaluate: (globals) => evaluate(...names.map((name) => globals[name])), inflation: new Inflation() };
}

/** The wasm is inflated and compiled once. The platform does it beside the event loop, when it likes; here it is done at once. */
class Inflation {
  #module;

  /** What a context has in place of the platform's own. */
  globals() {
    const inflation = this;
    const own = Object.create(WebAssembly);
    own.compile = (bytes) => Promise.resolve((inflation.#module ??= new WebAssembly.Module(bytes)));
    own.Memory = WebAssembly.Memory;
    const atob = (letters) => inflation.#letters(letters);
    return { atob, Blob: InflatedBlob, DecompressionStream: Inflating, Response: Inflated, WebAssembly: own };
  }

  /** Once the module is there, its letters are looked at no more. */
  #letters(letters) {
    return this.#module && letters.length > INLINE_MIN ? "" : atob(letters);
  }
}

class InflatedBlob extends Blob {
  #bytes;

  constructor(parts = [], options) {
    super(parts, options);
    this.#bytes = parts[0];
  }

  stream() {
    const bytes = this.#bytes;
    return { pipeThrough: () => bytes };
  }

  static [Symbol.hasInstance](value) {
    return Object.prototype.toString.call(value) === "[object Blob]" || Object.prototype.toString.call(value) === "[object File]";
  }
}

class Inflating {}

class Inflated {
  #bytes;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get body() {
    return { pipeThrough: () => this.#bytes };
  }

  arrayBuffer() {
    return Promise.resolve(this.#bytes.length ? zlib.inflateRawSync(this.#bytes) : this.#bytes);
  }
}
