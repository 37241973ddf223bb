/** What is killed by `kill -9`: the one process that has a folder, in Node; or one of three in Deno on one database. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deno } from "../deno/deno.mjs";

const script = fileURLToPath(new URL("process.mjs", import.meta.url));
const kinds = {
  file: { processes: 1, command: [process.execPath] },
  deno: { processes: 3, command: [deno, "run", "--no-prompt", "--allow-all", "--unstable-kv", "--quiet"] },
};

export class ProcessesHome {
  #running = [];
  #names = 0;

  constructor(kind, ledger, random) {
    Object.assign(this, { kind, ledger, random, ...kinds[kind] });
  }

  async start() {
    this.folder = mkdtempSync(path.join(tmpdir(), "posthaste-kills-"));
    for (let at = 0; at < this.processes; at += 1) this.#running.push(await this.#begin());
  }

  async stop() {
    for (const child of this.#running) await this.#end(child);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #begin() {
    const context = `process${this.#names++}`;
    const [program, ...words] = this.command;
    const child = spawn(program, [...words, script, this.kind, path.join(this.folder, "queues"), this.ledger.url, context], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.context = context;
    await this.ledger.until(() => this.ledger.opened.has(context), `${context} to open its queue`);
    return child;
  }

  #end(child) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    return child.exitCode === null && child.signalCode === null ? ended : undefined;
  }

  async kill() {
    const at = this.random(this.#running.length);
    const child = this.#running[at];
    const held = this.ledger.dies([child.context]);
    const from = performance.now();
    await this.#end(child);
    this.#running[at] = await this.#begin();
    // Where nobody else has the folder, nobody goes on before the next one has it.
    return { what: "a process killed", held, from: this.processes > 1 ? from : performance.now() };
  }
}
