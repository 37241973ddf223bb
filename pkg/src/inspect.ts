/** Looking into a queue, and moving its dead letters. */

import type { Delivery, Handle } from "./effects";
import { show } from "./errors";
import type { Journal } from "./journal";
import { queueName, refuseLater, whole } from "./options";
import { messageId } from "./send";
import type { MessageInfo, MessageState } from "./types";

const STATES: MessageState[] = ["ready", "delayed", "leased", "dead"];

/** As the engine tells it. */
interface Info {
  number: number;
  index: number;
  chunk: number;
  state: number;
  sent: number;
  attempts: number;
  availableAt: number;
  leasedBy?: number;
  leaseExpiresAt?: number;
  reason?: string;
  lastError?: string;
}

export async function peek<Body>(journal: Journal, handle: Handle, options: { max?: number; state?: MessageState; groupId?: string }): Promise<MessageInfo<Body>[]> {
  refuseLater(options, ["groupId"]);
  const max = whole("max", options.max ?? 10, 1, 10_000);
  const state = options.state === undefined ? -1 : STATES.indexOf(options.state);
  if (options.state !== undefined && state < 0) throw new TypeError(`state must be one of ${STATES.map(show).join(", ")}, not ${show(options.state)}`);
  await journal.fresh();
  const infos = journal.peer.peek(handle.id, max, state, journal.clock.now()) as Info[];
  const places = infos.map(({ number, index, chunk }) => ({ number, index, count: 1, chunk }) as Delivery);
  const loaded = await journal.loader.load(places);
  return infos.flatMap((info, at) => {
    const found = loaded[at];
    return found ? [publicInfo<Body>(info, found.body as Body, found.headers)] : [];
  });
}

function publicInfo<Body>(info: Info, body: Body, headers: Readonly<Record<string, string>> | undefined): MessageInfo<Body> {
  const { number, index, state, sent, attempts, availableAt, leasedBy, leaseExpiresAt, reason, lastError } = info;
  return {
    id: messageId(number, index),
    state: STATES[state],
    timestamp: new Date(sent),
    attempts,
    body,
    headers: { ...headers },
    priority: 0,
    availableAt: new Date(availableAt),
    ...(leasedBy !== undefined && { leasedBy: leasedBy.toString(36) }),
    ...(leaseExpiresAt !== undefined && { leaseExpiresAt: new Date(leaseExpiresAt) }),
    ...(reason !== undefined && { reason }),
    ...(lastError !== undefined && { lastError }),
  };
}

/** Answers how many were moved. With a rate, so many a second, until all are or the queue is closed. */
export async function redrive(journal: Journal, handle: Handle, options: { to?: string; max?: number; ratePerSecond?: number }, closed: AbortSignal): Promise<number> {
  const max = options.max === undefined || options.max === Infinity ? 2 ** 40 : whole("max", options.max, 1, 2 ** 40);
  const rate = options.ratePerSecond === undefined ? Infinity : whole("ratePerSecond", options.ratePerSecond, 1, 1_000_000);
  const name = options.to === undefined ? undefined : queueName(options.to, "to");
  await journal.fresh();
  const to = name === undefined ? -1 : journal.peer.queue(name);
  if (name !== undefined && to < 0) throw new DOMException(`there is no queue ${show(name)} to redrive to`, "NotFoundError");
  let moved = 0;
  while (moved < max) {
    const want = Math.min(max - moved, rate);
    const count = await journal.request((peer, token) => peer.redrive(token, handle.id, to, want));
    moved += count;
    if (count < want || moved >= max) break;
    await new Promise<void>((resolve) => journal.clock.setTimeout(resolve, 1000));
    closed.throwIfAborted();
  }
  return moved;
}
