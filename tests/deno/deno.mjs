/** Programs in Deno: this starts them, reads what they say, and ends them. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const { resolve } = createRequire(import.meta.url);
const here = fileURLToPath(new URL(".", import.meta.url));
const LIMIT_MS = 60_000;

/** Deno itself: the package's own program is a script around it, which would survive what it started. */
function program() {
  const [system, ending, libc] = { win32: ["win32", ".exe", ""], darwin: ["darwin", "", ""] }[process.platform] ?? ["linux", "", "-glibc"];
  return path.join(path.dirname(resolve(`@deno/${system}-${process.arch}${libc}/package.json`)), `deno${ending}`);
}
export const deno = program();

/** A folder of the test's own, gone with it. */
export function folder(context) {
  const made = mkdtempSync(path.join(tmpdir(), "posthaste-deno-"));
  context.after(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

/** A file for a database. */
export const database = (context) => path.join(folder(context), "queues.db");

/**
 * Starts a program of this folder, or at a path. `lines` are what it has said; `heard(count)` waits for so many; `ended` is its exit code, or
 * the signal that ended it.
 */
export function start(script, words = [], { command = ["run", "--no-prompt", "--allow-all", "--unstable-kv"], environment = {} } = {}) {
  const child = spawn(deno, [...command, "--quiet", path.resolve(here, script), ...words.map(String)], {
    cwd: here,
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { child, lines: [], errors: "", heard, kill: () => child.kill("SIGKILL") };
  let tell = [];
  const limit = setTimeout(() => {
    said.errors += `\n${script} ${words.join(" ")} did not end in ${LIMIT_MS / 1000} s`;
    child.kill("SIGKILL");
  }, LIMIT_MS);
  createInterface({ input: child.stdout }).on("line", (line) => {
    said.lines.push(line);
    for (const one of tell) one();
  });
  child.stderr.on("data", (text) => (said.errors += text));
  said.ended = new Promise((done) =>
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      done(signal ?? code);
      for (const one of tell) one();
    })
  );
  async function heard(count) {
    while (said.lines.length < count && child.exitCode === null && child.signalCode === null) await new Promise((next) => tell.push(next));
    tell = [];
  }
  return said;
}

/** Runs a program to its good end, and answers its lines. */
export async function run(script, words, options) {
  const said = start(script, words, options);
  assert.equal(await said.ended, 0, said.errors || said.lines.join("\n"));
  return said.lines;
}
