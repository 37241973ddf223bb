/** Receiving: one request for messages, from the question to their bodies. */

import { after } from "../schedule/alarm";
import type { Backing } from "../journal/backend";
import type { Asker, Delivery, Part } from "../engine/effects";
import { DEAD_LETTER, EXTEND } from "../engine/codes";
import { CorruptionError, publicError } from "../contract/errors";
import { Lease, type ReceivedMessage, type Receiver } from "../delivery/message";
import { messageId } from "../journal/sends";
import { stopOf, unless, type Stop } from "../schedule/cancellation";
import type { BacklogMetrics } from "../contract/types";

/** A dead letter without a body is out of the way for so long. */
const DAMAGED_MS = 3_600_000;
/** What could not be read just now is out of the way for so long, and never longer than its lease. */
const UNREAD_MS = 1000;

export interface Request extends Receiver {
  max: number;
  /** 0: the queue's. */
  leaseMs: number;
  /** Leases are extended for its receiver, so they may be as long as late timers ask for. */
  autoExtend?: boolean;
  /** Milliseconds to wait for the first message; Infinity: until the signal. */
  waitMs: number;
  /** Ends it as the queue's own end does. */
  stop?: Stop;
  signal?: AbortSignal;
}

/** A queue as whoever receives from it again and again needs it. */
export interface Source<Body> {
  readonly name: string;
  readonly backing: Backing;
  /** How long to ask for: 0, as the queue's policy says, while timers are on time. */
  readonly leaseMs: number;
  readonly isClosed: boolean;
  /** It will never give a message again. */
  readonly isOver: boolean;
  backlog(): { metrics: BacklogMetrics };
  /** As `receive` of a queue; ends when the queue is closed. */
  take(request: Request): Promise<ReceivedMessage<Body>[]>;
  /** Extends the leases of these until all is said of them, or they are let go. */
  keep(messages: readonly ReceivedMessage<Body>[]): void;
  letGo(messages: readonly ReceivedMessage<Body>[]): void;
  /** An "error" event: what went wrong and has no promise to reject. With `unheard`, the console says so where nobody listens. */
  report(error: unknown, unheard?: string): void;
}

/** Messages under a lease, oldest first; empty: none came in time. Rejects with the signal's reason when it aborts. */
export async function receive<Body>(backing: Backing, request: Request, closed: Stop): Promise<ReceivedMessage<Body>[]> {
  const { signal, stop, leaseMs } = request;
  const stops = [signal && stopOf(signal), stop, closed].filter((one) => one !== undefined);
  for (let { waitMs } = request;;) {
    const began = backing.clock.now();
    signal?.throwIfAborted();
    // A storage that is silent keeps nobody waiting who does not want to any more.
    if (waitMs === 0 || backing.handle.ready) await unless(stops, ready(backing, waitMs === 0));
    const deliveries = await lease(backing, request, waitMs, stops);
    if (!deliveries.length) return [];
    let messages: ReceivedMessage<Body>[];
    try {
      messages = held(backing, request, deliveries, await load(backing, deliveries, closed), closed);
    } finally {
      for (const delivery of deliveries) backing.leases.came(delivery);
    }
    // Some may have been lost before their bodies were here.
    const sound = messages.every(({ isHeld }) => isHeld) && !lapsed(backing, messages);
    const still = sound ? messages : await stillHeld(backing, messages, leaseMs);
    if (still.length || waitMs === 0) return still;
    // Others had taken what came: it waits on.
    waitMs = Math.max(0, waitMs - Math.max(0, backing.clock.now() - began));
  }
}

/** What was leased, as messages. Throws where it has no bodies, and there is nothing else. */
function held<Body>(backing: Backing, receiver: Receiver, deliveries: Delivery[], parts: Part[][], closed: Stop): ReceivedMessage<Body>[] {
  const messages: ReceivedMessage<Body>[] = [];
  let failed: unknown;
  deliveries.forEach((delivery, at) => {
    for (const part of parts[at]) {
      if (!part.parcel) failed ??= unreadable(backing, part, delivery.grant);
      else {
        const lease = new Lease<Body>(backing.leases, backing.handle, part, delivery, receiver, closed);
        for (const message of lease.messages) messages.push(message);
        leave(part);
      }
    }
  });
  if (failed !== undefined && !messages.length) throw failed;
  if (failed !== undefined) { for (const onlooker of backing.handle.onlookers) onlooker.error(failed); }
  return messages;
}

/** Leases of these messages that have run out, as far as is known here; undefined: none. */
function lapsed(backing: Backing, messages: readonly ReceivedMessage<unknown>[]): Set<Lease> | undefined {
  const now = backing.leases.now();
  const over = messages.filter((message) => message.isHeld && message.until <= now);
  return over.length ? leasesOf(over) : undefined;
}

/** The leases under which these messages are. */
export const leasesOf = (messages: readonly ReceivedMessage<unknown>[]): Set<Lease> => new Set(messages.map(({ lease }) => lease));

/**
 * Those of these messages that are still their receiver's. What has lapsed others may have taken, and a context that was kept from
 * running does not know it: before anyone is handed it, it is extended, and lost where that does not stand.
 */
export async function stillHeld<Message extends ReceivedMessage<unknown>>(
  backing: Backing,
  messages: Message[],
  leaseMs = 0,
): Promise<Message[]> {
  // A storage may take longer than a lease is.
  for (let ms = leaseMs || backing.visibilityMs, over; (over = lapsed(backing, messages)); ms *= 2) {
    await Promise.all(Array.from(over, (lease) => lease.extend(ms)));
  }
  return messages.filter(({ isHeld }) => isHeld);
}

/** The queue is there; `fresh`: as the storage has it by now. */
async function ready(backing: Backing, fresh: boolean): Promise<void> {
  if (fresh) await backing.fresh();
  while (backing.handle.ready) await backing.handle.ready;
}

/** The bodies of what was leased. When they can't be had, or the queue is closed meanwhile, it goes back as if it had not been taken. */
async function load(backing: Backing, deliveries: Delivery[], closed: Stop): Promise<Part[][]> {
  const loading = backing.load(deliveries);
  if (Array.isArray(loading) && !closed.come) return loading;
  const { handle, leases, leases: { life } } = backing;
  const giveBack = (): void => deliveries.forEach((delivery) => leases.giveBack(handle, delivery, life));
  // At once: when they are loaded, there may be no journal any more to say it to.
  if (closed.come) giveBack();
  else closed.add(giveBack);
  try {
    const parts = await loading;
    if (!closed.come) return parts;
    parts.flat().forEach(leave);
  } catch (error) {
    if (!closed.come) giveBack();
    throw error;
  } finally {
    closed.delete(giveBack);
  }
  throw closed.reason;
}

/** A lease has what it needs of a part: where nobody else needs them, its bodies may be written over. */
function leave({ parcel, count, leaving }: Part): void {
  if (leaving) parcel?.gone?.(count);
}

/** Whether the bodies of a part without them are not there, or damaged, and never will be. */
export const isDamage = ({ error }: Part): boolean => error === undefined || (error as Error).name === "CorruptionError";

/**
 * Bodies that the journal has and the storage does not give. Those that are not there, or damaged, never will be: their messages are
 * dead-lettered; a dead letter stays, and is looked at again after a while. Others go back as if they had not been taken, a little
 * later: what is behind them may be read. Answers with the error of those, which nobody has been told of, if they are such.
 */
export function unreadable(backing: Backing, part: Part, grant: number): unknown {
  const { number, index, count, error } = part;
  const { handle, leases, leases: { life } } = backing;
  const range = { queue: handle, number, index, count, grant };
  if (!isDamage(part)) {
    after(backing.clock, Math.min(UNREAD_MS, backing.visibilityMs / 2), () => leases.giveBack(handle, range, life));
    return publicError(error);
  }
  if (handle.deadLetterQueue === undefined) void leases.settle(EXTEND, range, DAMAGED_MS);
  else void leases.settle(DEAD_LETTER, range, 0, "its body is missing from the storage");
  const what = `the body of message ${messageId(number, index)}${count > 1 ? ` and the next ${count - 1}` : ""}`;
  const told = new CorruptionError(`${what} is missing from the storage, or damaged there`, { cause: error });
  for (const onlooker of handle.onlookers) onlooker.error(told);
  return undefined;
}

async function lease(backing: Backing, { max, leaseMs, signal }: Request, waitMs: number, stops: Stop[]): Promise<Delivery[]> {
  signal?.throwIfAborted();
  for (const stop of stops) stop.throwIfCome();
  const { clock, handle, leases } = backing;
  return new Promise((resolve, reject) => {
    const deliveries: Delivery[] = [];
    let callOff: (() => void) | undefined;
    let over = false;
    const end = (): void => {
      over = true;
      callOff?.();
      for (const stop of stops) stop.delete(abort);
    };
    const asker: Asker = {
      delivered(delivery) {
        if (over) return leases.giveBack(handle, delivery);
        deliveries.push(delivery);
        leases.coming.add(delivery);
      },
      received() {
        if (over) return;
        end();
        resolve(deliveries);
      },
      fail(error) {
        end();
        deliveries.forEach((delivery) => leases.came(delivery));
        reject(error);
      },
    };
    const abort = (reason: unknown): void => {
      end();
      for (const delivery of deliveries) {
        leases.giveBack(handle, delivery);
        leases.came(delivery);
      }
      backing.stopWaiting(token);
      reject(reason);
    };
    // It may be answered at once.
    const token = backing.ask(asker, (commands, token) => {
      commands.receive(token, handle.id, max, leaseMs, waitMs > 0, clock.now());
    });
    if (over) return;
    for (const stop of stops) stop.add(abort);
    if (waitMs > 0) callOff = after(clock, waitMs, () => backing.stopWaiting(token));
  });
}
