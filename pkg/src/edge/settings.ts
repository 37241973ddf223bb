/** The options of a sender, checked. Durations in milliseconds. */

import { show } from "../contract/errors";
import { clockOption, number, object, seconds, systemClock, whole } from "../contract/options";
import type { Clock } from "../contract/types";
import type { BufferedSenderOptions, Lifetime, UndeliveredReport } from "./types";

export interface Settings {
  size: number;
  fillMs: number;
  batchBytes: number;
  bytes: number;
  waits: boolean;
  retries: number;
  retry: { baseMs: number; factor: number; maxMs: number; jitter: number };
  tryMs: number;
  /** What a batch waits in all because its target asks for it. */
  restMs: number;
  lifetime: Lifetime | undefined;
  report: ((error: UndeliveredReport<never>) => unknown) | undefined;
  clock: Clock;
}

const OVERFLOW = ["wait", "reject"];
const BYTES_MAX = 2 ** 40;

export function settings(options: BufferedSenderOptions<never>): Settings {
  object("options", options);
  const { overflow = "wait", waitUntil, onUndelivered, clock = systemClock } = options;
  if (!OVERFLOW.includes(overflow)) throw new TypeError(`overflow must be one of ${OVERFLOW.map(show).join(", ")}, not ${show(overflow)}`);
  for (const [name, value] of Object.entries({ waitUntil, onUndelivered })) {
    if (value !== undefined && typeof value !== "function") throw new TypeError(`${name} must be a function, not ${show(value)}`);
  }
  clockOption(clock);
  return {
    size: whole("maxBatchSize", options.maxBatchSize ?? 100, 1, 10_000),
    fillMs: seconds("maxBatchTimeout", options.maxBatchTimeout ?? 1, 0, 3600),
    batchBytes: whole("maxBatchBytes", options.maxBatchBytes ?? 256_000, 1, BYTES_MAX),
    bytes: whole("maxBytes", options.maxBytes ?? 4_000_000, 1, BYTES_MAX),
    waits: overflow === "wait",
    retries: whole("maxRetries", options.maxRetries ?? 3, 0, 100),
    retry: backoff(options.retryDelay),
    tryMs: seconds("timeout", options.timeout ?? 5, 0.001, 3600),
    restMs: seconds("maxRetryAfter", options.maxRetryAfter ?? 20, 0, 86_400),
    lifetime: waitUntil ? { waitUntil } : lifetimeOption(options.ctx),
    report: onUndelivered as Settings["report"],
    clock,
  };
}

export function lifetimeOption(ctx: Lifetime | undefined): Lifetime | undefined {
  if (ctx !== undefined && typeof ctx?.waitUntil !== "function") throw new TypeError(`ctx must have waitUntil, not ${show(ctx)}`);
  return ctx;
}

function backoff(given: BufferedSenderOptions["retryDelay"] = { base: 0.2, factor: 2, max: 5, jitter: 0.3 }): Settings["retry"] {
  if (typeof given === "number") {
    const ms = seconds("retryDelay", given);
    return { baseMs: ms, factor: 1, maxMs: ms, jitter: 0 };
  }
  object("retryDelay", given);
  return {
    baseMs: seconds("retryDelay.base", given.base),
    factor: number("retryDelay.factor", given.factor ?? 2, 1, 1000),
    maxMs: seconds("retryDelay.max", given.max ?? 5),
    jitter: number("retryDelay.jitter", given.jitter ?? 0.3, 0, 1),
  };
}
