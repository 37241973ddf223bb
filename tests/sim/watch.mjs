/** Ends the process when a world does not come to its end: code of the package that loops for ever runs nothing else of ours. */

import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { NAMES } from "./worlds.mjs";

/** The longest worlds take some ten seconds, on a slow and busy machine a few times that. */
const LONGEST_MS = 90_000;
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

function watch(shared) {
  let [seen, since] = [0, Date.now()];
  setInterval(() => {
    const begun = Atomics.load(shared, BEGUN);
    if (begun !== seen || shared[WORLD] < 0) [seen, since] = [begun, Date.now()];
    if (Date.now() - since < LONGEST_MS) return;
    const text = `VIOLATION of seed ${shared[SEED]}, world ${NAMES[shared[WORLD]]}: endless at 0 ms: no end in ${LONGEST_MS / 1000} s`;
    fs.writeSync(1, `${text}\n`);
    process.kill(process.pid, "SIGKILL");
  }, LOOK_MS);
}

if (!isMainThread && workerData instanceof Int32Array) watch(workerData);
