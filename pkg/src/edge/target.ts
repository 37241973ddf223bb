/** Where batches go: a queue, or an address. Each says how it takes a batch, and what its failures mean. */

import { copiedBytes, copy } from "../bodies/clone";
import { encode } from "../contract/body";
import { show } from "../contract/errors";
import { object, text } from "../contract/options";
import { orAborted, refusalOf, said } from "./answer";
import { Refusal } from "./errors";
import type { BatchTarget, BufferedMessage, FetchAnswer, FetchTarget, SendTarget } from "./types";

/** A message as it is kept until it is handed over. `json`: as a fetch target gets it. */
export interface Kept {
  message: BufferedMessage;
  json: string;
  bytes: number;
}

export interface Target {
  /** A copy of the message, which its sender can't change any more, and its size. */
  keep(message: BufferedMessage): Kept;
  /** Hands a batch over; rejects with a `Refusal`. */
  take(batch: Kept[], key: string, signal: AbortSignal, now: () => number): Promise<void>;
}

const utf8 = new TextEncoder();
/** What is wrong with a message of the batch: the others may do. */
const MESSAGE = ["MessageTooLargeError", "DataCloneError", "NotSupportedError"];
/** Errors that say it of a message where their text does: of this package's queues, and of Cloudflare's. Any other is a network's or a program's. */
const MAYBE = ["TypeError", "RangeError"];
const OF_MESSAGE = /^message \d|^a batch may have|message body|content type|delaySeconds|the schema/i;
/** What is wrong with the queue is wrong with it the next time. */
const FINAL = ["NotFoundError", "InvalidStateError", "CorruptionError", "VersionError"];
/** As Cloudflare says it, by an error without a name of its own. */
const TOO_LARGE = /too large|exceeds/i;

class Batches implements Target {
  constructor(private readonly target: BatchTarget) {}

  keep({ body, ...rest }: BufferedMessage): Kept {
    const own = copy(encode(body, rest));
    return { message: { body: own, ...rest }, json: "", bytes: copiedBytes() };
  }

  async take(batch: Kept[], _key: string, signal: AbortSignal): Promise<void> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Refusal(signal.reason, true, true)), { once: true });
    });
    try {
      await Promise.race([this.target.sendBatch(batch.map(({ message }) => message)), aborted]);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      const { name = "", message, outcomeUnknown } = (error ?? {}) as { name?: string; message?: string; outcomeUnknown?: boolean };
      const says = String(message);
      const split = MESSAGE.includes(name) || TOO_LARGE.test(says) || (MAYBE.includes(name) && OF_MESSAGE.test(says));
      throw new Refusal(error, !split && !FINAL.includes(name), outcomeUnknown === true, split);
    }
  }
}

class Address implements Target {
  private readonly url: string;
  private readonly ndjson: boolean;

  constructor(private readonly target: FetchTarget) {
    this.url = address(target.url);
    object("headers", target.headers);
    for (const [name, value] of Object.entries(target.headers ?? {})) text(`header ${show(name)}`, value);
    const { format = "json", fetch } = target;
    if (format !== "json" && format !== "ndjson") throw new TypeError(`format must be "json" or "ndjson", not ${show(format)}`);
    if (fetch !== undefined && typeof fetch !== "function") throw new TypeError(`fetch must be a function, not ${show(fetch)}`);
    this.ndjson = format === "ndjson";
  }

  keep(message: BufferedMessage): Kept {
    const { body, contentType } = message;
    if (contentType === "bytes" || contentType === "v8")
      throw new TypeError(`a message that is posted is JSON: it can't have contentType ${show(contentType)}`);
    if (contentType !== undefined) encode(body, message);
    if (ArrayBuffer.isView(body) || ["ArrayBuffer", "Map", "Set", "Blob"].includes(Object.prototype.toString.call(body).slice(8, -1))) {
      throw new TypeError(
        `a message that is posted is JSON, which can't say ${Object.prototype.toString.call(body)}: send what it is made of`,
      );
    }
    let json: string;
    try {
      if (JSON.stringify(body) === undefined) throw new TypeError("it says nothing");
      json = JSON.stringify(message);
    } catch (error) {
      throw new TypeError(`a message that is posted is JSON, which can't say ${show(body)}: ${(error as Error).message}`, { cause: error });
    }
    return { message: JSON.parse(json) as BufferedMessage, json, bytes: utf8.encode(json).length };
  }

  async take(batch: Kept[], key: string, signal: AbortSignal, now: () => number): Promise<void> {
    const lines = batch.map(({ json }) => json);
    const body = this.ndjson ? lines.map((line) => `${line}\n`).join("") : `{"id":${JSON.stringify(key)},"messages":[${lines.join(",")}]}`;
    const type = this.ndjson ? "application/x-ndjson" : "application/json";
    const headers = { ...this.target.headers, "Content-Type": type, "Idempotency-Key": key };
    const send = this.target.fetch ?? ((url, init) => fetch(url, init));
    let sent: Promise<FetchAnswer> | undefined;
    try {
      sent = Promise.resolve(send(this.url, { method: "POST", headers, body, signal, redirect: "manual" }));
      const answer = await orAborted(sent, signal);
      const refusal = refusalOf(this.url, answer, await said(answer, signal), now);
      if (refusal) throw refusal;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      // What comes too late is not read.
      sent?.then(({ body }) => body?.cancel()).catch(() => undefined);
      // No answer says nothing of what became of the question.
      throw new Refusal(error, true, true);
    }
  }
}

function address(value: unknown): string {
  let url: URL;
  try {
    url = new URL(String(value));
  } catch (error) {
    throw new TypeError(`a target's url must be a whole address, not ${show(value)}`, { cause: error });
  }
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new TypeError(`a target's url must begin with https: or http:, not ${show(url.href)}`);
  return url.href;
}

export function targetOption(target: SendTarget<never>): Target {
  if (typeof target === "string" || target instanceof URL) return new Address({ url: target });
  if (typeof target === "object" && target !== null) {
    // A binding of a platform may be a proxy that has everything.
    if (typeof (target as BatchTarget).sendBatch === "function") return new Batches(target as BatchTarget);
    if ("url" in target) return new Address(target as FetchTarget);
  }
  throw new TypeError(`a target is a queue, an address or { url }, not ${show(target)}`);
}
