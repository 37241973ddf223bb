/** The declarations stand by themselves in Node, without the DOM's. */

import { listQueues, openQueue, type Message } from "posthaste";
import { bufferedSender, type BufferedSender, type UndeliveredError } from "posthaste/edge";
import { fileStorage, type FileUrl } from "posthaste/node";
import { init } from "posthaste/slim";
import { cloudflareQueues, faulty, faultyDelivery, memoryStorage, queueCases, serializerCases, serializers, storeCases, virtualClock, virtualTime, type CloudflareBatch, type CloudflareQueues } from "posthaste/testing";

const queue = await openQueue<{ item: string }>("orders", { visibilityTimeout: 5 });
await queue.send({ item: "tea" }, { headers: { trace: "1" } });
const [message]: Message<{ item: string }>[] = await queue.receive({ wait: 1, signal: AbortSignal.timeout(100) });
await message?.ack();
queue.addEventListener("drop", (event) => event.detail.cause === "expired");
const names: string[] = (await listQueues()).map(({ name }) => name);
const { oldestMessageTimestamp, dropped } = await queue.metrics();
const since: [Date | undefined, number, string[]] = [oldestMessageTimestamp, dropped.purged, names];
await init(new Uint8Array());
void since;
await queue.close();

const folder: FileUrl = new URL("file:///queues");
const kept = await openQueue("orders", { storage: fileStorage(folder), durability: "strict" });
await kept.close();
fileStorage("./queues");
// @ts-expect-error it is no path
fileStorage(3);

const clock = virtualClock();
const double: CloudflareQueues = cloudflareQueues({ production: true, clock, faults: { crash: (messages, count) => messages.length > 1 && count === 1 } });
double.consume("orders", async (batch: CloudflareBatch<{ item: string }>) => batch.messages.forEach((each) => each.ack()), { maxRetries: 1 });
await double.producer<{ item: string }>("orders").send({ item: "tea" }, { delaySeconds: 1 });
await clock.advance(1000);
const driver = faulty(memoryStorage(), ({ operation, count }) => (operation === "append" && count === 2 ? "crash" : undefined), clock);
for (const { run } of serializerCases) for (const { write, read } of serializers) await run({ write: (bodies) => write(bodies), read });
for (const { run } of storeCases) await run(async () => driver);
for (const { run } of queueCases) await run((name, options) => openQueue(name, { ...options, storage: driver }), virtualTime(clock));
queue.consume(faultyDelivery((batch) => batch.ackAll(), { duplicate: ({ attempts }) => attempts === 1, reorder: () => true }));

const sender: BufferedSender<{ item: string }> = bufferedSender(queue, { maxBatchSize: 10, waitUntil: (promise) => void promise, onUndelivered: ({ messages }) => messages[0]?.body.item });
await sender.send({ item: "tea" }, { ctx: { waitUntil: () => undefined }, signal: AbortSignal.timeout(100) });
// @ts-expect-error it is no such body
await sender.send({ item: 5 });
await bufferedSender({ url: new URL("https://example.com/"), format: "ndjson", fetch }).sendBatch([{ body: 1 }]);
const undelivered: readonly string[] = await sender.close().then(() => [], (error: UndeliveredError<{ item: string }>) => error.messages.map(({ body }) => body.item));
void undelivered;
