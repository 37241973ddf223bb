/** Appending: numbers that only grow, steps that are atomic. */

import type { Tail } from "../../contract/store";
import { bounded, fails, ok, same, sameBytes } from "../check";
import { bytes, fill, peersCase, put, step, storeCase } from "./case";

const ascending = (numbers: number[]): boolean => numbers.every((number, at) => at === 0 || number > numbers[at - 1]);

export const appending = [
  storeCase("a new store is empty, and says what it is", async ({ driver, store }) => {
    same(store.kind, driver.kind, "the kind of the store is its driver's");
    ok(["relaxed", "strict"].includes(store.durability), `durability is "relaxed" or "strict", not ${store.durability}`);
    const { numbers, records, snapshot, birth } = await store.read(1);
    same([numbers, records, snapshot], [[], [], undefined], "a new journal");
    ok(Number.isFinite(birth) && birth !== 0, `birth is a number but 0, not ${birth}`);
  }),

  storeCase("numbers only grow, and name their records", async ({ store }) => {
    const numbers = await fill(store, 5);
    ok(ascending(numbers), `they grow: ${numbers}`);
    const tail = await store.read(1);
    same(tail.numbers, numbers, "all that was appended is read");
    tail.records.forEach((record, at) => sameBytes(record, bytes(at), `record ${at}`));
  }),

  storeCase("an append from 0 reads nothing: decide gets an empty tail", async ({ store }) => {
    await fill(store, 2);
    let tail: Tail | undefined;
    let calls = 0;
    await store.append(0, (given) => {
      [tail, calls] = [given, calls + 1];
      return step(2);
    }, false);
    same(calls, 1, "decide is called once");
    ok(tail === undefined || (tail.numbers.length === 0 && !tail.snapshot), "the tail is empty");
  }),

  storeCase("an append from a number sees what was written from there on", async ({ store }) => {
    const numbers = await fill(store, 4);
    const seen: (Tail | undefined)[] = [];
    const number = await store.append(numbers[1], (tail) => {
      seen.push(tail);
      return step(9);
    }, false);
    same(seen.length, 1, "decide is called once");
    same(seen[0]?.numbers, numbers.slice(1), "the numbers it sees");
    seen[0]?.records.forEach((record, at) => sameBytes(record, bytes(at + 1), `record ${at} of the tail`));
    same(seen[0]?.birth, (await store.read(1)).birth, "the birth it sees");
    ok(number > numbers[3], "its own number is the newest");
    same((await store.read(number)).numbers, [number], "and is read");
    let empty: Tail | undefined;
    await store.append(number + 1, (tail) => void (empty = tail), false);
    same(empty?.numbers, [], "there is nothing after the last number");
  }),

  storeCase("decide that answers undefined writes nothing", async ({ store }) => {
    const numbers = await fill(store, 2);
    same(await store.append(0, () => undefined, false), 0, "the answer of an append that wrote nothing");
    same(await store.append(numbers[1], () => undefined, false), 0, "the answer of an append that read and wrote nothing");
    same((await store.read(1)).numbers, numbers, "nothing was written");
    ok((await put(store, step(5))) > numbers[1], "the next append goes on");
  }),

  storeCase("decide that throws fails its append, writes nothing, and the store goes on", async ({ store }) => {
    const [first] = await fill(store, 1);
    const thrown = (): never => {
      throw new RangeError("thrown by decide");
    };
    await fails(store.append(0, thrown, false), "RangeError", "thrown by decide");
    await fails(store.append(first, thrown, false), "RangeError", "thrown by decide");
    same((await store.read(1)).numbers, [first], "nothing was written");
    ok((await put(store, step(5))) > first, "the next append goes on");
  }),

  storeCase("a strict append is committed as any", async ({ store }) => {
    const number = await put(store, step(0, ["strict"]), true);
    same((await store.read(1)).numbers, [number], "it is read");
  }),

  storeCase("what was given may change once the append is committed", async ({ store }) => {
    const given = { record: bytes(1), bodies: [{ list: [1] }], chunk: -1 };
    const number = await put(store, given);
    given.record.fill(0);
    given.bodies[0].list.push(2);
    sameBytes((await store.read(1)).records[0], bytes(1), "the record");
    same((await store.values([number, -1]))[0]?.bodies, [{ list: [1] }], "the body");
  }),

  storeCase("a record that is a part of a larger buffer is kept alone", async ({ store }) => {
    const around = bytes(3, 5000);
    await put(store, { record: around.subarray(100, 130), bodies: [], chunk: -1 });
    sameBytes((await store.read(1)).records[0], around.slice(100, 130), "the record");
  }),

  storeCase("large records come back whole", async ({ store }) => {
    const sizes = [1, 60_000, 65_536, 200_000, 1_000_000];
    for (const size of sizes) await put(store, { record: bytes(size, size), bodies: [], chunk: -1 });
    const { records } = await store.read(1);
    sizes.forEach((size, at) => sameBytes(records[at], bytes(size, size), `the record of ${size} bytes`));
  }),

  storeCase("appends that overlap are steps one after the other", async ({ store }) => {
    const [first] = await fill(store, 1);
    const seen = new Map<number, number[]>();
    const append = async (seed: number): Promise<void> => {
      let [tail, calls]: [number[], number] = [[], 0];
      const number = await store.append(seed % 2 ? first : 0, (given) => {
        [tail, calls] = [given?.numbers ?? [], calls + 1];
        return step(seed, [seed]);
      }, false);
      same(calls, 1, "decide is called once an append");
      if (seed % 2) seen.set(number, tail);
    };
    await bounded(Promise.all(Array.from({ length: 20 }, (_, at) => append(at + 1))), "all appends");
    const { numbers } = await store.read(1);
    same(numbers.length, 21, "every append is there, once");
    ok(ascending(numbers), `in the order of their numbers: ${numbers}`);
    for (const [number, tail] of seen) {
      same(tail, numbers.slice(0, tail.length), `what the append of ${number} saw has no holes`);
      ok(tail.every((one) => one < number), `what the append of ${number} saw came before it`);
    }
  }),

  peersCase("stores beside each other write one journal", async ({ store, open }) => {
    const other = await open();
    const mine = await put(store, step(1));
    const theirs = await put(other, step(2));
    ok(theirs > mine, `numbers grow for all: ${mine}, ${theirs}`);
    let tail: Tail | undefined;
    const third = await store.append(mine + 1, (given) => {
      tail = given;
      return step(3);
    }, false);
    same(tail?.numbers, [theirs], "an append sees what others wrote");
    for (const each of [store, other]) {
      const { numbers, records } = await each.read(1);
      same(numbers, [mine, theirs, third], "everyone reads the same numbers");
      records.forEach((record, at) => sameBytes(record, bytes(at + 1), `record ${at}`));
    }
  }),

  peersCase("stores that append at once lose nothing, and decide once", async ({ store, open }) => {
    const stores = [store, await open()];
    const first = await put(store, step(0));
    let calls = 0;
    const write = async (at: number): Promise<number[]> => {
      const numbers: number[] = [];
      for (let turn = 0; turn < 10; turn += 1) {
        numbers.push(await stores[at].append(turn % 2 ? first : 0, () => {
          calls += 1;
          return step(100 * (at + 1) + turn, [turn]);
        }, false));
      }
      return numbers;
    };
    const written = await bounded(Promise.all([write(0), write(1)]), "all appends");
    same(calls, 20, "decide is called once an append, whoever comes between");
    const { numbers, records } = await store.read(first + 1);
    same(numbers, written.flat().sort((a, b) => a - b), "every number was given once");
    written.forEach((each, at) =>
      each.forEach((number, turn) => {
        sameBytes(records[numbers.indexOf(number)], bytes(100 * (at + 1) + turn), `the record under number ${number}`);
      })
    );
  }),
];
