/**
 * What a Worker asks of the object that keeps a queue, and what it answers: plain values, over the platform's RPC. The two
 * may run different versions of the package for minutes: names here stay, and an object refuses what is newer than it.
 * Bodies go as bytes (bodies/format.ts), so that the object neither reads nor writes them anew.
 */

import type { QueueOptions } from "../contract/types";

export const VERSION = 2;
/** Bytes of one body. RPC takes 32 MiB in one message, and an object's memory holds several copies of a body. */
export const BODY_MAX = 16 * 2 ** 20;
/** Bytes of all messages that go in one call or answer, as `weight` counts them. */
export const CALL_MAX = 24 * 2 ** 20;

/** What a queue is made with, or must agree with. */
export type Policy = Pick<
  QueueOptions,
  "visibilityTimeout" | "maxRetries" | "retryDelay" | "deadLetterQueue" | "deliveryDelay" | "messageRetention" | "deduplicationWindow"
    | "capacity" | "overflow"
>;

export type Call = { version: number; queue: string; policy: Policy } & Asked;
export type Asked =
  | { kind: "open" }
  | { kind: "send"; sends: Sending[] }
  /** Calls off a send that still waits for room; it is answered as any. */
  | { kind: "unsend"; name: string }
  /** `wait`: seconds that the object may wait for the first message. `name`: for "stop". */
  | { kind: "receive"; max: number; leaseMs: number; wait: number; name: string }
  | { kind: "stop"; name: string }
  | { kind: "settle"; settlements: Settlement[] }
  /** What happened since the last "watch" of that name, within `wait` seconds. */
  | { kind: "watch"; name: string; wait: number }
  | { kind: "metrics" }
  | { kind: "peek"; max: number; state?: string }
  | { kind: "cancel"; number: number; index: number }
  | { kind: "purge" }
  | { kind: "pause"; paused: boolean }
  | { kind: "redrive"; to?: string; max: number; rate: number };

/** Bodies, one behind the other: the platform copies one piece of memory many times faster than many. */
export interface Packed {
  bytes: Uint8Array;
  /** Of each body; -1: it is gone. */
  lengths: number[];
}
/** Messages that are sent each by itself, or all or nothing. */
export interface Sending {
  whole: boolean;
  /** For "unsend". */
  name?: string;
  bodies: Packed;
  /** One for all, or one for each. */
  terms: SentTerms[];
}
export interface SentTerms {
  delayMs: number;
  expiresMs: number;
  key?: string;
  headers?: Record<string, string>;
}
/** What became of messages, in their order: `count` neighbours have their number and index, or were refused. */
export interface Outcome {
  count: number;
  number: number;
  index: number;
  duplicate?: boolean;
  error?: Refusal;
}
/** Neighbouring messages of a lease, and what is said of them (engine/codes.ts). */
export interface Settlement {
  kind: number;
  number: number;
  index: number;
  count: number;
  grant: number;
  arg: number;
  text?: string;
}
export interface Leased {
  number: number;
  index: number;
  count: number;
  grant: number;
  until: number;
  attempts: number;
  sent: number;
  bodies: Packed;
  /** As many as `count`; left out: none has any. */
  headers?: (Record<string, string> | undefined)[];
}

/** What onlookers are told (engine/codes.ts): "depth" has a count, the others messages, and why (`DROPPED`: a cause). */
export interface Happening {
  what: "depth" | "dead" | "dropped";
  count: number;
  number?: number;
  index?: number;
  reason?: string;
  cause?: number;
}

/** `value` or `error`; the backlog as it is then; `now`: the object's clock. */
export interface Answer {
  value?: unknown;
  error?: Refusal;
  backlog: number[];
  now: number;
}
/** Answer to "open". */
export interface Opened {
  policy: number[];
  deadLetterQueue?: string;
  durability: "relaxed" | "strict";
}
/** An error as a value: RPC keeps neither its class nor its properties. */
export interface Refusal {
  name: string;
  message: string;
  outcomeUnknown?: boolean;
}

/** What an object puts into a batch that it calls a handler with, as its `posthaste`. */
export interface Mark {
  version: number;
  /** A stream that nobody writes to: it fails when the request of the handler is over, with all that it waits for. */
  alive: object;
}
/** What a wrapped handler answers then, as its `posthaste`, beside what the platform answers to an event, and `error`. */
export const HANDLED = 1;
