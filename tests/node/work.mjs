/**
 * Counts what the package does, instead of timing it: turns of loops in the module and bytes it moves, blocks run in the JavaScript, elements
 * looked at by arrays. The module is rewritten before it is compiled, the blocks are counted by V8.
 */

import { readFileSync } from "node:fs";
import inspector from "node:inspector";
import { setFlagsFromString } from "node:v8";
import { slimEntry, wasmFile } from "./posthaste.mjs";

/* ------------------------------------------------------------ the module */

const [CODE, TYPES, FUNCTIONS, GLOBALS, EXPORTS] = [10, 1, 3, 6, 7];
const [I32, F64] = [0x7f, 0x7c];

function unsigned(value) {
  const bytes = [];
  do {
    bytes.push((value % 128) + (value >= 128 ? 128 : 0));
  } while ((value = Math.floor(value / 128)) > 0);
  return bytes;
}

const real = (value) => [...new Uint8Array(new Float64Array([value]).buffer)];

/** Reads the numbers of a module. */
class Reader {
  constructor(bytes, at = 0) {
    [this.bytes, this.at] = [bytes, at];
  }

  number() {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
  }

  pass(count) {
    this.at += count;
  }
}

/** The immediates of an instruction are passed over. */
function pass(from, op) {
  const skip = (times) => {
    for (let left = times; left > 0; left -= 1) from.number();
  };
  if (op === 0x02 || op === 0x03 || op === 0x04) skip(1);
  else if (op === 0x0e) skip(from.number() + 1);
  else if (op === 0x11) skip(2);
  else if (op === 0x1c) skip(from.number());
  else if (op === 0x0c || op === 0x0d || op === 0x10 || (op >= 0x20 && op <= 0x26) || op === 0xd0 || op === 0xd2) skip(1);
  else if (op >= 0x28 && op <= 0x3e) skip(2);
  else if (op === 0x3f || op === 0x40 || op === 0x41 || op === 0x42) skip(1);
  else if (op === 0x43) from.at += 4;
  else if (op === 0x44) from.at += 8;
  else if (op === 0xfd || op === 0xfe || op === 0x12 || op === 0x13)
    throw new Error(`the module has an instruction that is not known here: ${op}`);
}

/** What is known of a module's sections, by their kind: begin and end of what they hold. */
function sections(bytes) {
  const from = new Reader(bytes, 8);
  const found = [];
  while (from.at < bytes.length) {
    const kind = bytes[from.at++];
    const size = from.number();
    found.push({ kind, begin: from.at, end: from.at + size });
    from.at += size;
  }
  return found;
}

/** How many things a section holds, and where the first of them is. */
function counted(bytes, { begin }) {
  const from = new Reader(bytes, begin);
  return { count: from.number(), at: from.at };
}

/** Each loop adds to one counter, what is copied to another. */
function rewritten(bytes) {
  const all = sections(bytes);
  const of = (kind) => all.find((section) => section.kind === kind);
  const imported = all.find(({ kind }) => kind === 2);
  let functions = 0;
  if (imported) {
    const from = new Reader(bytes, imported.begin);
    for (let left = from.number(); left > 0; left -= 1) {
      for (let names = 2; names > 0; names -= 1) from.pass(from.number());
      const kind = bytes[from.at++];
      if (kind !== 0) throw new Error("the module imports more than functions");
      from.number();
      functions += 1;
    }
  }
  const types = counted(bytes, of(TYPES)).count;
  functions += counted(bytes, of(FUNCTIONS)).count;
  const globals = counted(bytes, of(GLOBALS)).count;
  const add = (global, amount) => [0x23, ...unsigned(global), ...amount, 0xa0, 0x24, ...unsigned(global)];
  const turn = add(globals, [0x44, ...real(1)]);
  const more = {
    [TYPES]: [0x60, 3, I32, I32, I32, 0],
    [FUNCTIONS]: unsigned(types),
    [GLOBALS]: [F64, 1, 0x44, ...real(0), 0x0b, F64, 1, 0x44, ...real(0), 0x0b],
    [EXPORTS]: ["turns", "moved"].flatMap((name, at) => [name.length, ...Buffer.from(name), 3, ...unsigned(globals + at)]),
  };
  const copy = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, ...add(globals + 1, [0x20, 2, 0xb8]), 0x0b];
  const out = [...bytes.subarray(0, 8)];
  for (const section of all) {
    const { kind, begin, end } = section;
    let body;
    if (kind === CODE) {
      const { count, at } = counted(bytes, section);
      body = [...unsigned(count + 1)];
      const from = new Reader(bytes, at);
      for (let left = count; left > 0; left -= 1) {
        const size = from.number();
        const code = withCounts(bytes, from.at, from.at + size, turn, functions);
        for (const part of [unsigned(code.length), code]) for (const byte of part) body.push(byte);
        from.at += size;
      }
      body.push(...unsigned(copy.length), ...copy);
    } else if (more[kind]) {
      const { count, at } = counted(bytes, section);
      body = [...unsigned(count + (kind === GLOBALS || kind === EXPORTS ? 2 : 1)), ...bytes.subarray(at, end), ...more[kind]];
    } else {
      body = bytes.subarray(begin, end);
    }
    out.push(kind, ...unsigned(body.length));
    for (const byte of body) out.push(byte);
  }
  return Uint8Array.from(out);
}

/** The code of one function. */
function withCounts(bytes, begin, end, turn, copies) {
  const from = new Reader(bytes, begin);
  for (let left = from.number(); left > 0; left -= 1) from.at = (from.number(), from.at + 1);
  const out = [...bytes.subarray(begin, from.at)];
  while (from.at < end) {
    const first = from.at;
    const op = bytes[from.at++];
    const sub = op === 0xfc ? from.number() : undefined;
    if (sub === undefined) pass(from, op);
    else for (let left = sub === 10 || sub === 8 || sub === 12 || sub === 14 ? 2 : sub > 7 ? 1 : 0; left > 0; left -= 1) from.number();
    if (sub === 10) out.push(0x10, ...unsigned(copies));
    else for (let at = first; at < from.at; at += 1) out.push(bytes[at]);
    if (op === 0x03) out.push(...turn);
  }
  return out;
}

let counters;
const { Instance } = WebAssembly;
WebAssembly.Instance = new Proxy(Instance, {
  construct(target, given) {
    const made = new target(...given);
    if (made.exports.turns) counters = made.exports;
    return made;
  },
});

export const posthaste = await import(slimEntry);
await posthaste.init(await WebAssembly.compile(rewritten(readFileSync(new URL(wasmFile)))));

/* -------------------------------------------------------- the JavaScript */

/** Elements that arrays looked at, or moved: they are moved by many at a time. */
let looked = 0;
const MOVED_AT_ONCE = 64;
const array = Array.prototype;
const { indexOf, includes, shift, unshift, splice } = array;
const patch = (name, work, original) =>
  Object.defineProperty(array, name, {
    configurable: true,
    writable: true,
    value(...given) {
      const { length } = this;
      const result = original.apply(this, given);
      looked += work(length, result, given);
      return result;
    },
  });
patch("indexOf", (length, at) => (at < 0 ? length : at + 1), indexOf);
patch("includes", (length) => length, includes);
patch("shift", (length) => length / MOVED_AT_ONCE, shift);
patch("unshift", (length) => length / MOVED_AT_ONCE, unshift);
patch("splice", (length, _, [from]) => (length - from) / MOVED_AT_ONCE, splice);

// Functions that are never collected keep their counts.
setFlagsFromString("--no-flush-bytecode");
const session = new inspector.Session();
session.connect();
const say = (method, options) => {
  let answer;
  session.post(method, options, (error, result) => {
    if (error) throw new Error(error.message);
    answer = result;
  });
  return answer;
};
say("Profiler.enable");
say("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

const folder = new URL(".", slimEntry).href;

/** Blocks of the package that were run since it was last asked. */
function blocks() {
  let sum = 0;
  for (const { url, functions } of say("Profiler.takePreciseCoverage").result) {
    if (!url.startsWith(folder)) continue;
    for (const { ranges } of functions) for (const { count } of ranges) sum += count;
  }
  return sum;
}

/** What `work` makes the package do. */
export async function workOf(work) {
  blocks();
  const { turns, moved } = counters;
  const before = [turns.value, moved.value, looked];
  await work();
  return { turns: turns.value - before[0], moved: moved.value - before[1], blocks: blocks(), looked: looked - before[2] };
}
