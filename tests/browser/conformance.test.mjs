/** The suites that stores and queues pass, in real browsers: on IndexedDB, and in memory. */
import { promise } from "./harness.mjs";

/** Runs the cases of a suite one after the other; all that fail are told. */
async function suite(page, name, run) {
  const failures = await page.evaluate(run);
  if (failures.length) throw new Error(`${failures.length} of ${name}:\n${failures.join("\n")}`);
}

promise("the store on IndexedDB passes every case of stores", (world) =>
  world.page().then((page) =>
    suite(page, "storeCases", async () => {
      const { storeCases } = await import("/posthaste/testing/index.js");
      const { IndexedDbStore, loadEngine, provide } = await import("/store.js");
      provide(() => WebAssembly.compileStreaming(fetch("/posthaste/posthaste.wasm")));
      await loadEngine();
      ok(storeCases.length > 35, "there are cases");
      const failures = [];
      for (const { name, run } of storeCases) {
        let databases = 0;
        const make = async () => {
          const database = `${name} ${(databases += 1)}`;
          return { kind: "indexeddb", open: () => IndexedDbStore.open(database) };
        };
        await run(make).catch((error) => failures.push(`${name}: ${error.stack}`));
      }
      return failures;
    })
  ), { seconds: 120 });

for (const storage of ["indexeddb", "memory"]) {
  promise(`a queue on ${storage} passes every case of queues`, (world) =>
    world.page().then((page) =>
      suite(page, "queueCases", `(${async (storage) => {
        const { queueCases, virtualTime } = await import("/posthaste/testing/index.js");
        ok(queueCases.length > 50, "there are cases");
        const failures = [];
        // One journal for all, so one clock: the time of a journal never goes back.
        const time = virtualTime();
        for (const { name, run } of queueCases) {
          await run((queue, options) =>
            openQueue(queue, { ...options, storage }), time).catch((error) =>
              failures.push(`${name}: ${error.stack}`)
            );
        }
        return failures;
      }})(${JSON.stringify(storage)})`)
    ), { seconds: 180 });
}
