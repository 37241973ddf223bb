/** Handing a batch to the `queue` handler of a Worker, by an event of the platform or by a call, and what that says of it. */

import type { ReceivedMessage } from "../delivery/message";
import type { MessageBatch } from "../contract/types";
import { HANDLED, type Mark, type Refusal } from "./rpc";
import type { Service } from "./platform";
import { errorOf } from "./errors";
import { Said, wordsOf, type Result } from "./said";

export interface Readable {
  message: ReceivedMessage<Uint8Array>;
  body: unknown;
}
type Options = { delaySeconds?: number } | undefined;

/** So long the platform lets a queue handler work. */
const WALL_MS = 15 * 60_000;
/** Words travel before the answer and are heard a little after it: so long after the last one there are no more. */
const WORDS_MS = 2000;
/** A request that goes on for so long after its handler has returned waits for something. */
const LATER_MS = 20;

/** What the platform calls on what it gives back. */
const DISPOSE = Reflect.get(Symbol, "dispose") as symbol;
/** `undefined` as V8 writes it: an event's message can't say it otherwise. */
const UNDEFINED = new Uint8Array([0xff, 0x0f, 0x5f]);

/** Could not be handed over at all. */
export class Unsendable extends Error {}

/** Rejects where the handler failed, once what it said is said. */
export async function deliver(service: Service, batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<void> {
  const events = Object.hasOwn(Object.getPrototypeOf(service) as object, "queue");
  const { result, error } = await (events ? byEvent : byCall)(service, batch, readable);
  const wordOn = wordsOf(result);
  for (const { message } of readable) {
    const word = wordOn(message.id);
    if (word?.ack) void message.ack();
    else if (word) void message.retry(word.delaySeconds === undefined ? undefined : { delaySeconds: word.delaySeconds });
  }
  if (result.outcome !== "ok") throw error ?? new Error(`the handler's outcome was ${result.outcome}`);
}

interface Answer {
  result: Result;
  error?: unknown;
}

/** As an event of the platform's: `Fetcher.queue`, where the runtime has it (`service_binding_extra_handlers`; miniflare). */
async function byEvent(service: Service, batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<Answer> {
  const messages = readable.map(({ message: { id, timestamp, attempts }, body }) => ({
    id,
    timestamp,
    attempts,
    ...(body === undefined ? { "serializedBody": UNDEFINED } : { body }),
  }));
  try {
    return {
      result: await (service as { queue(name: string, messages: unknown[], metadata: unknown): Promise<Result> }).queue(batch.queue,
        messages, batch.metadata),
    };
  } catch (error) {
    throw unsendable(error) ?? error;
  }
}

/**
 * As a call of the handler by RPC, which every service binding takes. A handler that is wrapped (`queueHandler`) answers as an
 * event is answered. What any other says of messages comes back as calls; it ends with its request, and whether what it left
 * to `waitUntil` failed, nobody is told.
 */
async function byCall(service: Service, batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<Answer> {
  const said = new Said();
  const words = new Words();
  const { readable: life, writable } = new TransformStream();
  const over = life.getReader().read().then(() => undefined, () => undefined);
  const given = {
    posthaste: { version: 1, alive: writable } satisfies Mark,
    queue: batch.queue,
    metadata: batch.metadata,
    messages: readable.map(({ message: { id, timestamp, attempts, headers }, body }) => ({
      id,
      timestamp,
      attempts,
      headers,
      body,
      ack: words.hear(() => said.ack(id)),
      retry: words.hear((options) => said.retry(id, options)),
    })),
    ackAll: words.hear(() => said.ackAll()),
    retryAll: words.hear((options) => said.retryAll(options)),
  };
  let answer: (Partial<Result> & { posthaste?: number; error?: Refusal }) | undefined;
  let failed: { error: unknown } | undefined;
  let call: Promise<object | undefined>;
  try {
    call = (service as { queue(batch: unknown): Promise<object | undefined> }).queue(given);
  } catch (error) {
    // It was not handed over: nobody has a word to say of it, and no request goes on.
    throw unsendable(error) ?? error;
  }
  try {
    answer = (await call) as typeof answer;
  } catch (error) {
    const unsent = unsendable(error);
    if (unsent) throw unsent;
    failed = { error };
  }
  const wrapped = answer?.posthaste === HANDLED;
  // What else it returns would hold its request.
  if (answer) (Reflect.get(answer, DISPOSE) as (() => void) | undefined)?.call(answer);
  const returned = Date.now();
  // What failed on this side of the call has, for all that is known, no request that could go on.
  await within(over, failed && !remote(failed.error) ? WORDS_MS : WALL_MS);
  if (!wrapped && !failed && Date.now() - returned > LATER_MS) warn(batch.queue);
  await words.over();
  if (!wrapped) return { result: said.result(failed ? "exception" : "ok"), error: failed && explained(failed.error) };
  return { result: answer as Result, error: answer?.error && errorOf(answer.error) };
}

/** Whether it was thrown on the other side of the call. */
function remote(error: unknown): boolean {
  return (error as { remote?: boolean } | null | undefined)?.remote === true;
}

/** What went wrong before anything was delivered: it will the next time. */
function unsendable(error: unknown): Unsendable | undefined {
  const { name, message } = (error ?? {}) as { name?: string; message?: string };
  if (remote(error) || !(name === "DataCloneError" || name === "RangeError" || /limited to \d+ ?MiB/.test(String(message))))
    return undefined;
  return new Unsendable(`it can't be handed to a Worker: ${name}: ${message}`, { cause: error });
}

/** What a handler returns goes back by RPC, if it is not wrapped. */
function explained(error: unknown): unknown {
  const { name, message } = (error ?? {}) as { name?: string; message?: string };
  if (name !== "DataCloneError") return error;
  return Object.assign(
    new Error(`${message} (if that is what the handler returned: let it return nothing, or wrap it in queueHandler)`, { cause: error }),
    { name },
  );
}

const warned = new Set<string>();

function warn(queue: string): void {
  if (warned.has(queue)) return;
  warned.add(queue);
  console.warn(
    `posthaste: the handler of the queue ${
      JSON.stringify(queue)
    } leaves work to ctx.waitUntil. Its batch is held until that has ended, but over RPC nobody is told whether it failed: wrap the handler in queueHandler() of posthaste/cloudflare`,
  );
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

/** Functions that a handler elsewhere may call, and the end of that: when the platform gives them all back. */
class Words {
  private left = 0;
  private heard = 0;
  private resolve: (() => void) | undefined;

  hear(say: (options?: Options) => void): (options?: Options) => void {
    this.left += 1;
    const word = (options?: Options): void => {
      this.heard += 1;
      say(options);
    };
    return Object.assign(word, {
      [DISPOSE]: () => {
        this.left -= 1;
        if (this.left === 0) this.resolve?.();
      },
    });
  }

  /** Resolves when no more will be heard. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      if (this.left === 0) return resolve();
      const look = (before: number): void => {
        setTimeout(() => (this.left > 0 && this.heard > before ? look(this.heard) : resolve()), WORDS_MS);
      };
      look(this.heard);
    });
  }
}
