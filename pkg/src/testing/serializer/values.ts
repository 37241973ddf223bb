/** Values for serializers: some with a name, and as many as wanted by a seed. */

type MakeBuffer = new (length: number, options?: { maxByteLength: number }) => ArrayBuffer;
export const ResizableBuffer = ArrayBuffer as MakeBuffer;

type MakeView = new (buffer: ArrayBuffer, offset?: number, length?: number) => ArrayBufferView;
const VIEWS: [MakeView, number][] = [
  [Int8Array, 1],
  [Uint8Array, 1],
  [Uint8ClampedArray, 1],
  [Int16Array, 2],
  [Uint16Array, 2],
  [Int32Array, 4],
  [Uint32Array, 4],
  [Float32Array, 4],
  [Float64Array, 8],
  [BigInt64Array, 8],
  [BigUint64Array, 8],
  [DataView, 1],
];

const own = (object: object, key: string, value: unknown): object =>
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });

/** Not enumerable, as a constructor sets it. */
const caused = (error: Error, cause: unknown): Error =>
  Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });

function cyclic(): unknown {
  const map = new Map<unknown, unknown>();
  const set = new Set<unknown>([map]);
  const root: Record<string, unknown> = { map, set, list: [map] };
  map.set(set, root).set(root, map);
  return Object.assign(root, { self: root });
}

function views(): unknown {
  const buffer = Uint8Array.from({ length: 16 }, (_, at) => at).buffer;
  return {
    first: new Uint8Array(buffer, 0, 8),
    whole: new Uint16Array(buffer),
    last: new DataView(buffer, 12, 4),
    buffer,
    again: new Uint8Array(buffer),
  };
}

/** Units around the lengths at which a text is written in another way. */
const lengths = [0, 1, 2, 12, 13, 24, 25, 32, 33, 40, 41, 63, 64, 65, 127, 128, 129, 5_000];
const units = [0, 1, 127, 128, 129, 255, 256, 0x3042, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xfeff, 0xfffd, 0xffff];
const edges = [7, 14, 21, 28, 31, 32, 35, 42, 49, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]);

/** By name. Each is made when it is asked for. */
export const VALUES: Record<string, () => unknown> = {
  "what has no parts": () => [undefined, null, true, false, 0, -0, NaN, Infinity, -Infinity, 0.1, 5e-324, Number.MAX_VALUE],
  "whole numbers": () => [...Array.from({ length: 130 }, (_, at) => at), ...edges, ...[1, 127, 128, 129, ...edges].map((edge) => -edge)],
  "bigints": () => [0n, 1n, -1n, 127n, 128n, 255n, 256n, -256n, 2n ** 64n, -(2n ** 64n), 2n ** 521n - 1n, 0x0123456789abcdef0n],
  "texts of any length": () => lengths.flatMap((length) => ["x", "\xff", "\x80", "é", "あ", "\ud800"].map((unit) => unit.repeat(length))),
  "texts of which one unit is strange": () =>
    lengths.flatMap((length) => units.map((unit) => `${"x".repeat(length)}${String.fromCharCode(unit)}`)),
  "texts that begin with a mark":
    () => ["\ufeff", "\ufeffa".repeat(50), "\ufffe".repeat(50), "\ufffd".repeat(50), "ï»¿".repeat(30), "Ã¼".repeat(50)],
  "halves of pairs": () => ["\ud83d", "\ude80", "\ude80\ud83d", "🚀", "a\ud800b".repeat(40), "🚀\udc00".repeat(40)],
  "dates": () => [new Date(0), new Date(-1), new Date(1234.5), new Date(NaN), new Date(8.64e15)],
  "regular expressions": () => [/a+b/, /(?:)/giu, /\//, new RegExp("\n\u2028é"), Object.assign(/x/g, { lastIndex: 3 })],
  "lists": () => [[], [[]], [1, [2, [3]]], [undefined], Array.from({ length: 300 }, (_, at) => at)],
  "lists with holes": () => [new Array(1), new Array(5), [1, , 3], [, , 1], Object.assign(new Array(1000), { 7: 1, 999: 2 })],
  "lists with properties":
    () => [Object.assign([1, 2], { x: 3 }), Object.assign([], { "": 1, "-1": 2, "01": 3 }), Object.assign([1, , 3], { name: [4] }),
      own([1], "__proto__", { polluted: true })],
  "objects":
    () => [{}, { a: undefined }, { "": 1, "a.b": 2, constructor: 3, length: 4, é: 5, あ: 6 }, { 2: "b", 1: "a" },
      Object.create(null, { a: { value: 1, enumerable: true } })],
  "an object with a key of the prototype's name": () => own({ a: 1 }, "__proto__", { polluted: true }),
  "many keys, each twice": () =>
    Array.from({ length: 2 }, () => Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`key${at}`, at]))),
  "maps and sets":
    () => [new Map(), new Set(), new Map<unknown, unknown>([[1, "a"], [{ k: 1 }, new Map([[NaN, -0]])]]),
      new Set<unknown>([1, "1", null, undefined, new Set([1n])])],
  "what holds itself": cyclic,
  "one object in many places": () => {
    const [shared, list] = [{ a: 1 }, Array.from({ length: 60 }, (_, at) => ({ at }))];
    return [shared, shared, { shared }, list, ...list, shared];
  },
  "buffers": () => [new ArrayBuffer(0), new Uint8Array([1, 2, 255]).buffer],
  "views of every kind": () => VIEWS.map(([View, size]) => new View(new Uint8Array(8 * size).fill(64).buffer)),
  "views of nothing": () => [new Uint8Array(), new Float64Array(), new DataView(new ArrayBuffer(0)), new Uint8Array(new ArrayBuffer(8), 8)],
  "views that share a buffer": views,
  "a view before its buffer": () => {
    const bytes = new Uint8Array([1, 2, 3]);
    return [bytes, bytes.buffer, new Uint8Array(bytes.buffer), bytes.subarray(1)];
  },
  "buffers that can grow": () => {
    const buffer = new ResizableBuffer(8, { maxByteLength: 24 });
    return [buffer, new Uint8Array(buffer), new Uint16Array(buffer, 2, 2), new DataView(buffer, 4),
      new ResizableBuffer(0, { maxByteLength: 0 })];
  },
  "errors": () => [
    new Error("a"),
    new Error(),
    new TypeError("b"),
    new EvalError("c"),
    new URIError("d"),
    new SyntaxError("e"),
    new ReferenceError("f"),
    new RangeError("é あ"),
    Object.assign(new Error("g"), { name: "TypeError" }),
    Object.assign(new Error("h"), { name: "Strange", code: 1 }),
    new AggregateError([1], "i"),
    Object.defineProperty(new Error("j"), "stack", { value: undefined }),
    caused(new Error("k"), caused(new Error("l"), { deep: [1] })),
    caused(new Error("m"), undefined),
  ],
  "boxed values":
    () => [Object(true), Object(false), Object(-0), Object("é"), Object(""), Object(-5n), Object.assign(Object(7) as object, { x: 1 })],
  "objects of a class": () => {
    class Point {
      x = 1;
      #hidden = 2;
      get sum(): number {
        return this.x + this.#hidden;
      }
    }
    class Tagged {
      a = [new Point()];
      get [Symbol.toStringTag](): string {
        return "Odd";
      }
    }
    return [new Point(), new Tagged(), new (class extends Array<number> {})(1, 2), new (class extends Map<number, number> {})([[1, 2]]),
      new (class extends Date {})(5), new (class Mine extends RangeError {})("x")];
  },
  "getters": () => ({
    get a() {
      return { b: 1 };
    },
    c: 2,
  }),
};

/** A number from 0 to 1, and so on, by a seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KEYS = ["a", "b", "id", "name", "", "__proto__", "constructor", "length", "toString", "0", "7", "4294967295", "é", "あ",
  "a long name that is written otherwise, with more than sixty-four units"];
const DEPTH = 5;

/** A value by the numbers of `next`. */
export function anyValue(next: () => number): unknown {
  const met: object[] = [];
  const below = (end: number): number => Math.floor(next() * end);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)];
  const begun = <T extends object>(made: T): T => (met.push(made), made);
  const text = (): string => {
    const kinds = [["x", "y"], ["a", "é"], ["あ", "b"], ["\ud800", "🚀"], units.map((unit) => String.fromCharCode(unit))];
    const kind = pick(kinds);
    return Array.from({ length: next() < 0.1 ? pick(lengths.slice(0, -1)) : below(12) }, () => pick(kind)).join("");
  };
  const simple: (() => unknown)[] = [
    () => pick([undefined, null, true, false, -0, NaN, Infinity]),
    () => below(256),
    () => (next() < 0.5 ? -1 : 1) * Math.floor(2 ** (next() * 53)),
    () => (next() - 0.5) * 10 ** below(300),
    text,
    text,
    () => (next() < 0.5 ? -1n : 1n) * BigInt(Math.floor(next() * 2 ** 50)) ** BigInt(below(9)),
  ];
  const fill = (object: object, depth: number): object => {
    for (let left = below(5); left > 0; left -= 1) own(object, pick(KEYS), value(depth));
    return object;
  };
  const several = <T>(made: T, add: (made: T) => void): T => {
    for (let left = below(4); left > 0; left -= 1) add(made);
    return made;
  };
  const list = (depth: number): unknown => {
    const made = begun<unknown[]>([]);
    for (let left = below(6); left > 0; left -= 1) made.push(value(depth));
    if (next() < 0.2) made.length += below(4);
    if (next() < 0.2) own(made, pick(["x", "-1", "__proto__"]), value(depth));
    return made;
  };
  const buffer = (): ArrayBuffer => {
    const before = met.filter((one): one is ArrayBuffer => one instanceof ArrayBuffer);
    const most = 8 * (2 + below(4));
    if (before.length && next() < 0.6) return pick(before);
    const bytes = (): Uint8Array<ArrayBuffer> => new Uint8Array(Array.from({ length: most }, () => below(256)));
    return begun(next() < 0.2 ? new ResizableBuffer(16, { maxByteLength: most }) : bytes().buffer);
  };
  const view = (): unknown => {
    const shown = buffer();
    const [View, size] = pick(VIEWS);
    return begun(next() < 0.4 ? new View(shown) : new View(shown, size * below(2), 1));
  };
  const objects: ((depth: number) => unknown)[] = [
    (depth) => fill(begun({}), depth),
    (depth) => fill(begun({}), depth),
    list,
    list,
    (depth) => several(begun(new Map<unknown, unknown>()), (made) => made.set(value(depth), value(depth))),
    (depth) => several(begun(new Set<unknown>()), (made) => made.add(value(depth))),
    view,
    view,
    () => begun(new Date(below(1e9))),
    () => begun(/a[b-é]*/giu),
    () => begun(Object(pick([true, 7, "text", 7n])) as object),
    (depth) => {
      const made = begun(new (pick([Error, TypeError, RangeError]))(text()));
      return next() < 0.5 ? caused(made, value(depth)) : made;
    },
  ];
  function value(depth: number): unknown {
    const kind = next();
    if (kind < 0.08 && met.length) return pick(met);
    return kind < 0.5 || depth === DEPTH ? pick(simple)() : pick(objects)(depth + 1);
  }
  return value(0);
}
