/** Worker threads that run a piece of code with the package. */

import { after } from "node:test";
import { Worker } from "node:worker_threads";
import { entry } from "./posthaste.mjs";

const threads = new Set();
after(() => Promise.all([...threads].map((worker) => worker.terminate())));

/** A worker that runs `code`, the body of an async function, with `openQueue`, its own `parentPort` and what is in `data`. */
export function thread(code, data = {}, transferList = []) {
  const source = `const { parentPort, workerData } = require("node:worker_threads");
    (async () => {
      const { openQueue } = await import(workerData.entry);
      const { ${Object.keys(data).join(", ")} } = workerData;
      ${code}
    })().catch((error) => { throw error; });`;
  const worker = new Worker(source, { eval: true, workerData: { ...data, entry }, transferList });
  threads.add(worker);
  worker.once("exit", () => threads.delete(worker));
  return worker;
}
