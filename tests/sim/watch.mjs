/** Ends the process when a world does not come to its end: code of the package that loops for ever runs nothing else of ours. */

import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { NAMES } from "./worlds.mjs";

/** The longest worlds take some ten seconds of the processor, on a slow one a few times that: how busy the machine is does not count. */
const LONGEST_MS = 90_000;
/** A world that waits for something, and so takes no time of the processor. */
const SILENT_MS = 900_000;
const LOOK_MS = 5_000;
/** Words of the shared memory: how many worlds were begun, and of the last the seed and the world. */
const [BEGUN, SEED, WORLD] = [0, 1, 2];

export class Watch {
  #shared = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  #worker = new Worker(fileURLToPath(import.meta.url), { workerData: this.#shared });

  constructor() {
    this.#worker.unref();
  }

  begun(seed, world) {
    this.#shared[SEED] = seed;
    this.#shared[WORLD] = world;
    Atomics.add(this.#shared, BEGUN, 1);
  }

  /** Nothing is watched until the next world begins. */
  off() {
    this.#shared[WORLD] = -1;
    Atomics.add(this.#shared, BEGUN, 1);
  }
}

/** Milliseconds of the processor that this process has used. */
function used() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function watch(shared) {
  let [seen, since, usedThen] = [0, Date.now(), used()];
  setInterval(() => {
    const begun = Atomics.load(shared, BEGUN);
    if (begun !== seen || shared[WORLD] < 0) [seen, since, usedThen] = [begun, Date.now(), used()];
    const [worked, passed] = [used() - usedThen, Date.now() - since];
    if (worked < LONGEST_MS && passed < SILENT_MS) return;
    const took = `${Math.round(worked / 1000)} s of the processor, ${Math.round(passed / 1000)} s in all`;
    const text = `VIOLATION of seed ${shared[SEED]}, world ${NAMES[shared[WORLD]]}: endless at 0 ms: no end in ${took}`;
    fs.writeSync(1, `${text}\n`);
    process.kill(process.pid, "SIGKILL");
  }, LOOK_MS);
}

if (!isMainThread && workerData instanceof Int32Array) watch(workerData);
