/** What the tests of posthaste/node share: folders of their own, and processes that use them. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

export const bun = fileURLToPath(new URL("../node_modules/bun/bin/bun.exe", import.meta.url));
export const isRoot = process.getuid?.() === 0;

/** A new folder, gone when the tests are. */
export function newFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), "posthaste-file-"));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return path.join(folder, "queues");
}

const running = new Set();
after(() => running.forEach((child) => child.kill("SIGKILL")));

/** A process of the script `name` beside this file. `lines`: what it says; `runtime`: Node unless said otherwise. */
export class Program {
  static start(name, words = [], { runtime = process.execPath, shell, ...options } = {}) {
    const script = fileURLToPath(new URL(name, import.meta.url));
    const command = shell ? ["sh", ["-c", `${shell}; exec "$@"`, "sh", runtime, script, ...words]] : [runtime, [script, ...words]];
    return new Program(spawn(...command, { stdio: ["pipe", "pipe", "inherit"], ...options }));
  }

  constructor(child) {
    this.child = child;
    running.add(child);
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    // Waits for the last of what it said, too.
    this.ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
    void this.ended.then(() => running.delete(child));
    // It may be dead by the time it is told.
    child.stdin.on("error", () => {});
  }

  get pid() {
    return this.child.pid;
  }

  /** The next line; undefined when there are no more. */
  async line() {
    return (await this.lines.next()).value;
  }

  tell(text) {
    this.child.stdin.write(`${text}\n`);
  }

  /** All that is still said, and how it ended. */
  async rest() {
    this.child.stdin.end();
    const lines = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) lines.push(line);
    return { lines, ended: await this.ended };
  }

  kill() {
    this.child.kill("SIGKILL");
  }
}
