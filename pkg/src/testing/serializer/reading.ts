/** Bytes: the same in every runtime, and whatever they are, they are bodies or a `CorruptionError`. */

import { ok, same, text } from "../check";
import type { Serializer } from "../types";
import { alike, hex, serializerCase, thrown, trip, unhex } from "./case";
import { ResizableBuffer, anyValue, random } from "./values";

const SEEDS = 300;
const CHANGES = 40;

/** A bit of all that the format has. An error's stack is the runtime's, so this one has none. */
function specimen(): unknown[] {
  const error = Object.defineProperty(new TypeError("é"), "stack", { value: undefined });
  const [bytes, growing] = [new Uint8Array([1, 2, 3, 4]), new ResizableBuffer(2, { maxByteLength: 4 })];
  const self: Record<string, unknown> = { id: 1, name: "Ada" };
  self.self = self;
  return [
    undefined,
    [null, false, true, 127, 128, -1, 2 ** 53 - 1, 0.5, -0, 255n, -256n],
    ["", "é", "あ", "x".repeat(64), "\ud800"],
    self,
    { id: 2, name: "Bo" },
    [1, , 3],
    new Date(1_000),
    /a/g,
    new Map([["k", new Set([1])]]),
    [bytes, bytes.buffer, bytes.subarray(1, 3), growing, new Uint8Array(growing, 0, 1)],
    new Uint16Array([1]).buffer,
    Object.defineProperty(error, "cause", { value: error }),
    new DOMException("m", "AbortError"),
    Object("b"),
  ];
}
const HEADERS = { 1: { trace: "t" } };
/** Both, as they are written. */
const WRITTEN = [
  "020e000b0b010203ff048001050104ffffffffffffff0f06000000000000e03f0600000000000000800702ff070501000b054041e909014230084078",
  "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878",
  "787878090100d80a42696481446e616d65434164614473656c661800190a80828142426f190c03413081413283190d04e8070e416141670f01416b10",
  "01810b05130104010203041802140101031802120204000014010002180411020100150541e900180016416d4a41626f72744572726f721741620a41",
  "310a45747261636541741919",
].join("");

const BAD: Record<string, string> = {
  "nothing": "",
  "another format": "01 00",
  "a newer format": "03 00",
  "a format alone": "02",
  "more bodies than bytes": "02 05 81",
  "more bytes than bodies": "02 01 81 81",
  "a count without end": "02 ff ff ff",
  "a count of zeros without end": `02 ${"80".repeat(200)} 00`,
  "a count beyond all numbers": "02 ff ff ff ff ff ff ff ff 7f",
  "a byte that means nothing": "02 01 1a",
  "another": "02 01 3f",
  "an end where a value should be": "02 01 19",
  "half a number": "02 01 06 00 00",
  "a text that is too short": "02 01 08 05 41",
  "half a unit": "02 01 09 01 41",
  "a bigint without its bytes": "02 01 07 08 01",
  "an object without end": "02 01 0a 41 61 81",
  "a key that is an object": "02 01 0a 0a 19 81 19",
  "a key that was not met": "02 01 0a 80 81 19",
  "a list without its elements": "02 01 0b 05 80",
  "lists that want the same bytes": `02 01 ${"0b 0a".repeat(6)} ${"00".repeat(12)}`,
  "a list that is shorter than its elements": "02 01 0c 01 41 35 80 19",
  "a list that says its length twice": "02 01 0c 05 46 6c 65 6e 67 74 68 80 19",
  "a list beyond all lists": "02 01 0c ff ff ff ff 1f 19",
  "a date that is a text": "02 01 0d 40",
  "a regular expression of no sense": "02 01 0e 41 28 40",
  "one with flags of no sense": "02 01 0e 41 61 42 67 67",
  "a map of half an entry": "02 01 0f 01 81",
  "a set without its entries": "02 01 10 04 81",
  "a buffer without its bytes": "02 01 11 7f 00",
  "a buffer that is larger than it may be": "02 01 12 02 01 00 00",
  "one that may be as large as all memory": "02 01 12 00 ff ff ff ff 7f",
  "two that may be so together": "02 01 0b 02 12 00 81 80 80 80 02 12 00 81 80 80 80 02",
  "a view of no class": "02 01 13 7f 00",
  "a view of bytes that are too few": "02 01 13 08 03 00 00 00",
  "a view beyond its buffer": "02 01 14 01 00 09 11 02 00 00",
  "a view at an odd place": "02 01 14 04 01 02 11 08 00 00 00 00 00 00 00 00",
  "a view of a text": "02 01 14 01 00 01 40",
  "a view of itself": "02 01 14 01 00 01 18 00",
  "an error of no class": "02 01 15 07 40 40 19",
  "an error whose message is a number": "02 01 15 00 80 40 19",
  "an exception without a name": "02 01 16 40",
  "an object that holds an object": "02 01 17 0a 19",
  "an object that holds nothing": "02 01 17 00",
  "an object that holds itself": "02 01 17 18 00",
  "an object that was not met": "02 01 18 00",
  "one of another body": "02 02 0a 19 18 00",
  "headers that are a text": "02 01 81 40",
  "headers that are null": "02 01 81 01",
  "headers of a number": "02 01 81 0a 41 30 80 19",
  "a header that is a number": "02 01 81 0a 41 30 0a 41 61 80 19 19",
  "what is nested too deep": `02 01 ${"0b01".repeat(1_001)} 80`,
};

/** A value, or a `CorruptionError`; undefined: it was the latter. */
function bodiesOf(serializer: Serializer, bytes: Uint8Array, what: string): unknown[] | undefined {
  try {
    return serializer.read(bytes).bodies;
  } catch (error) {
    const { name, message } = error as Error;
    ok(name === "CorruptionError", `${what} are a CorruptionError, not ${name}: ${message}, of ${hex(bytes)}`);
    return undefined;
  }
}

function changed(bytes: Uint8Array, next: () => number): Uint8Array {
  const at = Math.floor(next() * bytes.length);
  const byte = Math.floor(next() * (next() < 0.5 ? 32 : 256));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + (next() < 0.6 ? 1 : 0))];
  return Uint8Array.from(next() < 0.1 ? before : [...before, ...(next() < 0.8 ? [byte] : []), ...after]);
}

export const reading = [
  serializerCase("the bytes are those that every runtime writes", (serializer) => {
    same(hex(serializer.write({ bodies: specimen(), headers: HEADERS })), WRITTEN, "the bytes");
  }),

  serializerCase("what any runtime wrote is read", (serializer) => {
    const { bodies, headers } = serializer.read(unhex(WRITTEN));
    alike(bodies, specimen(), "the bodies");
    same(headers, HEADERS, "the headers");
  }),

  serializerCase("bytes that are a part of larger ones are read where they lie", (serializer) => {
    const around = new Uint8Array(3 + WRITTEN.length / 2).fill(255);
    around.set(unhex(WRITTEN), 2);
    alike(serializer.read(around.subarray(2, -1)).bodies, specimen(), "the bodies");
    same([around[0], around[1], around[around.length - 1]], [255, 255, 255], "the bytes around them");
  }),

  serializerCase("what is read is nobody else's memory", (serializer) => {
    const bytes = serializer.write({ bodies: [new Uint8Array([1, 2, 3])] });
    const [read] = serializer.read(bytes).bodies as [Uint8Array];
    bytes.fill(9);
    same([...read, read.buffer.byteLength], [1, 2, 3, 3], "the bytes after what they were read from was written over");
  }),

  serializerCase("bytes that are no bodies are a CorruptionError that says where", (serializer) => {
    for (const [what, digits] of Object.entries(BAD)) {
      const { name, message } = thrown(() => serializer.read(unhex(digits)));
      same(name, "CorruptionError", `${what}: ${message}`);
      ok(/byte \d+ of \d+/.test(message), `the error says where: ${message}`);
    }
  }),

  serializerCase("bodies that end too early are a CorruptionError, wherever that is", (serializer) => {
    const bytes = unhex(WRITTEN);
    const { length } = serializer.write({ bodies: specimen() });
    for (let end = 0; end < bytes.length; end += 1) {
      if (end !== length)
        same(thrown(() => serializer.read(bytes.subarray(0, end))).name, "CorruptionError", `${end} bytes of ${bytes.length}`);
    }
  }),

  serializerCase("a list without elements takes no memory for them, however long it says it is", (serializer) => {
    // 500 of each. With memory for what their lengths say they would be terabytes.
    for (const length of [30_000_000, 2 ** 32 - 1]) {
      const list: unknown[] = [];
      list[2 ** 32 - 2] = 1;
      list.length = length;
      const bytes = serializer.write({ bodies: Array.from({ length: 500 }, () => list) });
      const { bodies } = serializer.read(bytes);
      ok(bytes.length < 10_000, `${bytes.length} bytes are few`);
      same([bodies.length, (bodies[499] as unknown[]).length, Object.keys(bodies[0] as unknown[])], [500, length, Object.keys(list)],
        "the lists");
    }
  }),

  serializerCase("a key of the prototype's name touches no prototype", (serializer) => {
    const read = trip(serializer, [JSON.parse('{"__proto__":{"polluted":1}}'), Object.assign([1], JSON.parse('{"x":1}'))]) as object[];
    serializer.read(unhex("02 01 0c 01 49 5f5f70726f746f5f5f 0a 48 706f6c6c75746564 81 19 19"));
    same([Object.getPrototypeOf(read[0]), Object.keys(read[0])], [Object.prototype, ["__proto__"]], "the object");
    same([({} as { polluted?: unknown }).polluted, ([] as { polluted?: unknown }).polluted], [undefined, undefined], "other objects");
  }),

  serializerCase("bytes that were changed are bodies that can be written again, or a CorruptionError", (serializer) => {
    const counts = [0, 0];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const next = random(1_000_000 + seed);
      const whole = seed % 10
        ? serializer.write({ bodies: [anyValue(next), anyValue(next)], headers: seed % 3 ? undefined : HEADERS })
        : unhex(WRITTEN);
      let bytes = whole;
      for (let change = 0; change < CHANGES; change += 1) {
        bytes = changed(change % 4 ? bytes : whole, next);
        const bodies = bytes.length ? bodiesOf(serializer, bytes, `the bytes of seed ${seed} after change ${change}`) : undefined;
        counts[bodies ? 1 : 0] += 1;
        if (bodies)
          alike(serializer.read(serializer.write({ bodies })).bodies, bodies,
            `what was read of seed ${seed} after change ${change}, ${hex(bytes)}`);
        else if (!bytes.length) bytes = whole;
      }
    }
    ok(counts.every((count) => count > SEEDS), `there were both: ${text(counts)}`);
  }),
];
