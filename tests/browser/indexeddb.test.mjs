/** What IndexedDB does in real browsers is what the simulator's own does: the same cases as in `node/indexeddb.test.mjs`. */
import { promise } from "./harness.mjs";
import { cases } from "../sim/indexeddb/cases.mjs";

promise("IndexedDB does what its double in the simulator does", (world) =>
  world.run(async ([names, webkit]) => {
    const [check, { cases }] = await Promise.all([import("/check.mjs"), import("/indexeddb/cases.mjs")]);
    const { indexedDB, IDBKeyRange } = globalThis;
    const failed = [];
    for (const name of names) {
      const run = cases[name]({ ...check, indexedDB, IDBKeyRange, webkit });
      await check.bounded(run, name, 10).catch((error) => failed.push(`${name}: ${error.message}`));
    }
    check.ok(failed.length === 0, failed.join("\n"));
  }, [Object.keys(cases), world.kind === "webkit"]), { where: ["page", "worker"] });
