/** WHATWG streams over a queue. Backpressure is the queue's capacity on the way in, and the reader's pull on the way out. */

import type { Message, Queue } from "./types";

export function writer<Body>(queue: Queue<Body>): WritableStream<Body> {
  return new WritableStream<Body>({
    async write(body) {
      await queue.send(body);
    },
    close: () => queue.flush(),
  }, { highWaterMark: 1 });
}

/** Ends when it is cancelled; a message read is the reader's to settle. */
export function messageStream<Body>(queue: Queue<Body>): ReadableStream<Message<Body>> {
  const cancelled = new AbortController();
  return new ReadableStream<Message<Body>>({
    async pull(controller) {
      const { signal } = cancelled;
      const [message] = await queue.receive({ wait: Infinity, signal });
      if (message) controller.enqueue(message);
    },
    cancel: () => cancelled.abort(),
  }, { highWaterMark: 0 });
}
