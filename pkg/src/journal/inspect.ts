/** Looking into a queue, and moving its dead letters. */

import { METRICS, PEEK, REDRIVE, STATES } from "../engine/codes";
import type { Delivery, Handle } from "../engine/effects";
import { platformError, show } from "../contract/errors";
import type { Journal } from "./journal";
import { messageId } from "./sends";
import type { Stop } from "../schedule/cancellation";
import type { MessageInfo, MessageState, QueueMetrics } from "../contract/types";

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

/** The metrics as the engine knows them; undefined when the queue is gone. */
export async function metrics(journal: Journal, handle: Handle): Promise<QueueMetrics | undefined> {
  const found = journal.peer.show(METRICS, handle.id, journal.now());
  if (!found) return undefined;
  const { oldestMessageTimestamp: oldest, ...rest } = found as Omit<QueueMetrics, "oldestMessageTimestamp"> & {
    oldestMessageTimestamp?: number;
  };
  const storageBytes = await journal.usage();
  return {
    ...rest,
    ...(oldest !== undefined && { oldestMessageTimestamp: new Date(oldest) }),
    ...(storageBytes !== undefined && { storageBytes }),
  };
}

export async function peek(journal: Journal, handle: Handle, max: number, state: MessageState | undefined): Promise<MessageInfo[]> {
  const infos = journal.peer.show(PEEK, handle.id, journal.now(), max, state === undefined ? -1 : STATES.indexOf(state)) as Info[];
  const places = infos.map(({ number, index, chunk }) => ({ number, index, count: 1, chunk }) as Delivery);
  const parts = await journal.bodies(places);
  return infos.flatMap((info, at) => {
    const { parcel, offset, headers } = parts[at][0];
    return parcel ? [publicInfo(info, parcel.body(offset, false), headers?.[offset])] : [];
  });
}

function publicInfo(info: Info, body: unknown, headers: Readonly<Record<string, string>> | undefined): MessageInfo {
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

/** Answers how many were moved. With a rate, so many a second, until all are or the queue is closed. `fresh`: the queue is there, as it is now. */
export async function redrive(
  journal: Journal,
  handle: Handle,
  name: string | undefined,
  max: number,
  rate: number,
  closed: Stop,
  fresh: () => Promise<void>,
): Promise<number> {
  let moved = 0;
  while (moved < max) {
    // Queues come and go while it waits.
    const to = name === undefined ? -1 : journal.peer.queue(name);
    if (name !== undefined && to < 0) throw platformError("NotFoundError", `there is no queue ${show(name)} to redrive to`);
    const want = Math.min(max - moved, rate);
    const count = await journal.request((peer, token) => peer.command(REDRIVE, token, handle.id, to, want), handle);
    moved += count;
    if (count < want || moved >= max) break;
    await new Promise<void>((resolve) => journal.clock.setTimeout(resolve, 1000));
    closed.throwIfCome();
    await fresh();
  }
  return moved;
}
