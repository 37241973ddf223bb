/** Environments that mimic a browser and lack some of it: a queue in memory works there, or the error says what is missing. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { entry } from "./posthaste.mjs";

/** What a program prints that removes something from its globals, then sends and receives. */
async function without(removal) {
  const program = `
    ${removal};
    const told = await import(${JSON.stringify(entry)}).then(async ({ openQueue }) => {
      const queue = await openQueue("q");
      await queue.sendBatch([{ body: { text: "a", list: [1, 2n], at: new Date(5) } }, { body: new Uint8Array([1, 2]) }]);
      const seen = [];
      const consumer = queue.consume(({ messages }) => void seen.push(...messages.map(({ body }) => body)));
      while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve));
      await consumer.stop();
      await queue.close();
      return "works " + seen[0].text + seen[1].length;
    }).catch((error) => error.name + ": " + error.message);
    console.log(told);
    process.exit();
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--no-warnings", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  for await (const chunk of child.stdout) said += chunk;
  return said.trim();
}

const UNNEEDED = ["delete Blob.prototype.stream",
  ...["Blob", "structuredClone", "ErrorEvent", "CustomEvent", "MessageChannel", "BroadcastChannel", "navigator", "fetch", "indexedDB",
    "setImmediate"].map((name) => `delete globalThis.${name}`)];
const NEEDED = ["DecompressionStream", "Response", "TextDecoder", "WebAssembly"];

test("a queue in memory works where what it does not need is missing", async () => {
  assert.deepEqual(await Promise.all(UNNEEDED.map(without)), UNNEEDED.map(() => "works a2"));
});

test("an error says what is missing where it is needed", async () => {
  for (const name of NEEDED) assert.match(await without(`delete globalThis.${name}`), new RegExp(`Error: .*${name}`), name);
});

test("errors of another realm are told by their name and message", async () => {
  const says = await without(`
    const { runInNewContext } = await import("node:vm");
    const { openQueue } = await import(${JSON.stringify(entry)});
    const queue = await openQueue("foreign", { maxRetries: 0 });
    queue.addEventListener("error", ({ message }) => console.log("heard " + message));
    const dead = new Promise((resolve) => queue.addEventListener("deadletter", resolve));
    queue.consume(() => { throw runInNewContext("new RangeError('from elsewhere')"); });
    await queue.send(1);
    await dead;
    const [{ lastError }] = await (await openQueue("foreign-dlq")).peek();
    console.log(lastError)`);
  assert.deepEqual(says.split("\n"), ["heard from elsewhere", "RangeError: from elsewhere", "works a2"]);
});
