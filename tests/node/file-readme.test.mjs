// The example for Node and Bun in the README, as it is written there.
import assert from "node:assert/strict";
import { readFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { spawn } from "node:child_process";
import { locksOf } from "./file-folder.mjs";
import { Program, bun, newFolder } from "./file-lab.mjs";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const [, example] = /### Node and Bun\n+```js\n([^]*?)```/.exec(readme) ?? [];

for (const [name, runtime] of [["Node", process.execPath], ["Bun", bun]]) {
  test(`the README's example runs in ${name}`, { skip: process.platform === "win32" && "there are no signals" }, async () => {
    assert.ok(example, "README.md has the section");
    assert.ok(example.split("\n").length <= 12, "it is short");
    const folder = newFolder();
    mkdirSync(folder);
    symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), path.join(folder, "node_modules"));
    writeFileSync(path.join(folder, "main.mjs"), example);
    const program = new Program(spawn(runtime, ["main.mjs"], { cwd: folder, stdio: ["pipe", "pipe", "inherit"] }));
    assert.equal(await program.line(), "to ada@example.com: Hello");
    assert.equal(locksOf(path.join(folder, "queues")).length, 1);
    program.child.kill("SIGTERM");
    assert.deepEqual(await program.rest(), { lines: [], ended: 0 });
    assert.deepEqual(locksOf(path.join(folder, "queues")), []);
  });
}
