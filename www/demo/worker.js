// One worker of the pool: a full peer. It opens the queues by itself, takes files and small jobs under a lease, does the
// work, sends the result on to the queue "thumbnails" and only then acks. Killed anywhere in between, nothing is lost.
import { openQueue } from "/pkg/dist/index.js";
import { develop, hashOf } from "./develop.js";
import { noteAck, noteRun } from "./ledger.js";
import { isOneInTen, openDemoQueue } from "./queues.js";
import { beThere, openWire } from "./wire.js";

const query = new URLSearchParams(location.search);
const me = { tab: query.get("tab"), worker: query.get("name") };
const settings = { slowMs: Number(query.get("slow")), failing: query.get("failing") === "1" };
const wire = openWire();
const tell = (kind, news) => {
  wire.tell({ kind, ...me, ...news });
  postMessage({ kind, ...me, ...news });
};

self.onmessage = ({ data }) => Object.assign(settings, data);
start().catch((error) => tell("broken", { error: String(error) }));

async function start() {
  beThere("worker", me.tab, me.worker);
  const [photos, jobs, thumbnails] = await Promise.all(
    ["photos", "jobs", "thumbnails"].map((name) => openDemoQueue(openQueue, name)),
  );
  const consumers = [
    photos.consume(({ messages: [message] }) => workOn(message, thumbnails), { maxBatchSize: 1 }),
    jobs.consume(workOff, { maxBatchSize: 100 }),
  ];
  tell("up", {});
  await Promise.all(consumers.map((consumer) => consumer.done));
}

async function workOn(message, thumbnails) {
  const file = message.body;
  const about = { id: message.id, name: file.name ?? "unnamed", size: file.size, attempt: message.attempts };
  const begin = performance.now();
  tell("start", about);
  try {
    if (settings.failing && isOneInTen(message.headers.ordinal)) throw new Error("told to fail: one message in ten");
    const developed = await develop(file);
    if (settings.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, settings.slowMs));
    await noteRun(about);
    const result = { ...about, ...me, ...developed, type: file.type, ms: Math.round(performance.now() - begin), at: Date.now() };
    // A second try of the same file carries the same key: the queue keeps one of the two.
    await thumbnails.send(result, { idempotencyKey: message.id });
    await message.ack();
    await noteAck(message.id);
    tell("done", about);
  } catch (error) {
    tell(error.name === "LeaseLostError" ? "late" : "failed", { ...about, error: error.message });
    throw error;
  }
}

async function workOff(batch) {
  tell("startJobs", { count: batch.messages.length });
  let failed = 0;
  await Promise.all(batch.messages.map(async (message) => {
    if (settings.failing && isOneInTen(message.body.ordinal)) {
      failed += 1;
      message.retry();
      return;
    }
    await hashOf(new TextEncoder().encode(`${message.body.text} ${message.body.ordinal}`));
  }));
  tell("doneJobs", { count: batch.messages.length - failed, failed });
}
