/** Snapshots: they stand for records, and take away those that are not needed. */

import type { Store, Tail } from "../../contract/store";
import { ok, same, sameBytes } from "../check";
import { bodiesAt, bytes, fill, peersCase, put, step, storeCase } from "./case";

export const snapshots = [
  storeCase("a snapshot stands for all records up to its number", async ({ store }) => {
    const numbers = await fill(store, 6);
    same(await store.snapshot(numbers[3], numbers[2], bytes(99, 500), [numbers[0], numbers[1]]), true, "it is written");
    const whole = await store.read(1);
    same(whole.snapshot?.number, numbers[3], "the number of the snapshot");
    sameBytes(whole.snapshot?.bytes, bytes(99, 500), "the snapshot");
    same(whole.numbers, numbers.slice(4), "the records after it");
    whole.records.forEach((record, at) => sameBytes(record, bytes(at + 4), `record ${at + 4}`));
    same((await store.read(1)).birth, whole.birth, "the birth stays");
  }),

  storeCase("up to the floor one reads the snapshot, above it the records", async ({ store }) => {
    const numbers = await fill(store, 6);
    await store.snapshot(numbers[3], numbers[2], bytes(99), [numbers[0], numbers[2]]);
    for (const from of [numbers[0], numbers[2]]) {
      const { snapshot, numbers: found } = await store.read(from);
      same([snapshot?.number, found], [numbers[3], numbers.slice(4)], `from ${from}, which is not above the floor`);
    }
    const { snapshot, numbers: found } = await store.read(numbers[3]);
    same([snapshot, found], [undefined, numbers.slice(3)], "from above the floor: a peer a little behind learns what became of its own");
    let tail: Tail | undefined;
    await store.append(numbers[1], (given) => void (tail = given), false);
    same([tail?.snapshot?.number, tail?.numbers], [numbers[3], numbers.slice(4)], "an append from below the floor sees the same");
    await store.append(numbers[4], (given) => void (tail = given), false);
    same([tail?.snapshot, tail?.numbers], [undefined, numbers.slice(4)], "an append from above it, too");
  }),

  storeCase("records of the ranges are gone with their bodies, others keep theirs", async ({ store }) => {
    const numbers = await fill(store, 3);
    const apart = await put(store, step(3, [0, 1, 2, 3], 1));
    const kept = await put(store, step(4, [4, 5, 6], 1));
    const last = await put(store, step(5, ["last"]));
    await store.snapshot(last, kept, bytes(99), [numbers[0], numbers[0], numbers[2], apart]);
    same(await bodiesAt(store, numbers[0], -1), undefined, "the bodies of the first range");
    same(await bodiesAt(store, numbers[1], -1), [1], "bodies between the ranges");
    same((await store.values([numbers[2], -1, apart, 0, apart, 1])).map((value) => value?.bodies), [undefined, undefined, undefined],
      "the bodies of the second range");
    same((await store.values([kept, 0, kept, 1])).map((value) => value?.bodies), [[4, 5], [6]],
      "bodies up to the floor that are in no range");
    same(await bodiesAt(store, last, -1), ["last"], "bodies above the floor");
  }),

  storeCase("of records that stay, the parts of bodies that are named may go, and no others", async ({ store, open }) => {
    // A read from the first number would begin with the snapshot.
    await put(store, step(30));
    const numbers: number[] = [];
    for (const seed of [0, 10])
      numbers.push(await put(store, step(seed, Array.from({ length: 7 }, (_, at) => seed + at), 1, { 2: { a: "1" }, 6: { b: "2" } })));
    const own = await put(store, step(20, ["own"]));
    same(await store.snapshot(numbers[1], 0, bytes(99), [], [numbers[0], 0, 0, numbers[0], 2, 2, numbers[1], 3, 1_048_575]), true,
      "it is written");
    const look = async (from: Store): Promise<void> => {
      const keys = [...numbers.flatMap((number) => [0, 1, 2, 3].flatMap((part) => [number, part])), own, -1];
      const found = await from.values(keys);
      const named = [0, 2, 7];
      [[0, 1], [2, 3], [4, 5], [6], [10, 11], [12, 13], [14, 15], [16], ["own"]].forEach((bodies, at) => {
        if (named.includes(at) && found[at] === undefined) return;
        same(found[at]?.bodies, bodies, `the bodies at ${keys[2 * at]}, part ${keys[2 * at + 1]}`);
      });
      same([found[1]?.headers, found[5]?.headers], [{ 0: { a: "1" } }, { 0: { a: "1" } }], "headers of parts that stay");
      const { numbers: left } = await from.read(numbers[0]);
      same(left, [...numbers, own], "the records themselves stay");
    };
    await look(store);
    await store.snapshot(own, 0, bytes(98), [], [numbers[0], 0, 0, 987_654, 0, 5]);
    await look(store);
    store.close();
    await look(await open());
  }),

  storeCase("a snapshot no newer than the one that is there does nothing", async ({ store }) => {
    const numbers = await fill(store, 4);
    await store.snapshot(numbers[2], numbers[0], bytes(1), []);
    same(await store.snapshot(numbers[2], numbers[2], bytes(2), [numbers[0], numbers[1]]), false, "as new");
    same(await store.snapshot(numbers[1], numbers[1], bytes(3), [numbers[0], numbers[1]]), false, "older");
    sameBytes((await store.read(1)).snapshot?.bytes, bytes(1), "the snapshot that was there");
    same(await bodiesAt(store, numbers[0], -1), [0], "nothing was deleted");
    same((await store.read(numbers[1])).snapshot, undefined, "the floor did not move");
  }),

  storeCase("the next snapshot takes the place of the last; the floor never sinks", async ({ store }) => {
    const numbers = await fill(store, 5);
    await store.snapshot(numbers[2], numbers[2], bytes(1), [numbers[0], numbers[1]]);
    same(await store.snapshot(numbers[4], numbers[1], bytes(2), []), true, "a newer one is written");
    const { snapshot, numbers: found } = await store.read(numbers[2]);
    same([snapshot?.number, found], [numbers[4], []], "from the old floor");
    sameBytes(snapshot?.bytes, bytes(2), "the new snapshot");
    same((await store.read(numbers[3])).snapshot, undefined, "from above the old floor");
  }),

  storeCase("numbers grow on when every record is gone, also for who opens the store again", async ({ store, open }) => {
    const numbers = await fill(store, 3);
    await store.snapshot(numbers[2], numbers[2], bytes(1), [numbers[0], numbers[2]]);
    same((await store.read(1)).numbers, [], "all records are gone");
    store.close();
    const again = await open();
    const next = await put(again, step(3));
    ok(next > numbers[2], `a number was given twice: ${next} after ${numbers}`);
    const { snapshot, numbers: found } = await again.read(1);
    same([snapshot?.number, found], [numbers[2], [next]], "what is read");
    sameBytes(snapshot?.bytes, bytes(1), "the snapshot was kept");
  }),

  storeCase("the floor is kept when the store is opened again", async ({ store, open }) => {
    const numbers = await fill(store, 4);
    await store.snapshot(numbers[2], numbers[1], bytes(1), [numbers[0], numbers[1]]);
    store.close();
    const again = await open();
    same((await again.read(numbers[1])).snapshot?.number, numbers[2], "from the floor");
    same((await again.read(numbers[2])).snapshot, undefined, "from above it");
    same(await again.snapshot(numbers[2], numbers[2], bytes(2), []), false, "a snapshot as new is there");
    same(await bodiesAt(again, numbers[2], -1), [2], "bodies that are wanted are kept");
  }),

  storeCase("large snapshots, parts of larger buffers too, come back whole", async ({ store }) => {
    const numbers = await fill(store, 4);
    for (const [at, size] of [1, 65_537, 400_000].entries()) {
      const around = bytes(size, size + 20);
      await store.snapshot(numbers[at], 0, around.subarray(10, size + 10), []);
      sameBytes((await store.read(1)).snapshot?.bytes, around.slice(10, size + 10), `the snapshot of ${size} bytes`);
    }
  }),

  peersCase("a snapshot of one store is every store's", async ({ store, open }) => {
    const other = await open();
    const numbers = await fill(store, 4);
    same(await other.snapshot(numbers[2], numbers[1], bytes(1), [numbers[0], numbers[1]]), true, "written by another");
    same(await store.snapshot(numbers[2], numbers[1], bytes(2), []), false, "there is one as new");
    const { snapshot, numbers: found } = await store.read(1);
    same([snapshot?.number, found], [numbers[2], [numbers[3]]], "what is read");
    sameBytes(snapshot?.bytes, bytes(1), "the snapshot");
    same(await bodiesAt(store, numbers[0], -1), undefined, "bodies that it deleted");
    ok((await put(store, step(9))) > numbers[3], "and appends go on");
  }),
];
