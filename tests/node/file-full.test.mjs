// Real failures of the disk: no room, no right to write.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { using, waiting } from "./file-folder.mjs";
import { Program, isRoot, newFolder } from "./file-lab.mjs";

/** A folder on a file system of its own, of so many bytes; undefined: this process may not make one. */
function disk(t, bytes) {
  const folder = mkdtempSync(path.join(tmpdir(), "posthaste-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "posthaste", folder], { stdio: "ignore" });
  } catch {
    t.skip("only root can make a small file system");
    rmSync(folder, { recursive: true });
    return undefined;
  }
  t.after(() => {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const quota = (error) => error instanceof DOMException && error.name === "QuotaExceededError";
const text = (n) => String(n).padEnd(10_000, ".");

test("a full disk refuses what is sent, and lets go what is there; when there is room, it goes on", async (t) => {
  const small = disk(t, 2 << 20);
  if (!small) return;
  const folder = path.join(small, "queues");
  const other = path.join(small, "other");
  await using(folder, async (queue) => {
    writeFileSync(other, Buffer.alloc(1 << 20));
    let sent = 0;
    let error;
    for (; !error && sent < 1_000; sent += 1) await queue.send(text(sent)).catch((reason) => (error = reason));
    assert.ok(quota(error), String(error));
    sent -= 1;
    assert.ok(sent > 10, `${sent} messages fit`);
    // Half of them are taken and acked, one by one: each is a write.
    for (let n = 0; n < sent / 2; n += 1) {
      const [message] = await queue.receive();
      assert.equal(message.body, text(n));
      await message.ack();
    }
    await assert.rejects(queue.send(text(-1)), quota);
    // Someone else makes room.
    rmSync(other);
    await queue.send("at last");
    const left = (await queue.peek({ max: 1_000 })).map(({ body }) => body);
    assert.deepEqual(left, [...Array.from({ length: Math.floor(sent / 2) }, (_, n) => text(n + Math.ceil(sent / 2))), "at last"]);
  });
  assert.equal((await waiting(folder)).at(-1), "at last");
});

test("acking all on a full disk makes room by itself", async (t) => {
  const small = disk(t, 48 << 20);
  if (!small) return;
  const folder = path.join(small, "queues");
  await using(folder, async (queue) => {
    for (let round = 0; round < 3; round += 1) {
      let [sent, error] = [0, undefined];
      for (; !error && sent < 10_000; sent += 1) await queue.send(text(sent)).catch((reason) => (error = reason));
      assert.ok(quota(error), `round ${round}: ${error}`);
      assert.ok(sent > 1_000, `round ${round}: ${sent} fit`);
      for (let left = sent - 1; left > 0;) {
        const messages = await queue.receive({ max: 10 });
        assert.ok(messages.length > 0);
        await Promise.all(messages.map((message) => message.ack()));
        left -= messages.length;
      }
    }
  });
  assert.deepEqual(await waiting(folder), []);
});

test("a step that is too much for the file leaves it as it was", { skip: process.platform === "win32" }, async () => {
  const folder = newFolder();
  // The shell's unit is 512 or 1024 bytes.
  const program = Program.start("file-limit.mjs", [folder], { shell: "ulimit -f 1000" });
  const { lines, ended } = await program.rest();
  assert.deepEqual([lines, ended], [["QuotaExceededError", "QuotaExceededError", "small 1, small 2"], 0]);
  assert.deepEqual(await waiting(folder), ["small 1", "small 2", "small 3"]);
});

test("a folder or a file that may not be written is told", { skip: process.platform === "win32" }, async () => {
  const folder = newFolder();
  await using(folder, (queue) => queue.send("mine"));
  // Root may write everything: the program goes on as nobody.
  const { lines, ended } = await Program.start("file-readonly.mjs", [folder, isRoot ? "65534" : ""]).rest();
  assert.deepEqual(lines.map((line) => line.split(":")[0]), ["NotAllowedError", "NotAllowedError", "NotAllowedError", "mine"]);
  assert.ok(lines.slice(0, 3).every((line) => line.includes(folder)), lines.join("\n"));
  assert.equal(ended, 0);
  assert.deepEqual(await waiting(folder), ["mine"]);
});
