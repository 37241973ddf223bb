// What an application's page does: a queue in memory, one in IndexedDB, and one that it serves to a worker of its own.
import { openQueue } from "posthaste";
import { passed } from "./letters.js";

export async function said() {
  const memory = await passed(await openQueue("here"));
  const stored = await passed(await openQueue("kept", { storage: "indexeddb" }));

  const queue = await openQueue("served", { storage: "indexeddb" });
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const answered = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
  });
  const { port1, port2 } = new MessageChannel();
  queue.serve(port1);
  worker.postMessage(port2, [port2]);
  const served = await answered;
  worker.terminate();
  await queue.close();
  return JSON.stringify({ memory, stored, served });
}
