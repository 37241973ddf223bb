/** What the store in IndexedDB adds to the module: hints between contexts, who is told of a loss, and what the platform says. */
import { promise } from "./harness.mjs";

/** Runs it in a page that has the store, opened under names of its own. */
const store = (name, run) =>
  promise(name, async (world) => {
    const page = await world.page();
    await page.evaluate(async () => {
      const { IndexedDbStore, databaseExists, loadEngine, provide } = await import("/store.js");
      provide(() => WebAssembly.compileStreaming(fetch("/posthaste/posthaste.wasm")));
      await loadEngine();
      Object.assign(globalThis, { IndexedDbStore, databaseExists, nothing: () => undefined });
      globalThis.signal = () => {
        let call;
        const called = new Promise((resolve) => (call = resolve));
        return { call, called };
      };
    });
    await page.evaluate(run);
  });

store("a hint reaches the others and not its sender, nor other journals", async () => {
  const [one, other, elsewhere] = [await IndexedDbStore.open("a"), await IndexedDbStore.open("a"), await IndexedDbStore.open("b")];
  const [heard, answered, never] = [signal(), signal(), () => ok(false, "nobody heard it")];
  one.watch(never, nothing);
  elsewhere.watch(never, nothing);
  other.watch(heard.call, nothing);
  one.hint();
  same(await heard.called, undefined);
  // And back: by then the first would have come to everyone.
  one.watch(answered.call, nothing);
  other.hint();
  await answered.called;
  for (const each of [one, other, elsewhere]) each.close();
});

store("a burst of hints is one at once and one after", async () => {
  const one = await IndexedDbStore.open("a");
  const real = { post: BroadcastChannel.prototype.postMessage, now: Date.now, setTimeout };
  let [count, now] = [0, 1e12];
  const timers = [];
  BroadcastChannel.prototype.postMessage = () => (count += 1);
  Date.now = () => now;
  globalThis.setTimeout = (work, ms) => timers.push({ work, ms });
  const pass = () => {
    now += 10;
    timers.pop()?.work();
  };
  const burst = () => Array.from({ length: 100 }, () => one.hint());
  const seen = () => [count, ...timers.map(({ ms }) => ms)];
  const found = [burst() && seen(), (pass(), seen()), burst() && seen()];
  pass();
  pass();
  one.hint();
  found.push(seen());
  BroadcastChannel.prototype.postMessage = real.post;
  Object.assign(globalThis, { setTimeout: real.setTimeout });
  Date.now = real.now;
  same(found, [[1, 10], [2], [2, 10], [4]]);
  one.close();
});

store("a closed store neither hints nor hears, and refuses what it is asked", async () => {
  const [one, other] = [await IndexedDbStore.open("a"), await IndexedDbStore.open("a")];
  one.watch(() => ok(false, "it is closed"), nothing);
  one.hint();
  one.hint();
  one.close();
  one.close();
  one.hint();
  for (const asked of [() => one.read(1), () => one.append(0, nothing, false), () => one.values([1, -1]), () => one.release()])
    await fails(asked(), "InvalidStateError", 'the database "a" is closed');
  const third = await IndexedDbStore.open("a");
  const heard = signal();
  third.watch(heard.call, nothing);
  other.hint();
  await heard.called;
  other.close();
  third.close();
});

store("who watches a store that is lost is told, however late", async () => {
  const one = await IndexedDbStore.open("a");
  const [early, late] = [signal(), signal()];
  one.watch(nothing, early.call);
  indexedDB.deleteDatabase("a");
  same((await early.called).name, "StorageLostError");
  one.watch(nothing, late.call);
  same((await late.called).message, 'the database "a" was deleted');
  one.close();
});

store("a snapshot makes up for a reserve that was given up", async () => {
  const one = await IndexedDbStore.open("a");
  const released = [await one.release(), await one.release()];
  same(await one.snapshot(1, 0, new Uint8Array(1), []), true);
  released.push(await one.release());
  same(released, [true, false, true]);
  one.close();
});

store("the platform says whether there is a database, how safe it is, and how large", async () => {
  same(await databaseExists("a"), false);
  const one = await IndexedDbStore.open("a");
  same(await databaseExists("a"), true);
  same([one.kind, one.durability], ["indexeddb", "strict"]);
  const used = await one.usage();
  ok(used === undefined || used >= 0, "a number of bytes, where it is told");
  one.close();
});
