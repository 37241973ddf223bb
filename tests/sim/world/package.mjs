/**
 * The shipped files, evaluated once for each context of the world. Their texts are not touched but for what they import, which is
 * given to them, and what they export, which becomes a `return`: so what they take for globals can be given as parameters. One compiled
 * function a file serves all contexts: what the engine of JavaScript has learnt of it in one, it knows in the next.
 */

import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";
import zlib from "node:zlib";

const EXPORTS = /export\s*\{([^{}]*)\};?\s*(?:\/\/[^\n]*\s*)?$/;
/** `import { a as b } from "./file.js"`, `import * as a from "./file.js"` and `import "./file.js"`, as bundlers write them. */
const IMPORTS = /\bimport\s*(?:(?:\{([^{}]*)\}|\*\s*as ([\w$]+))\s*from)?\s*"(\.\/[^"]+)";?/g;
const DEFAULT = /\bexport default function\s*\(/;
const LOADS = /\bimport\(\s*"(\.\/[^"]+)"\s*\)/g;
/** What is none of these: the simulator would have to learn it. */
const OTHERS = /(?:^|[;}])\s*import\s*(?:[\w*{]|["'])|\bimport\s*\(/;

/** Characters past which a text is the wasm in base64. */
const INLINE_MIN = 50_000;

const pairs = (list) => list.split(",").map((pair) => pair.trim().split(/\s+as\s+/)).map(([from, to = from]) => [from, to]);

/** `names`: the globals that each context has of its own. `evaluate` takes them and an entry's file, and answers with its exports. */
export function loadPackage(folder, names) {
  const files = new Map();
  const compiled = (file) => {
    if (!files.has(file)) files.set(file, compile(file, names));
    return files.get(file);
  };
  const evaluate = (globals, entry = "index.js") => {
    const given = names.map((name) => globals[name]);
    const modules = new Map();
    const load = (file) => {
      if (!modules.has(file)) modules.set(file, compiled(file)(load, async (one) => load(one), ...given));
      return modules.get(file);
    };
    return load(path.join(folder, entry));
  };
  return { evaluate, hasClient: fs.existsSync(path.join(folder, "client.js")), inflation: new Inflation() };
}

/** A function of what loads other files, at once or later, and of the globals. It answers with the file's exports. */
function compile(file, names) {
  const text = fs.readFileSync(file, "utf8");
  const found = EXPORTS.exec(text);
  const other = (name) => JSON.stringify(path.join(path.dirname(file), name));
  const body = text.slice(0, found?.index)
    .replace(IMPORTS, (_, list, all, name) => {
      const into = list ? `{${pairs(list).map(([from, to]) => `${from}:${to}`)}}` : all;
      return `${into ? `const ${into}=` : ""}$load(${other(name)});`;
    })
    .replace(DEFAULT, "const $default=function(")
    .replace(LOADS, (_, name) => `$later(${other(name)})`);
  if (OTHERS.test(body)) throw new Error(`${file} imports something in a way that the simulator must learn`);
  const exported = [...(found ? pairs(found[1]) : []), ...(DEFAULT.test(text) ? [["$default", "default"]] : [])].map(([own, name]) =>
    `${name}:${own}`
  );
  return vm.compileFunction(`"use strict";${body};return{${exported}}`, ["$load", "$later", ...names], { filename: file });
}

/** The wasm is inflated and compiled once. The platform does it beside the event loop, when it likes; here it is done at once. */
class Inflation {
  #module;

  /** What a context has in place of the platform's own. */
  globals() {
    const inflation = this;
    const own = Object.create(WebAssembly);
    own.compile = (bytes) => Promise.resolve(inflation.#module ??= new WebAssembly.Module(bytes));
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
