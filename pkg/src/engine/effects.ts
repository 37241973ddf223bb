/** The rows in which the engine tells what took effect, and who is told. */

import { DELIVERED, DONE, DUPLICATE, LOST, RECEIVED, REFUSED, SENT } from "./codes";
import type { ACK, DEAD_LETTER, EXTEND, RELEASE, RETRY } from "./codes";
import type { Filling, Form, Parcel } from "../bodies/pack";
import type { HeadersByIndex } from "../contract/store";
import type { Span } from "../delivery/spans";

/** A way to settle. */
export type Settle = typeof ACK | typeof RETRY | typeof DEAD_LETTER | typeof EXTEND | typeof RELEASE;

/** Messages leased together. */
export interface Delivery extends Span {
  until: number;
  attempts: number;
  sent: number;
  chunk: number;
  /** Of these the lease was lost while they were on the way to their receiver. */
  lost?: Span[];
}

/** Messages of a delivery whose bodies lie in one parcel; without one, there are none, or they can't be read. */
export interface Part {
  number: number;
  index: number;
  count: number;
  parcel: Parcel | undefined;
  /** Why they can't be read; without it they are not there. */
  error?: unknown;
  /** The first one's place in the parcel. */
  offset: number;
  /** By place in the parcel. */
  headers: HeadersByIndex | undefined;
  /** Nobody but who gets this part needs these bodies any more. */
  leaving?: boolean;
}

/** Who asked for something: told what became of it, by token. */
export interface Asker {
  sent?(number: number, index: number, count: number): void;
  refused?(why: number, count: number): void;
  duplicate?(number: number, index: number): void;
  delivered?(delivery: Delivery): void;
  received?(): void;
  lost?(number: number, index: number, count: number): void;
  done?(value: number): void;
  /** A host answered with a value. */
  value?(value: unknown): void;
  /** The journal can't go on, or is closed. */
  fail(error: unknown): void;
}

/** Who looks on at a queue. */
export interface Onlooker {
  /** It has received, or waits to. */
  readonly consuming: boolean;
  /** Someone listens to its events. */
  readonly listening: boolean;
  dead(number: number, index: number, count: number, reason: string): void;
  dropped(number: number, index: number, count: number, cause: number): void;
  depth(backlog: number): void;
  gone(): void;
  /** Leases that clients may hold are over. */
  leaseLost?(number: number, index: number, count: number, grant: number): void;
  /** All of them are, at once: what their numbers mean from now on is others'. */
  leasesGone?(): void;
  storage(state: "ok" | "degraded" | "lost", error?: unknown): void;
  error(error: unknown): void;
}

/** A queue opened in this context; shared by everyone who opened it. */
export interface Handle {
  readonly name: string;
  /** The queue's number in the journal; -1 while it is made anew. */
  id: number;
  policy: number[] | Float64Array;
  /** Bodies of bytes are kept packed: no store will ask for them as values. */
  readonly packs: boolean;
  /** A parcel for bytes, in memory that is there already; undefined: none now. */
  readonly parcel?: (form: Form, length: number) => Filling | undefined;
  deadLetterQueue: string | undefined;
  readonly onlookers: Set<Onlooker>;
  /** Set while the queue is made anew. */
  ready: Promise<void> | undefined;
}

/** Whether a row ends its command. */
export function isLast(kind: number): boolean {
  return kind === RECEIVED || kind === DONE;
}

/** Tells an asker its row. */
export function tellAsker(asker: Asker, rows: readonly number[], at: number): void {
  const [a, b, c] = [rows[at + 2], rows[at + 3], rows[at + 4]];
  switch (rows[at]) {
    case SENT:
      return asker.sent?.(a, b, c);
    case REFUSED:
      return asker.refused?.(a, b);
    case DUPLICATE:
      return asker.duplicate?.(a, b);
    case DELIVERED:
      return asker.delivered?.(delivery(rows, at));
    case LOST:
      return asker.lost?.(a, b, c);
    case RECEIVED:
      return asker.received?.();
    default:
      return asker.done?.(a);
  }
}

function delivery(rows: readonly number[], at: number): Delivery {
  return {
    number: rows[at + 2],
    index: rows[at + 3],
    count: rows[at + 4],
    grant: rows[at + 5],
    until: rows[at + 6],
    attempts: rows[at + 7],
    sent: rows[at + 8],
    chunk: rows[at + 9],
  };
}
