/** Bodies: kept with their record or apart, given back as they were and as nobody else's, refused by name. */

import { bounded, ok, same, text } from "../check";
import { bodiesAt, put, step, storeCase } from "./case";

const cyclic = (): unknown => {
  const loop: Record<string, unknown> = { name: "loop", list: [] };
  loop.self = loop;
  return loop;
};

/** Bodies as applications have them: whatever can be cloned. */
const CLONEABLE: [string, unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["true", true],
  ["false", false],
  ["0", 0],
  ["-0", -0],
  ["NaN", NaN],
  ["-Infinity", -Infinity],
  ["2^53", 2 ** 53],
  ["a bigint", 123_456_789_012_345_678_901_234_567_890n],
  ["a negative bigint", -7n],
  ["an empty text", ""],
  ["a text", "grüße 🚀 \u0000 \u2028"],
  ["a long text", "x".repeat(20_000)],
  ["a date", new Date(1234)],
  ["an invalid date", new Date(NaN)],
  ["a regular expression", /a+b/giu],
  ["a map", new Map<unknown, unknown>([["a", 1], [2, new Map([[{ k: 1 }, [1, 2]]])]])],
  ["a set", new Set<unknown>([1, "1", null])],
  ["bytes", new Uint8Array([1, 2, 255])],
  ["no bytes", new Uint8Array()],
  ["floats", new Float64Array([0.1, -0, Infinity])],
  ["big words", new BigInt64Array([-1n, 5n])],
  ["a part of bytes", new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3)],
  ["a buffer", new Uint8Array([9, 8, 7]).buffer],
  ["a view", new DataView(new ArrayBuffer(4), 1, 2)],
  ["an empty list", []],
  ["an empty object", {}],
  ["nested", { a: [{ b: { c: [[[new Date(0)], new Map([["x", new Set([1n])]])]] } }], u: undefined }],
  ["an object that holds itself", cyclic()],
  ["an error", new RangeError("out of range")],
  ["odd names", JSON.parse('{"": 1, "__proto__": {"polluted": true}, "constructor": 2, "a.b": 3}')],
];

export const bodies = [
  storeCase("bodies come back as they were, whatever can be cloned", async ({ store }) => {
    const given = CLONEABLE.map(([, body]) => body);
    const together = await put(store, step(1, given));
    const apart = await put(store, step(2, given, 0));
    const values = await store.values(given.flatMap((_, at) => [apart, at]));
    const found = await bodiesAt(store, together, -1);
    CLONEABLE.forEach(([what, body], at) => {
      same(found?.[at], structuredClone(body), `${what}, with the record`);
      same(values[at]?.bodies, [structuredClone(body)], `${what}, apart`);
    });
    same(({} as { polluted?: boolean }).polluted, undefined, "the prototype of all objects is not touched");
  }),

  storeCase("bodies are found by record and part, in the order asked for; what is not there is undefined", async ({ store }) => {
    const small = await put(store, step(1, ["a", "b"]));
    const one = await put(store, step(2, [0, 1, 2], 0));
    const four = await put(store, step(3, Array.from({ length: 10 }, (_, at) => at), 2));
    const values = await store.values([four, 2, small, -1, one, 1, four, 0, four + 1000, -1, one, 3, four, 1, four, 3]);
    same(values.map((value) => value?.bodies), [[8, 9], ["a", "b"], [1], [0, 1, 2, 3], undefined, undefined, [4, 5, 6, 7], undefined],
      "the bodies");
    same(await store.values([]), [], "nothing is asked for");
    const neighbours = await store.values([one, 0, one, 1, one, 2]);
    same(neighbours.map((value) => value?.bodies), [[0], [1], [2]], "neighbours");
  }),

  storeCase("many bodies lie in values of as many as the step says", async ({ store }) => {
    const given = Array.from({ length: 300 }, (_, at) => ({ at }));
    const number = await put(store, step(1, given, 7));
    const values = await store.values([number, 0, number, 1, number, 2, number, 3]);
    same(values.map((value) => value?.bodies.length), [128, 128, 44, undefined], "bodies a value");
    same(values.flatMap((value) => value?.bodies ?? []), given, "the bodies");
  }),

  storeCase("headers come by the place of their body", async ({ store }) => {
    const headers = { 1: { trace: "abc", "": "" }, 4: { a: "1" } };
    const small = await put(store, step(1, [0, 1, 2, 3, 4], -1, headers));
    const apart = await put(store, step(2, [0, 1, 2, 3, 4], 1, headers));
    const none = await put(store, step(3, [0]));
    const values = await store.values([small, -1, apart, 0, apart, 1, apart, 2, none, -1]);
    const at = (value: number, place: number): unknown => values[value]?.headers?.[place];
    same([0, 1, 2, 3, 4].map((place) => at(0, place)), [undefined, headers[1], undefined, undefined, headers[4]],
      "with the record, by place in the step");
    same([at(1, 0), at(1, 1)], [undefined, headers[1]], "apart, by place in the value");
    same([at(2, 0), at(2, 1), at(3, 0)], [undefined, undefined, headers[4]], "in the other values");
    same(at(4, 0), undefined, "a message without headers");
  }),

  storeCase("what is handed out is nobody else's", async ({ store }) => {
    const number = await put(store, step(1, [{ list: [1] }]));
    const [first] = (await bodiesAt(store, number, -1)) as [{ list: number[] }];
    first.list.push(2);
    same(await bodiesAt(store, number, -1), [{ list: [1] }], "the next reader's");
  }),

  storeCase("a large body comes back whole, or is refused as too large", async ({ store }) => {
    for (const length of [60_000, 70_000, 300_000]) {
      const body = "0123456789".repeat(length / 10);
      let number = 0;
      try {
        number = await bounded(store.append(0, () => step(length, ["small", body], 0), false), "the append");
      } catch (error) {
        same((error as Error).name, "MessageTooLargeError", `the refusal of ${length} characters`);
        const refused = await store.refused(["small", body]);
        same([refused[0], (refused[1] as Error | undefined)?.name], [undefined, "MessageTooLargeError"], "what refused says of each");
        continue;
      }
      same(await bodiesAt(store, number, 1), [body], `the body of ${length} characters`);
    }
  }),

  storeCase("a body that can't be kept fails its append by name, and writes nothing", async ({ store }) => {
    const bad: [string, unknown][] = [["a function", () => 1], ["a symbol deep inside", { deep: [Symbol("no")] }]];
    for (const [what, body] of bad) {
      let failed: unknown;
      await bounded(store.append(0, () => step(1, [1, body]), false), "the append").catch((error: unknown) => (failed = error));
      same((failed as Error | undefined)?.name, "DataCloneError", `what an append of ${what} fails with`);
      await bounded(store.append(0, () => step(1, [1, body], 0), false), "the append").then(
        () => ok(false, `an append of ${what} apart fails`),
        (error: Error) => same(error.name, "DataCloneError", `an append of ${what} apart`),
      );
    }
    same((await store.read(1)).numbers, [], "nothing was written");
    await put(store, step(2, ["good"]));
    same((await store.read(1)).numbers.length, 1, "the store goes on");
  }),

  storeCase("refused tells for each body whether it can be kept", async ({ store }) => {
    const errors = await store.refused([1, () => 1, "text", { deep: Symbol("no") }, new Map([[1, 2n]])]);
    same(errors.map((error) => (error === undefined ? undefined : (error as Error).name)), [undefined, "DataCloneError", undefined,
      "DataCloneError", undefined], `the errors, ${text(errors)}`);
    same(await store.refused([]), [], "of no bodies");
    same((await store.read(1)).numbers, [], "nothing is written by asking");
  }),
];
