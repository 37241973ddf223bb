/** What is written and read again is what structuredClone makes; what can't be is refused, and harms nothing that comes after it. */

import { ok, same } from "../check";
import type { Serializer } from "../types";
import { alike, serializerCase, thrown, trip } from "./case";
import { ResizableBuffer, VALUES, anyValue, random } from "./values";

const FUZZED = 1_500;
const DEPTH = 1_000;

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (; depth > 0; depth -= 1) value = [value];
  return value;
};

function moved(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function beyond(View: new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView): ArrayBufferView {
  const buffer = new ResizableBuffer(8, { maxByteLength: 8 });
  const view = new View(buffer, 4, 4);
  (buffer as ArrayBuffer & { resize(length: number): void }).resize(4);
  return view;
}

const REFUSED: Record<string, () => unknown> = {
  "a function": () => () => 1,
  "a symbol": () => Symbol("no"),
  "a symbol as an object": () => Object(Symbol("no")),
  "a promise": () => Promise.resolve(),
  "a weak map": () => new WeakMap(),
  "a Blob": () => new Blob(["a"]),
  "shared memory": () => new Uint8Array(new SharedArrayBuffer(8)),
  "a buffer that was moved": moved,
  "a view of a buffer that was moved": () => {
    const view = new Uint8Array(8);
    structuredClone(view, { transfer: [view.buffer] });
    return view;
  },
  "a view beyond its buffer": () => beyond(Uint8Array),
  "a DataView beyond its buffer": () => beyond(DataView),
  "room to grow of more than a body may have": () => [1, 2].map(() => new ResizableBuffer(0, { maxByteLength: 2 ** 29 + 1 })),
  "what is nested too deep": () => nested(DEPTH + 1),
};

const made = Object.entries(VALUES).map(([name, make]) =>
  serializerCase(`${name}: as structuredClone makes it`, (serializer) => {
    const value = make();
    alike(trip(serializer, value), structuredClone(value), name);
  })
);

/** Not every platform can clone an error that is in its own cause. */
function cloned(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/** What happens when a getter is asked for while its body is written. */
function changing(serializer: Serializer): void {
  const deleting = (): unknown => ({
    get a() {
      return delete (this as { b?: number }).b;
    },
    b: 1,
    c: 2,
  });
  alike(trip(serializer, deleting()), structuredClone(deleting()), "an object of which a part is deleted");
  const list: unknown[] = [0, 0];
  Object.defineProperty(list, 0, { enumerable: true, get: () => list.push(1) });
  same((trip(serializer, list) as unknown[]).length, 2, "a list that grows");
  const shorter: unknown[] = [0, 1, 2];
  Object.defineProperty(shorter, 0, { enumerable: true, get: () => ((shorter.length = 1), 5) });
  same(trip(serializer, { shorter, after: 1 }), { shorter: [5, undefined, undefined], after: 1 }, "a list that shrinks");
  const map = new Map<unknown, unknown>();
  map.set({
    get x() {
      return map.clear(), 1;
    },
  }, 1).set("b", 2);
  same([...(trip(serializer, map) as Map<unknown, unknown>).values()], [1, 2], "a map that is emptied");
  const set = new Set<unknown>();
  set.add({
    get x() {
      return set.add(set.size), 1;
    },
  });
  same((trip(serializer, set) as Set<unknown>).size, 1, "a set that grows");
}

export const writing = [
  ...made,

  serializerCase("a length-tracking view goes on to be as long as its buffer", (serializer) => {
    const buffer = new ResizableBuffer(8, { maxByteLength: 16 });
    const views = [new Uint8Array(buffer), new Uint8Array(buffer, 0, 8), new Float64Array(buffer), new DataView(buffer, 1), buffer];
    const read = trip(serializer, views) as Uint8Array[];
    (read[0].buffer as ArrayBuffer & { resize(length: number): void }).resize(16);
    same(read.map(({ byteLength }) => byteLength), [16, 8, 16, 15, 16], "their bytes after the buffer has grown");
  }),

  serializerCase("a DOMException comes back with its name", (serializer) => {
    const { error } = trip(serializer, { error: new DOMException("called off", "AbortError") }) as { error: DOMException };
    same([error instanceof DOMException, error.name, error.message, error.code], [true, "AbortError", "called off", 20], "the exception");
  }),

  serializerCase("an error keeps its cause, and that it has no message, where the platform's clone does not", (serializer) => {
    const read = trip(serializer, Object.assign(new Error("a"), { cause: [1] })) as Error;
    same([Object.hasOwn(read, "cause"), read.cause, Object.keys(read)], [true, [1], []], "the cause");
    ok(!Object.hasOwn(trip(serializer, new Error()) as Error, "message"), "an error without a message has none");
    const own = new RangeError("self");
    own.cause = { own };
    const again = trip(serializer, own) as typeof own;
    ok((again.cause as { own: unknown }).own === again, "an error that is in its own cause is in it again");
  }),

  serializerCase("bodies that are written together share nothing", (serializer) => {
    const shared = { list: [1] };
    const { bodies } = serializer.read(serializer.write({ bodies: [shared, shared, [shared]] }));
    same(bodies, [{ list: [1] }, { list: [1] }, [{ list: [1] }]], "the bodies");
    same(new Set([bodies[0], bodies[1], (bodies[2] as unknown[])[0]]).size, 3, "they are three objects");
  }),

  serializerCase("headers come with the bodies", (serializer) => {
    const headers = { 0: { trace: "a", "": "" }, 2: { trace: "é".repeat(200), "0": "あ" } };
    same(serializer.read(serializer.write({ bodies: [1, 2, 3], headers })), { bodies: [1, 2, 3], headers }, "bodies with headers");
    same(serializer.read(serializer.write({ bodies: [] })), { bodies: [] }, "no bodies");
  }),

  serializerCase("what can't be written is refused by name, and what comes after it is well", (serializer) => {
    for (const [what, make] of Object.entries(REFUSED)) {
      if (what === "shared memory" && typeof SharedArrayBuffer === "undefined") continue;
      same(thrown(() => serializer.write({ bodies: [{ before: 1, value: make() }] })).name, "DataCloneError", `the refusal of ${what}`);
      same(trip(serializer, { after: [what] }), { after: [what] }, "the next body");
    }
    alike(trip(serializer, nested(DEPTH)), nested(DEPTH), "what is nested as deep as it may be");
  }),

  serializerCase("an error of a getter comes through, and a getter may write", (serializer) => {
    const error = thrown(() =>
      serializer.write({
        bodies: [{
          a: "begun",
          get b() {
            throw new RangeError("mine");
          },
        }],
      })
    );
    same([error.name, error.message], ["RangeError", "mine"], "the getter's error");
    let inner: unknown;
    const body = {
      a: "x".repeat(100),
      get b() {
        return (inner = trip(serializer, { key: [1] })), 2;
      },
      c: [3],
    };
    same(trip(serializer, body), { a: "x".repeat(100), b: 2, c: [3] }, "the outer body");
    same(inner, { key: [1] }, "the inner body");
  }),

  serializerCase("a body that changes while it is written is read", changing),

  serializerCase("bodies of any size are whole, wherever memory ends", (serializer) => {
    for (let length = 65_480; length <= 65_540; length += 1) {
      const body = ["x".repeat(length), true, { a: 0.5 }];
      alike(trip(serializer, body), body, `a text of ${length} and what comes after it`);
    }
    const large = ["é".repeat(3_000_000), new Uint8Array(3_000_000).fill(7), "after"];
    const read = trip(serializer, large) as [string, Uint8Array, string];
    ok(read[0] === large[0] && read[1].every((byte) => byte === 7) && read[1].length === 3_000_000 && read[2] === "after",
      "megabytes come back");
  }),

  serializerCase("values that no one thought of come back as structuredClone makes them", (serializer) => {
    for (let seed = 1; seed <= FUZZED; seed += 1) {
      const value = anyValue(random(seed));
      alike(trip(serializer, value), cloned(value), `the value of seed ${seed}`);
    }
  }),
];
