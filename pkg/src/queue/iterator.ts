/** One message at a time. Leaving the loop gives back what was taken and not settled. */

import { closedError } from "../contract/errors";
import type { ReceivedMessage } from "../delivery/message";
import type { Source } from "./receive";
import { Stop } from "../schedule/cancellation";
import type { Message } from "../contract/types";

export class MessageIterator<Body> implements AsyncIterator<Message<Body>, undefined> {
  private readonly ended = new Stop();
  /** Handed to the loop and, as far as known, not settled. */
  private taken: ReceivedMessage<Body>[] = [];

  /** `all`: whatever was handed out is worked on until it is settled; else the last, until another is asked for. */
  constructor(private readonly queue: Source<Body>, private readonly all = false) {}

  async next(): Promise<IteratorResult<Message<Body>, undefined>> {
    if (!this.all) this.queue.letGo(this.taken);
    while (!this.ended.come && !this.queue.isClosed) {
      let message: ReceivedMessage<Body> | undefined;
      try {
        [message] = await this.queue.take({
          max: 1,
          leaseMs: this.queue.leaseMs,
          autoExtend: true,
          waitMs: Infinity,
          borrow: false,
          firstWins: false,
          stop: this.ended,
        });
      } catch (error) {
        if (this.ended.come || this.queue.isClosed) break;
        throw error;
      }
      if (this.ended.come) {
        // The loop was left while its bodies were loaded.
        void message?.release();
        break;
      }
      if (!message) continue;
      this.taken = this.taken.filter((known) => known.said === undefined);
      this.taken.push(message);
      this.queue.keep([message]);
      return { done: false, value: message };
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Message<Body>, undefined>> {
    this.ended.now(closedError(this.queue.name));
    await Promise.all(this.taken.filter((known) => known.said === undefined).map((message) => message.release().catch(() => undefined)));
    return { done: true, value: undefined };
  }
}
