/** A folder with queues in it, and the bytes of its journal. Runs in Bun as in Node. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";

export const journalOf = (folder) => path.join(folder, "journal");
export const bytesOf = (folder) => readFileSync(journalOf(folder));
export const locksOf = (folder) => (existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("lock.")) : []);

/** Puts these bytes in the place of the journal; nobody has it open. */
export function put(folder, bytes) {
  assert.deepEqual(locksOf(folder), []);
  writeFileSync(journalOf(folder), bytes);
}

/** Opens the queue, gives it to `work`, and closes it. */
export async function using(folder, work, options = {}) {
  const queue = await openQueue("q", { storage: fileStorage(folder), ...options });
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

/** The bodies of all that is in the queue. */
export const waiting = (folder) => using(folder, async (queue) => (await queue.peek({ max: 1000 })).map(({ body }) => body));

/** The error that comes; its name and a part of its text are checked. */
export async function fails(promise, name, part = "") {
  const error = await Promise.resolve(promise).then(() => undefined, (reason) => reason);
  assert.ok(error, `${name} was expected, nothing failed`);
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  assert.ok(error.message.includes(part), `the message does not show ${part}: ${error.message}`);
  return error;
}

/** Bytes of the frame at that place of a journal, without what fills it up: as the head of layout.ts has it. */
const lengthAt = (bytes, at) => 40 + bytes.readUInt32LE(at + 4) + bytes.readDoubleLE(at + 8);

/** Where each frame of a journal begins, and where the last one ends. */
export function framesOf(bytes) {
  const begins = [32];
  for (let at = 32; at < bytes.length; begins.push(at)) at += Math.ceil(lengthAt(bytes, at) / 8) * 8;
  return begins;
}

/** As a process leaves it that dies: without the mark that closing puts at the end. */
export const unmarked = (bytes) => bytes.subarray(0, framesOf(bytes).at(-2));

/** Whether the byte only fills a frame up. */
export function isFilling(bytes, place) {
  const frame = framesOf(bytes).findLast((begin) => begin <= place && begin < bytes.length);
  return frame !== undefined && place >= frame + lengthAt(bytes, frame);
}
