// The producer: puts files and small jobs into their queues, each as a send of its own. The queue makes few commits of
// many sends; nothing here batches by hand.
import { noteSent, reserveOrdinals } from "./ledger.js";

const SAMPLES = [
  "astronaut",
  "chelsea-the-cat",
  "coffee",
  "falcon-9",
  "raccoon",
  "summer-palace",
  "grace-hopper",
  "hubble-extreme-deep-field",
  "retina",
  "cameraman",
  "ascent",
  "coins-from-pompeii",
];
const TOGETHER = 200; // files at a time, so that a folder of thousands does not sit in memory whole
const LARGEST = 256 * 2 ** 20; // bytes; hashing reads a file whole

/** The photos of the demo as Files, `rounds` times over under names of their own. */
export async function samplePhotos(rounds = 1) {
  const photos = await Promise.all(SAMPLES.map(async (name) => {
    const response = await fetch(new URL(`../photos/${name}.jpg`, import.meta.url));
    if (!response.ok) throw new Error(`the photo ${name}.jpg could not be loaded: status ${response.status}`);
    return { name, blob: await response.blob() };
  }));
  const files = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, blob } of photos) {
      files.push(new File([blob], rounds === 1 ? `${name}.jpg` : `${name}-${round}.jpg`, { type: "image/jpeg" }));
    }
  }
  return files;
}

/** Sends each file as a message. Resolves with `{ sent, refused: [{ name, why }], ms }` when all are durable. */
export async function sendFiles(photos, files) {
  const outcome = { sent: 0, refused: [], ms: 0 };
  const begin = performance.now();
  for (let at = 0; at < files.length; at += TOGETHER) {
    await sendSome(photos, files.slice(at, at + TOGETHER), outcome);
  }
  outcome.ms = performance.now() - begin;
  return outcome;
}

async function sendSome(photos, files, outcome) {
  const first = await reserveOrdinals("photos", files.length);
  const sent = [];
  await Promise.all(files.map(async (file, index) => {
    try {
      await mustBeReadable(file);
      const { id } = await photos.send(file, { headers: { ordinal: String(first + index) } });
      sent.push({ id, name: file.name, size: file.size });
    } catch (error) {
      outcome.refused.push({ name: file.name, why: error.message });
    }
  }));
  outcome.sent += sent.length;
  await noteSent(sent);
}

/** A folder that was dropped looks like a file until one reads it. */
async function mustBeReadable(file) {
  if (file.size > LARGEST) throw new RangeError(`it is larger than ${LARGEST / 2 ** 20} MB`);
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new TypeError("it cannot be read, perhaps it is a folder");
  }
}

/** Makes `count` send calls at once, with no batch. Resolves with the time until every one of them is durable. */
export async function sendBurst(jobs, count) {
  const first = await reserveOrdinals("jobs", count);
  const begin = performance.now();
  const sends = [];
  for (let index = 0; index < count; index += 1) {
    sends.push(jobs.send({ ordinal: first + index, text: "in haste, post haste, for life" }));
  }
  await Promise.all(sends);
  return { sent: count, ms: performance.now() - begin };
}
