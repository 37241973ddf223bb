/** What a storage keeps while no store is open, and what a store does at its end. */

import { bounded, ok, same, sameBytes } from "../check";
import { bodiesAt, bytes, fill, peersCase, put, step, storeCase } from "./case";

export const keeping = [
  storeCase("reading pages through a long journal, from anywhere", async ({ store }) => {
    const numbers = await fill(store, 300);
    for (const from of [0, 1, 43, 44, 255, 256, 257, 299]) {
      const tail = await store.read(from === 0 ? 1 : numbers[from]);
      same(tail.numbers, numbers.slice(from), `the numbers from place ${from} on`);
      tail.records.forEach((record, at) => sameBytes(record, bytes(from + at), `record ${from + at}`));
    }
    same((await store.read(numbers[299] + 1)).numbers, [], "after the last");
  }),

  storeCase("what was appended is there when the store is opened again", async ({ store, open }) => {
    const number = await put(store, step(1, ["kept", { deep: [1] }]));
    const { birth } = await store.read(1);
    store.close();
    const again = await open();
    const tail = await again.read(1);
    same(tail.numbers, [number], "the numbers");
    sameBytes(tail.records[0], bytes(1), "the record");
    same(await bodiesAt(again, number, -1), ["kept", { deep: [1] }], "the bodies");
    same(tail.birth, birth, "the birth stays");
    ok((await put(again, step(2))) > number, "numbers go on");
  }),

  storeCase("the birth is another in another storage", async ({ store, open, make }) => {
    const other = await open(await make());
    await put(store, step(1));
    same((await other.read(1)).numbers, [], "another storage is empty");
    const [mine, theirs] = [(await store.read(1)).birth, (await other.read(1)).birth];
    ok(mine !== theirs, `births differ: both are ${mine}`);
    same((await store.read(1)).birth, mine, "the birth is the same each time");
  }),

  storeCase("closing twice is closing once; what was under way has ended one way or the other", async ({ store, open }) => {
    const [first] = await fill(store, 1);
    const going = store.append(0, () => step(7), false).then((number) => ({ number, error: undefined }),
      (error: unknown) => ({ number: 0, error }));
    store.close();
    store.close();
    const { number, error } = await bounded(going, "an append that was under way at the close ends");
    const { numbers } = await (await open()).read(1);
    if (number) same(numbers, [first, number], "it was committed, and is there");
    else if (!(error as { outcomeUnknown?: boolean }).outcomeUnknown)
      same(numbers, [first], "it was certainly not committed, and is not there");
  }),

  storeCase("a store can be opened anew before the old one is closed", async ({ store, open }) => {
    const [first] = await fill(store, 1);
    const again = await open();
    store.close();
    same((await again.read(1)).numbers, [first], "the new one reads on");
    const next = await put(again, step(1));
    same((await again.read(1)).numbers, [first, next], "and writes on");
  }),

  storeCase("watching, hinting and closing tell of no loss", async ({ store }) => {
    const losses: unknown[] = [];
    store.watch(() => undefined, (error) => losses.push(error));
    store.hint();
    await fill(store, 2);
    store.hint();
    store.close();
    same(losses, [], "nothing was lost");
  }),

  peersCase("one store hints and writes, and the others read it", async ({ store, open }) => {
    const other = await open();
    const losses: unknown[] = [];
    other.watch(() => undefined, (error) => losses.push(error));
    const number = await put(store, step(1));
    store.hint();
    same((await other.read(1)).numbers, [number], "it is there for who looks, hint or not");
    store.close();
    ok((await put(other, step(2))) > number, "the other goes on when one closes");
    same(losses, [], "nothing was lost");
  }),

  storeCase("usage is a number of bytes, or not known", async ({ store }) => {
    await fill(store, 1);
    const usage = await store.usage();
    ok(usage === undefined || (Number.isFinite(usage) && usage >= 0), `usage is bytes or undefined, not ${usage}`);
  }),

  storeCase("room that is kept can be given up, and the store goes on", async ({ store }) => {
    const released = await store.release();
    ok(typeof released === "boolean", `release answers true or false, not ${released}`);
    same((await fill(store, 2)).length, 2, "appends after that");
  }),
];
