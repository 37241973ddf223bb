/** Checks what callers give. Errors show the bad value and say what would do. */

import { DEFAULTS, OVERFLOWS, RETRIES_UNLIMITED } from "../engine/codes";
import { notSupported, show } from "./errors";
import type { Transferable } from "./platform";
import type { Headers, StorageDriver } from "./store";
import type { Backoff, Clock, QueueOptions, SendOptions, StorageOption } from "./types";

const NAME_MAX = 512;
/** What a dead-letter queue's name has more than its queue's, by default: nothing is cut off, so that it is another name. */
const LETTERS = "-dlq";
const KEY_MAX = 256;
/** Half of a character that takes two: nothing that UTF-8 has. */
const HALF = /\p{Cs}/u;
const HEADERS_MAX = 64;
const HEADER_CHARACTERS_MAX = 4096;
/** A hundred years: what is longer is a mistake in the unit. */
const SECONDS_MAX = 3_155_760_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as number),
};

export function object(what: string, value: unknown): void {
  if (value !== undefined && (typeof value !== "object" || value === null)) {
    throw new TypeError(`${what} must be an object, not ${show(value)}`);
  }
}

/** A duration in seconds, as milliseconds. */
export function seconds(what: string, value: unknown, min = 0, max = SECONDS_MAX): number {
  return Math.round(number(what, value, min, max, "seconds") * 1000);
}

export function number(what: string, value: unknown, min: number, max: number, unit = ""): number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number${unit && ` of ${unit}`}, not ${show(value)}`);
  if (!(value >= min && value <= max)) throw new RangeError(`${what} must be between ${min} and ${max}${unit && ` ${unit}`}, not ${value}`);
  return value;
}

export function whole(what: string, value: unknown, min: number, max: number): number {
  const checked = number(what, value, min, max);
  if (!Number.isInteger(checked)) throw new RangeError(`${what} must be a whole number, not ${checked}`);
  return checked;
}

export function flag(what: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== "boolean") throw new TypeError(`${what} must be true or false, not ${show(value)}`);
  return value === true;
}

export function text(what: string, value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`${what} must be a string, not ${show(value)}`);
  return value;
}

export function queueName(value: unknown, what = "a queue's name"): string {
  const name = text(what, value);
  const max = NAME_MAX + (name.endsWith(LETTERS) ? LETTERS.length : 0);
  if (!name || name.length > max) throw new RangeError(`${what} must have 1 to ${max} characters, not ${name.length}: ${show(name)}`);
  if (HALF.test(name)) {
    throw new RangeError(`${what} must be well-formed text: ${show(name)} has half a character`);
  }
  return name;
}

export function clockOption(clock: unknown): void {
  const { now, setTimeout, clearTimeout } = (clock === undefined ? systemClock : clock ?? {}) as Partial<Clock>;
  if ([now, setTimeout, clearTimeout].some((part) => typeof part !== "function")) {
    throw new TypeError(`clock must have now, setTimeout and clearTimeout, not ${show(clock)}`);
  }
}

function schemaOption(schema: unknown): void {
  if (schema === undefined) return;
  const standard = (schema as { "~standard"?: { validate?: unknown } } | null)?.["~standard"];
  if (typeof standard?.validate !== "function")
    throw new TypeError(`schema must be a Standard Schema (zod, valibot, arktype ...), not ${show(schema)}`);
}

export function signalOption(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  if (typeof AbortSignal !== "function" || !(signal instanceof AbortSignal))
    throw new TypeError(`signal must be an AbortSignal, not ${show(signal)}`);
  return signal;
}

export type CheckedStorage = "memory" | "indexeddb" | StorageDriver;

export function storageOption(value: StorageOption | undefined): CheckedStorage {
  if (value === undefined || value === "memory") return "memory";
  if (value === "indexeddb" || (typeof value === "object" && typeof value?.open === "function")) return value;
  if (value === "opfs") throw notSupported(`storage ${show(value)}`);
  throw new TypeError(`storage must be "memory", "indexeddb" or a driver, not ${show(value)}`);
}

/** The policy a queue is opened with: its numbers in the engine's order, and which of them the caller named. */
export interface PolicyOptions {
  numbers: Float64Array;
  given: boolean[];
  deadLetterQueue: string | undefined;
  givenDeadLetterQueue: boolean;
}

const OVERFLOW_AT = 11;

/** As the caller would write it. */
export function policyValue(at: number, value: number): string {
  if (at === OVERFLOW_AT) return show(OVERFLOWS[value]);
  if (value === Infinity || (at === 1 && value === RETRIES_UNLIMITED)) return "none";
  return String([0, 2, 4, 6, 7, 8].includes(at) ? value / 1000 : value);
}

function policyOptions(name: string, options: QueueOptions): PolicyOptions {
  const given: (number | undefined)[] = new Array(DEFAULTS.length).fill(undefined);
  const { visibilityTimeout, maxRetries, retryDelay, deliveryDelay, messageRetention, deduplicationWindow, capacity, overflow } = options;
  if (visibilityTimeout !== undefined) given[0] = seconds("visibilityTimeout", visibilityTimeout, 0.001);
  if (maxRetries !== undefined) given[1] = maxRetries === Infinity ? RETRIES_UNLIMITED : whole("maxRetries", maxRetries, 0, 1_000_000);
  if (retryDelay !== undefined) backoff(retryDelay, given);
  if (deliveryDelay !== undefined) given[6] = seconds("deliveryDelay", deliveryDelay);
  if (messageRetention !== undefined)
    given[7] = messageRetention === Infinity
      ? Infinity
      : seconds("messageRetention", messageRetention, 0.001);
  if (deduplicationWindow !== undefined) given[8] = seconds("deduplicationWindow", deduplicationWindow);
  object("capacity", capacity);
  if (capacity?.messages !== undefined)
    given[9] = capacity.messages === Infinity
      ? Infinity
      : whole("capacity.messages", capacity.messages, 1, 2 ** 52);
  if (capacity?.bytes !== undefined)
    given[10] = capacity.bytes === Infinity
      ? Infinity
      : whole("capacity.bytes", capacity.bytes, 1, 2 ** 52);
  if (overflow !== undefined) {
    given[OVERFLOW_AT] = OVERFLOWS.indexOf(overflow);
    if (given[OVERFLOW_AT] < 0) throw new TypeError(`overflow must be one of ${OVERFLOWS.map(show).join(", ")}, not ${show(overflow)}`);
  }
  const keeper = name.endsWith(LETTERS) && options.deadLetterQueue === undefined;
  const defaults = keeper ? DEFAULTS.with(1, RETRIES_UNLIMITED) : DEFAULTS;
  return {
    numbers: Float64Array.from(given, (value, at) => value ?? defaults[at]),
    given: given.map((value) => value !== undefined),
    deadLetterQueue: keeper ? undefined : deadLetterQueue(name, options.deadLetterQueue),
    givenDeadLetterQueue: options.deadLetterQueue !== undefined,
  };
}

function deadLetterQueue(name: string, given: unknown): string | undefined {
  if (given === false) return undefined;
  if (given === undefined) return name + LETTERS;
  if (given === true) throw new TypeError("deadLetterQueue must be a name, or false for none, not true");
  const checked = queueName(given, "deadLetterQueue");
  if (checked === name) throw new RangeError(`deadLetterQueue must be another queue than ${show(name)} itself`);
  return checked;
}

function backoff(given: number | Backoff, into: (number | undefined)[]): void {
  if (typeof given === "number") {
    const ms = seconds("retryDelay", given);
    [into[2], into[3], into[4], into[5]] = [ms, 1, ms, 0];
    return;
  }
  object("retryDelay", given);
  into[2] = seconds("retryDelay.base", given.base);
  into[3] = given.factor === undefined ? 2 : number("retryDelay.factor", given.factor, 1, 1000);
  into[4] = given.max === undefined ? 300_000 : seconds("retryDelay.max", given.max);
  into[5] = given.jitter === undefined ? 0.3 : number("retryDelay.jitter", given.jitter, 0, 1);
}

/** Options of later versions, refused by name rather than ignored. */
export function refuseLater(options: object, names: string[]): void {
  for (const name of names) {
    if ((options as Record<string, unknown>)[name] !== undefined) throw notSupported(`the option ${name}`);
  }
}

/** Number and index of a message, as its id names them. */
export function messageIdOption(id: unknown): [number: number, index: number] {
  const [, number, index] = /^(\d{1,14})-(\d{1,7})$/.exec(text("id", id)) ?? [];
  if (number === undefined) throw new TypeError(`id must be the id of a message, as send resolves with, not ${show(id)}`);
  return [Number(number), Number(index)];
}

/** What the messages of one command have in common. */
export interface Terms {
  /** -1: the queue's. */
  delayMs: number;
  /** 0: as the queue's retention says. */
  expiresMs: number;
  key: string | undefined;
}

export interface Sending extends Terms {
  headers: Headers | undefined;
  transfer: Transferable[] | undefined;
}

export function sendOptions(options: SendOptions): Sending {
  refuseLater(options, options.priority === 0 ? ["groupId"] : ["groupId", "priority"]);
  const { delaySeconds, expirationSeconds, idempotencyKey, headers, transfer } = options;
  if (idempotencyKey !== undefined) {
    const key = text("idempotencyKey", idempotencyKey);
    if (!key || key.length > KEY_MAX)
      throw new RangeError(`idempotencyKey must have 1 to ${KEY_MAX} characters, not ${key.length}: ${show(key)}`);
  }
  if (transfer !== undefined && !Array.isArray(transfer)) throw new TypeError(`transfer must be an array, not ${show(transfer)}`);
  return {
    delayMs: delaySeconds === undefined ? -1 : seconds("delaySeconds", delaySeconds),
    expiresMs: expirationSeconds === undefined ? 0 : seconds("expirationSeconds", expirationSeconds, 0.001),
    key: idempotencyKey,
    headers: headers === undefined ? undefined : checkedHeaders(headers),
    transfer: transfer?.length ? transfer : undefined,
  };
}

export function checkedHeaders(headers: Record<string, string>): Headers | undefined {
  object("headers", headers);
  // Headers or a Map would have no names here, and be lost.
  if (Symbol.iterator in headers)
    throw new TypeError(`headers must be a plain object of strings, not ${show(headers)}: Object.fromEntries makes one`);
  const names = Object.keys(headers);
  if (names.length > HEADERS_MAX) throw new RangeError(`a message may have ${HEADERS_MAX} headers, not ${names.length}`);
  const checked: Record<string, string> = {};
  let size = 0;
  for (const name of names) {
    const value = text(`header ${show(name)}`, headers[name]);
    if (name === "__proto__") throw new RangeError(`a header can't have the name ${show(name)}`);
    size += name.length + value.length;
    checked[name] = value;
  }
  if (size > HEADER_CHARACTERS_MAX) throw new RangeError(`headers may have ${HEADER_CHARACTERS_MAX} characters in all, not ${size}`);
  return names.length ? Object.freeze(checked) : undefined;
}

/** What every way of opening a queue checks first. */
export function openingOptions<Body>(
  name: string,
  options: QueueOptions<Body>,
): { storage: CheckedStorage; policy: PolicyOptions; signal: AbortSignal | undefined } {
  queueName(name);
  object("options", options);
  refuseLater(options, ["encryptionKey"]);
  const storage = storageOption(options.storage);
  const policy = policyOptions(name, options);
  const signal = signalOption(options.signal);
  clockOption(options.clock);
  schemaOption(options.schema);
  if (options.durability !== undefined && options.durability !== "relaxed" && options.durability !== "strict") {
    throw new TypeError(`durability must be "relaxed" or "strict", not ${show(options.durability)}`);
  }
  signal?.throwIfAborted();
  return { storage, policy, signal };
}
