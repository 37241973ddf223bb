/** Faults between a queue and its handler: messages twice, in another order, or lost between take and ack. */

import type { Message, MessageBatch, QueueHandler } from "../contract/types";
import { text } from "./check";
import type { DeliveryFaults } from "./types";

/** What the plan has for one batch. */
interface Trouble {
  /** Places of the messages in the order in which the handler is to get them. */
  order: number[];
  crash: boolean;
  /** Places of those that are delivered once more. */
  again: number[];
}

/** Asks a plan, and counts for it. */
export class Troubles {
  private batches = 0;
  private messages = 0;

  constructor(private readonly faults: DeliveryFaults) {
    if (typeof faults !== "object" || faults === null)
      throw new TypeError(`faults must be an object with duplicate, reorder or crash, not ${text(faults)}`);
    for (const name of ["duplicate", "reorder", "crash"] as const) {
      if (faults[name] !== undefined && typeof faults[name] !== "function")
        throw new TypeError(`${name} must be a function, not ${text(faults[name])}`);
    }
  }

  for(messages: readonly { readonly id: string; readonly body: unknown; readonly attempts: number }[]): Trouble {
    this.batches += 1;
    const places = messages.map((_, at) => at);
    const asked = this.faults.reorder?.(messages, this.batches) ?? false;
    const order = asked === true ? places.slice().reverse() : asked === false ? places : [...asked];
    if (order.length !== places.length || new Set(order).size !== order.length || order.some((at) => !(at in places))) {
      throw new RangeError(`reorder must answer each of ${messages.length} places once, not ${text(asked)}`);
    }
    const crash = this.faults.crash?.(messages, this.batches) ?? false;
    const again = places.filter((at) => this.faults.duplicate?.(messages[at], this.messages += 1) ?? false);
    return { order, crash, again };
  }
}

const nothing = async (): Promise<void> => undefined;

/** The same message, whose receiver can say what it will. */
function muted<Body>(message: Message<Body>): Message<Body> {
  const { id, timestamp, body, attempts, headers, groupId, priority, signal } = message;
  return {
    id,
    timestamp,
    body,
    attempts,
    headers,
    groupId,
    priority,
    signal,
    ack: nothing,
    retry: nothing,
    deadLetter: nothing,
    extend: nothing,
    reply: nothing,
    ackIn: () => undefined,
  };
}

function part<Body>(
  { queue, metadata }: MessageBatch<Body>,
  messages: Message<Body>[],
  said: Pick<MessageBatch<Body>, "ackAll" | "retryAll">,
): MessageBatch<Body> {
  return { queue, metadata, messages, ...said };
}

const UNHEARD = { ackAll: () => undefined, retryAll: () => undefined };

/**
 * `handler` for `queue.consume`, with faults between the queue and it: what it must do right where messages come at least
 * once. A message delivered twice has the same body object both times.
 */
export function faultyDelivery<Body>(handler: QueueHandler<Body>, faults: DeliveryFaults): QueueHandler<Body> {
  if (typeof handler !== "function") throw new TypeError(`a handler must be a function, not ${text(handler)}`);
  const troubles = new Troubles(faults);
  return async (batch) => {
    const { order, crash, again } = troubles.for(batch.messages);
    const messages = order.map((at) => batch.messages[at]);
    if (crash) {
      await Promise.resolve(handler(part(batch, messages.map(muted), UNHEARD))).catch(nothing);
      batch.retryAll();
      return;
    }
    await handler(part(batch, messages, { ackAll: () => batch.ackAll(), retryAll: (options) => batch.retryAll(options) }));
    if (again.length) await Promise.resolve(handler(part(batch, again.map((at) => muted(batch.messages[at])), UNHEARD))).catch(nothing);
  };
}
