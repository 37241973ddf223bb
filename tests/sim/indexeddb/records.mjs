/** What lies in one object store: values by key, in the order of keys, and the generator of keys. */

import { serialize } from "node:v8";
import { compare } from "./keys.mjs";

const GENERATOR_END = 2 ** 53;

/** Bytes that a value takes, about. */
function sizeOf(value) {
  try {
    return serialize(value).byteLength + 16;
  } catch {
    // What V8 alone does not clone, as a Blob.
    return 1024;
  }
}

/** Whether anything in a clone is memory that is shared: what can't be stored. */
function isShared(value, seen) {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof SharedArrayBuffer || value instanceof WebAssembly.Module) return true;
  if (ArrayBuffer.isView(value)) return value.buffer instanceof SharedArrayBuffer;
  if (seen.has(value)) return false;
  seen.add(value);
  if (value instanceof Map || value instanceof Set) return [...value].some((inner) => isShared(inner, seen));
  for (const key in value) if (isShared(value[key], seen)) return true;
  return false;
}

/** A copy as the store keeps it, or the platform's DataCloneError. */
export function cloneForStorage(value) {
  if (typeof value !== "object" || value === null) {
    if (typeof value !== "function" && typeof value !== "symbol") return value;
  }
  const clone = structuredClone(value);
  if (isShared(clone, new Set())) throw new DOMException("shared memory could not be cloned.", "DataCloneError");
  return clone;
}

/** A copy for who reads. */
export const cloneForReader = (value) => (typeof value === "object" && value !== null ? structuredClone(value) : value);

export class Records {
  keys = [];
  values = [];
  sizes = [];
  generator = 1;
  usage = 0;

  constructor(autoIncrement, sized) {
    Object.assign(this, { autoIncrement, sized });
  }

  /** Place of the first key at or after `key`; after it, where `past`. */
  #place(key, past) {
    let [low, high] = [0, this.keys.length];
    // Most steps go to the end of the numbers.
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = compare(this.keys[middle], key);
      if (past ? found <= 0 : found < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The places [from, to) of the keys in a range. */
  span(range) {
    const from = range.lower === undefined ? 0 : this.#place(range.lower, range.lowerOpen);
    const to = range.upper === undefined ? this.keys.length : this.#place(range.upper, !range.upperOpen);
    return [from, Math.max(from, to)];
  }

  /** The next key of the generator, which never gives one twice. */
  generate(undo) {
    if (this.generator > GENERATOR_END) throw new DOMException("The key generator has reached its end.", "ConstraintError");
    const key = this.generator;
    this.#advance(key, undo);
    return key;
  }

  #advance(key, undo) {
    const before = this.generator;
    this.generator = Math.min(Math.floor(key), GENERATOR_END) + 1;
    undo.push(() => {
      this.generator = before;
    });
  }

  /** Puts a value; answers the bytes by which the store grew. */
  put(key, value, undo) {
    if (this.autoIncrement && typeof key === "number" && key >= this.generator) this.#advance(key, undo);
    const size = this.sized ? sizeOf(value) : 0;
    const at = this.#place(key, false);
    const replaces = at < this.keys.length && compare(this.keys[at], key) === 0 ? 1 : 0;
    return this.#splice(at, replaces, { keys: [key], values: [value], sizes: [size] }, undo);
  }

  delete(range, undo) {
    const [from, to] = this.span(range);
    if (to > from) this.#splice(from, to - from, { keys: [], values: [], sizes: [] }, undo);
  }

  #splice(at, removed, added, undo) {
    const old = this.#exchange(at, removed, added);
    const sum = (sizes) => sizes.reduce((total, size) => total + size, 0);
    const grown = this.sized ? sum(added.sizes) - sum(old.sizes) : 0;
    this.usage += grown;
    undo.push(() => {
      this.#exchange(at, added.keys.length, old);
      this.usage -= grown;
    });
    return grown;
  }

  #exchange(at, removed, { keys, values, sizes }) {
    return {
      keys: this.keys.splice(at, removed, ...keys),
      values: this.values.splice(at, removed, ...values),
      sizes: this.sizes.splice(at, removed, ...sizes),
    };
  }

  /** The same records, apart from these: values are never changed, so they are shared. */
  copy() {
    const copy = new Records(this.autoIncrement, this.sized);
    Object.assign(copy, {
      keys: [...this.keys],
      values: [...this.values],
      sizes: [...this.sizes],
      generator: this.generator,
      usage: this.usage,
    });
    return copy;
  }
}
