/** One world after another, with the package of one folder. */

import { account } from "./account.mjs";
import { generate } from "./generate.mjs";
import { Lab } from "./lab.mjs";
import { parse } from "./script.mjs";
import { loadPackage } from "./world/package.mjs";
import { GLOBALS } from "./world/world.mjs";

export class Simulation {
  #unhandled = [];

  /** `ignored`: kinds of violations that are let pass. */
  constructor(folder, ignored = []) {
    this.ignored = new Set(ignored);
    this.package = loadPackage(folder, GLOBALS);
    process.on("unhandledRejection", (error) => this.#unhandled.push(error));
    process.on("uncaughtException", (error) => this.#unhandled.push(error));
  }

  seed(seed, world, length, trace) {
    return this.run(generate(seed, world, length), trace);
  }

  script(text, trace) {
    return this.run(parse(text), trace);
  }

  /** Answers with what was wrong, if anything, and the sum of the log of events. */
  async run(script, trace) {
    const lab = new Lab(script, this.package);
    lab.trace = trace;
    lab.model.ignored = this.ignored;
    this.#unhandled.length = 0;
    await new Promise((resolve) => {
      setImmediate(() => {
        try {
          if (lab.play()) account(lab);
        } catch (error) {
          lab.model.fail("thrown", error?.stack ?? String(error));
        }
        resolve();
      });
    });
    // Node tells of rejections that nobody handles after the task.
    await new Promise((resolve) => setImmediate(resolve));
    for (const error of this.#unhandled) lab.model.fail("unhandled", `${error?.stack ?? error}`);
    const { model: { failure }, operations, hash, coverage } = lab;
    return { failure, operations, hash, coverage, virtual: lab.scheduler.now };
  }
}
