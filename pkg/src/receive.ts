/** Receiving: one request for messages, from the question to their bodies. */

import { onAbort } from "./abort";
import type { Backing } from "./backing";
import type { Asker, Delivery } from "./effects";
import * as effect from "./effects";
import { Lease } from "./lease";
import { LentBytes } from "./lent";
import { ReceivedMessage } from "./message";
import type { Stop } from "./stop";

export interface Request {
  max: number;
  /** 0: the queue's. */
  leaseMs: number;
  /** Milliseconds to wait for the first message; Infinity: until the signal. */
  waitMs: number;
  /** Byte bodies may be views of lent memory. */
  borrow: boolean;
  /** In a handler the first word on a message counts. */
  firstWins: boolean;
  /** Ends it as the queue's own end does. */
  stop?: Stop;
  signal?: AbortSignal;
}

/** Messages under a lease, oldest first; empty: none came in time. Rejects with the signal's reason when it aborts. */
export async function receive<Body>(backing: Backing, request: Request, closed: Stop): Promise<ReceivedMessage<Body>[]> {
  request.signal?.throwIfAborted();
  if (backing.handle.ready) await backing.handle.ready;
  if (request.waitMs === 0) await backing.fresh();
  const deliveries = await lease(backing, request, closed);
  if (!deliveries.length) return [];
  const loading = backing.load(deliveries);
  const parts = Array.isArray(loading) ? loading : await loading;
  const messages: ReceivedMessage<Body>[] = [];
  deliveries.forEach((delivery, at) => {
    for (const part of parts[at]) {
      if (!part.parcel) missing(backing, part.number, part.index, part.count, delivery.grant);
      else if (closed.come) leave(part, () => backing.leases.giveBack(backing.handle, { ...delivery, ...part }));
      else leave(part, () => hold(backing, part, delivery, request, closed, messages as ReceivedMessage<unknown>[]));
    }
  });
  closed.throwIfCome();
  return messages;
}

/** Messages under a lease. */
function hold(backing: Backing, part: effect.Part, { grant, until, attempts, sent }: Delivery, { firstWins, borrow }: Request, closed: Stop, messages: ReceivedMessage<unknown>[]): void {
  if (part.parcel instanceof LentBytes) part.parcel.hold(borrow);
  const held = new Lease(backing.leases, backing.handle, part, grant, until, attempts, sent, firstWins, borrow, closed, backing.clock);
  for (let place = 0; place < part.count; place += 1) {
    const message = new ReceivedMessage(held, place);
    held.messages.push(message);
    messages.push(message);
  }
  backing.leases.add(held);
}

/** Does something with a part; then, where nobody else needs them, its bodies may be written over. */
function leave({ parcel, count, leaving }: effect.Part, work: () => void): void {
  work();
  if (leaving && parcel instanceof LentBytes) parcel.gone(count);
}

/** Bodies that are not there any more: their messages were settled elsewhere meanwhile, or the storage is damaged. */
function missing(backing: Backing, number: number, index: number, count: number, grant: number): void {
  void backing.leases.settle(effect.DEAD_LETTER, { queue: backing.handle, number, index, count, grant }, 0, "its body is missing from the storage");
}

async function lease(backing: Backing, { max, leaseMs, waitMs, stop, signal }: Request, closed: Stop): Promise<Delivery[]> {
  signal?.throwIfAborted();
  stop?.throwIfCome();
  closed.throwIfCome();
  const { clock } = backing;
  return new Promise((resolve, reject) => {
    const deliveries: Delivery[] = [];
    let timer: unknown;
    let off: (() => void) | undefined;
    let over = false;
    const end = (): void => {
      over = true;
      if (timer !== undefined) clock.clearTimeout(timer);
      off?.();
      stop?.delete(abort);
      closed.delete(abort);
    };
    const asker: Asker = {
      delivered(delivery) {
        if (over) backing.leases.giveBack(backing.handle, delivery);
        else deliveries.push(delivery);
      },
      received() {
        if (over) return;
        end();
        resolve(deliveries);
      },
      fail(error) {
        end();
        reject(error);
      },
    };
    const token = backing.ask(asker, (commands, token) => {
      commands.receive(token, backing.handle.id, max, leaseMs, waitMs > 0, clock.now());
    });
    const abort = (reason: unknown): void => {
      end();
      deliveries.forEach((delivery) => backing.leases.giveBack(backing.handle, delivery));
      backing.stopWaiting(token);
      reject(reason);
    };
    if (over) return;
    off = signal && onAbort(signal, abort);
    stop?.add(abort);
    closed.add(abort);
    if (waitMs > 0 && waitMs < Infinity) {
      timer = clock.setTimeout(() => backing.stopWaiting(token), Math.min(waitMs, 2 ** 31 - 1));
    }
  });
}
