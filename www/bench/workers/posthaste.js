// posthaste: a memory queue in the consumer's worker, served at the port; the producer is its client, or (`outward`) the other
// way round. Every message has an id, a lease, attempts and an ack of its own, and the queue's capacity pushes back on the producer.

import { openQueue } from "../../../pkg/dist/index.js";
import { sendInBursts, sendOneByOne } from "./bursts.js";

const QUEUE = "messages";
const CAPACITY = { messages: 20_000, bytes: 64 << 20 };
/** Bursts or batches on the way: about as many messages as the window of those who send one by one, or more. */
const IN_FLIGHT = 4;
const BATCHES_IN_FLIGHT = 8;

export async function producer(
  { port, outward, burst, pool, size, batches, awaitEach, inFlight = batches && size <= 4096 ? BATCHES_IN_FLIGHT : IN_FLIGHT },
) {
  const queue = await (outward ? served(QUEUE, port) : openQueue(QUEUE, { port }));
  const transport = outward ? undefined : () => queue.mode.transport;
  if (awaitEach) return { transport, send: (count, make) => sendOneByOne(count, awaitEach, (number) => queue.send(make(number))) };
  if (!batches) return { transport, send: (count, make) => sendInBursts(count, burst, inFlight, (number) => queue.send(make(number))) };
  return {
    transport,
    send(count, make) {
      const parts = Math.ceil(count / pool);
      return sendInBursts(parts, 1, inFlight, (part) => {
        const first = part * pool;
        const length = Math.min(pool, count - first);
        return queue.sendBatch(Array.from({ length }, (_, place) => ({ body: make(first + place) })));
      });
    },
  };
}

export async function consumer({ port, borrow, outward }, take) {
  const queue = await (outward ? openQueue(QUEUE, { port }) : served(QUEUE, port));
  let before = 0;
  let expected = 0;
  queue.consume(({ messages }) => messages.forEach(({ body }) => take(body)), { maxBatchSize: 1000, borrow });
  return {
    transport: () => queue.mode.transport,
    begin(count) {
      before += expected;
      expected = count;
    },
    /** Every message of this run is acked: the queue says so itself. */
    async settled() {
      for (;;) {
        const { acked, backlogCount } = await queue.metrics();
        if (acked === before + expected && backlogCount === 0) return;
        if (acked > before + expected) throw new Error(`${acked} messages acked, ${before + expected} sent`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
  };
}

/** Round trips go over two queues, each served by who receives from it; `oneHost`: the answerer serves both. */
export async function caller({ port, oneHost }) {
  const [ping, pong] = await Promise.all([openQueue("ping", { port }), oneHost ? openQueue("pong", { port }) : served("pong", port)]);
  let heard;
  pong.consume(({ messages }) => messages.forEach(({ body }) => heard(body)));
  return {
    transport: () => ping.mode.transport,
    trip(body) {
      return new Promise((resolve, reject) => {
        heard = resolve;
        ping.send(body).catch(reject);
      });
    },
  };
}

export async function answerer({ port, oneHost }) {
  const [ping, pong] = await Promise.all([served("ping", port), oneHost ? served("pong", port) : openQueue("pong", { port })]);
  ping.consume(({ messages }) => messages.forEach(({ body }) => void pong.send(body)));
}

async function served(name, port) {
  const queue = await openQueue(name, { storage: "memory", capacity: CAPACITY });
  queue.serve(port);
  return queue;
}
