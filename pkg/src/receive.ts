/** Receiving: one request for messages, from the question to the loaded bodies. */

import type { Asker, Delivery } from "./effects";
import * as effect from "./effects";
import type { Journal } from "./journal";
import type { Handle } from "./effects";
import type { Loaded } from "./loader";

export interface Request {
  max: number;
  /** 0: the queue's. */
  leaseMs: number;
  /** Milliseconds to wait for the first message; Infinity: until the signal. */
  waitMs: number;
  signal?: AbortSignal;
}

export interface Arrival {
  delivery: Delivery;
  index: number;
  loaded: Loaded;
}

/** Messages under a lease, oldest first; empty: none came in time. Rejects with the signal's reason when it aborts. */
export async function receive(journal: Journal, handle: Handle, request: Request, closed: AbortSignal): Promise<Arrival[]> {
  request.signal?.throwIfAborted();
  await handle.ready;
  if (request.waitMs === 0) await journal.fresh();
  const deliveries = await lease(journal, handle, request, closed);
  const loaded = await journal.loader.load(deliveries);
  const arrivals: Arrival[] = [];
  let at = 0;
  for (const delivery of deliveries) {
    for (let place = 0; place < delivery.count; place += 1, at += 1) {
      const index = delivery.index + place;
      const body = loaded[at];
      if (body) arrivals.push({ delivery, index, loaded: body });
      else missing(journal, delivery, index);
    }
  }
  return arrivals;
}

/** A body that is not there any more: its message was settled elsewhere meanwhile, or the storage is damaged. */
function missing(journal: Journal, { number, grant }: Delivery, index: number): void {
  journal.ask({ fail: () => undefined }, (peer, token) => {
    peer.settle(token, effect.DEAD_LETTER, number, index, 1, grant, 0, "its body is missing from the storage");
  });
}

async function lease(journal: Journal, handle: Handle, { max, leaseMs, waitMs, signal }: Request, closed: AbortSignal): Promise<Delivery[]> {
  signal?.throwIfAborted();
  closed.throwIfAborted();
  return new Promise((resolve, reject) => {
    const deliveries: Delivery[] = [];
    let timer: unknown;
    let over = false;
    const end = (): void => {
      over = true;
      if (timer !== undefined) journal.clock.clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      closed.removeEventListener("abort", abort);
    };
    const asker: Asker = {
      delivered(delivery) {
        if (over) giveBack(journal, delivery);
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
    const token = journal.ask(asker, (peer, token) => {
      const now = journal.clock.now();
      peer.receive(token, handle.id, max, leaseMs, waitMs > 0, now);
    });
    const abort = (): void => {
      end();
      deliveries.forEach((delivery) => giveBack(journal, delivery));
      journal.stopWaiting(token);
      reject(signal?.aborted ? signal.reason : closed.reason);
    };
    if (over) return;
    signal?.addEventListener("abort", abort);
    closed.addEventListener("abort", abort);
    if (waitMs > 0 && waitMs < Infinity) {
      timer = journal.clock.setTimeout(() => journal.stopWaiting(token), Math.min(waitMs, 2 ** 31 - 1));
    }
  });
}

/** As if it had never been taken. */
export function giveBack(journal: Journal, { number, index, count, grant }: Delivery): void {
  journal.ask({ fail: () => undefined }, (peer, token) => {
    peer.settle(token, effect.RELEASE, number, index, count, grant, 0, undefined);
  });
}
