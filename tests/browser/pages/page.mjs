/** The test page: the package and the checks as globals, and workers that have the same. */
import * as posthaste from "posthaste";
import * as check from "./check.mjs";
import * as raw from "./raw.mjs";

Object.assign(globalThis, posthaste, check, raw);

const workers = new Map();

globalThis.startWorker = async (name) => {
  const worker = new Worker("/worker.mjs", { type: "module", name });
  workers.set(name, { worker, asked: 0 });
  await check.bounded(new Promise((resolve) => worker.addEventListener("message", resolve, { once: true })), `worker ${name} starts`);
};

globalThis.workerNamed = (name) => workers.get(name).worker;

globalThis.askWorker = (name, code, argument, transfer = []) => {
  const entry = workers.get(name);
  const id = ++entry.asked;
  return new Promise((resolve, reject) => {
    const hear = ({ data }) => {
      if (data.id !== id) return;
      entry.worker.removeEventListener("message", hear);
      if (data.failure) reject(new Error(`${data.failure} (in worker ${name})`));
      else resolve(data.value);
    };
    entry.worker.addEventListener("message", hear);
    entry.worker.postMessage({ id, code: String(code), argument }, transfer);
  });
};

globalThis.terminateWorker = (name) => workers.get(name).worker.terminate();

globalThis.ready = true;
