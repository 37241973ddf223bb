/** The declarations stand by themselves in Node, without the DOM's. */

import { listQueues, openQueue, type Message } from "posthaste";
import { init } from "posthaste/slim";

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
