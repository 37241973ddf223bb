/** Isolates of one process that all send and take at once: `storm.mjs <database file> <isolates> <messages of each>`. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";
import { drain } from "./journal.mjs";

const inWorker = typeof WorkerGlobalScope !== "undefined";

async function send({ file, isolate, count }) {
  const queue = await openQueue("q", { storage: kvStorage(file) });
  // One at a time: each is a step, and each step meets those of the others.
  for (let n = 0; n < count; n += 1) await queue.send([isolate, n]);
  await queue.close();
  postMessage("done");
}

async function storm(file, isolates, count) {
  const workers = Array.from({ length: isolates }, () => new Worker(import.meta.url, { type: "module" }));
  await Promise.all(workers.map((worker, isolate) =>
    new Promise((done, failed) => {
      worker.onmessage = done;
      worker.onerror = ({ message }) => failed(new Error(message));
      worker.postMessage({ file, isolate, count });
    })
  ));
  for (const worker of workers) worker.terminate();
  const queue = await openQueue("q", { storage: kvStorage(file) });
  console.log(JSON.stringify(await drain(queue, isolates * count)));
  await queue.close();
}

if (inWorker) self.onmessage = ({ data }) => send(data);
else await storm(Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2]));
