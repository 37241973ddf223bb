/** WHATWG streams over a queue. Backpressure is the queue's capacity on the way in, and the reader's pull on the way out. */

import type { Message, Queue } from "../contract/types";

export function writer<Body>(queue: Queue<Body>): WritableStream<Body> {
  return new WritableStream<Body>({
    async write(body) {
      await queue.send(body);
    },
    close: () => queue.flush(),
  }, { highWaterMark: 1 });
}

/** Ends with the queue; cancelling gives back what was read and not settled. */
export function messageStream<Body>(messages: AsyncIterator<Message<Body>>): ReadableStream<Message<Body>> {
  return new ReadableStream<Message<Body>>({
    async pull(controller) {
      const { done, value } = await messages.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await messages.return?.();
    },
  }, { highWaterMark: 0 });
}
