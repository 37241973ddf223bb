/** The consumer of one of Cloudflare's queues: batches for an exported `queue(batch, env, ctx)` handler, and what becomes of them. */

import type { Troubles } from "../delivery";
import type { CloudflareBatch, CloudflareHandler, CloudflareMessage, CloudflareOutcome, VirtualClock } from "../types";
import type { Backlog, Waiting } from "./backlog";
import { delay, WALL_MS } from "./limits";

export interface Settings {
  env: unknown;
  maxBatchSize: number;
  maxBatchTimeout: number;
  maxRetries: number;
  retryDelay: number;
  deadLetters: Backlog | undefined;
  maxConcurrency: number;
}

/** What was said of a message, or of the batch. */
type Word = { ack: true } | { ack: false; delaySeconds: number | undefined };

/**
 * What one call of a handler said, by the rules of workerd: the first word on a message counts, and the first on the batch; a
 * word on a message beats one on the batch. After a word on the batch one on a message says nothing, except that a retry may
 * name another delay after `retryAll`. Of several retries the last names the delay; `retryAll` without one leaves it.
 */
class Words {
  private batch: Word | undefined;
  private readonly own = new Map<Waiting, Word>();

  ack(message: Waiting): void {
    if (!this.batch && !this.own.has(message)) this.own.set(message, { ack: true });
  }

  retry(message: Waiting, delaySeconds: number | undefined): void {
    if (!this.batch?.ack && !this.own.get(message)?.ack) this.own.set(message, { ack: false, delaySeconds });
  }

  all(word: Word): void {
    if (!this.batch) this.batch = word;
    else if (!this.batch.ack && !word.ack && word.delaySeconds !== undefined) this.batch = word;
  }

  on(message: Waiting): Word | undefined {
    const { batch } = this;
    const own = this.own.get(message);
    // A retry that names no delay is delayed as the batch is.
    if (own && !own.ack && own.delaySeconds === undefined && batch && !batch.ack) return batch;
    return own ?? batch;
  }
}

/** Who keeps account. */
export interface Account {
  troubles: Troubles | undefined;
  /** 15 minutes are all that a handler has. */
  limited: boolean;
  ended(queue: string, message: Waiting, outcome: CloudflareOutcome["outcome"]): void;
  failed(error: unknown): void;
}

export class Consumer {
  private running = 0;
  private timer: unknown;

  constructor(
    private readonly backlog: Backlog,
    private readonly worker: CloudflareHandler,
    private readonly settings: Settings,
    private readonly clock: VirtualClock,
    private readonly account: Account,
  ) {
    backlog.came = () => this.look();
  }

  get busy(): boolean {
    return this.running > 0 || this.backlog.waiting.length > 0;
  }

  /** Delivers what is to be delivered now, and sets the timer for the rest. */
  look(): void {
    const { backlog, clock, settings } = this;
    if (this.timer !== undefined) clock.clearTimeout(this.timer);
    this.timer = undefined;
    backlog.expire();
    while (this.running < settings.maxConcurrency) {
      const ready = backlog.waiting.filter(({ due }) => due <= clock.now());
      const since = Math.min(...ready.map(({ due }) => due)) + settings.maxBatchTimeout * 1000;
      if (!ready.length || (ready.length < settings.maxBatchSize && since > clock.now())) return this.wake(ready.length ? since : Infinity);
      this.deliver(ready.slice(0, settings.maxBatchSize));
    }
  }

  private wake(since: number): void {
    const later = this.backlog.waiting.map(({ due }) => due).filter((due) => due > this.clock.now());
    const at = Math.min(since, ...later);
    if (at < Infinity) this.timer = this.clock.setTimeout(() => this.look(), at - this.clock.now());
  }

  private deliver(messages: Waiting[]): void {
    const { waiting, out } = this.backlog;
    for (const message of messages) {
      waiting.splice(waiting.indexOf(message), 1);
      out.add(message);
      message.attempts += 1;
    }
    this.running += 1;
    void this.handle(messages).catch((error: unknown) => this.account.failed(error)).finally(() => {
      this.running -= 1;
      this.look();
    });
  }

  private async handle(messages: Waiting[]): Promise<void> {
    const own = messages.map(({ id, attempts, content }) => ({ id, attempts, body: content.read() }));
    const trouble = this.account.troubles?.for(own);
    const order = trouble ? trouble.order.map((at) => messages[at]) : messages;
    const words = new Words();
    const failed = await this.call(order, words);
    const rest: Word = failed ? { ack: false, delaySeconds: undefined } : { ack: true };
    const dead = messages.filter((message) =>
      this.settle(message, trouble?.crash ? { ack: false, delaySeconds: undefined } : words.on(message) ?? rest)
    );
    const { deadLetters } = this.settings;
    deadLetters?.put(dead.map((message) => ({ ...message, attempts: 0, due: this.clock.now() + deadLetters.deliveryDelay * 1000 })));
    const again = trouble && !trouble.crash ? trouble.again.map((at) => messages[at]) : [];
    if (again.length) await this.call(again, new Words());
  }

  /** One invocation of the handler; whether it failed. */
  private async call(messages: Waiting[], words: Words): Promise<boolean> {
    const batch: CloudflareBatch = {
      queue: this.backlog.name,
      messages: messages.map((message) => shown(message, words)),
      metadata: { metrics: this.backlog.metrics() },
      ackAll: () => words.all({ ack: true }),
      retryAll: (options) => words.all({ ack: false, delaySeconds: delay(options?.delaySeconds) }),
    };
    const extra: unknown[] = [];
    const ctx = { waitUntil: (promise: unknown) => extra.push(heeded(promise)), passThroughOnException: () => undefined, props: {} };
    let timer: unknown;
    try {
      const { worker, settings } = this;
      const handling = (async () =>
        typeof worker === "function" ? worker(batch, settings.env, ctx) : worker.queue!(batch, settings.env, ctx))();
      const done = allOf(handling, extra);
      const late = new Promise<never>((_, reject) => {
        if (this.account.limited)
          timer = this.clock.setTimeout(() => reject(new Error(`the handler took more than ${WALL_MS / 60_000} minutes`)), WALL_MS);
      });
      await Promise.race([done, late]);
      return false;
    } catch (error) {
      this.account.failed(error);
      return true;
    } finally {
      if (timer !== undefined) this.clock.clearTimeout(timer);
    }
  }

  /** Whether it is one for the dead letters now. */
  private settle(message: Waiting, word: Word): boolean {
    const { backlog, settings, account, clock } = this;
    backlog.out.delete(message);
    if (word.ack) {
      account.ended(backlog.name, message, "acked");
      return false;
    }
    if (message.attempts <= settings.maxRetries) {
      account.ended(backlog.name, message, "retried");
      backlog.waiting.push(Object.assign(message, { due: clock.now() + (word.delaySeconds ?? settings.retryDelay) * 1000 }));
      return false;
    }
    account.ended(backlog.name, message, settings.deadLetters ? "dead-lettered" : "deleted");
    return true;
  }
}

/** It may reject before it is waited for. */
function heeded(promise: unknown): unknown {
  Promise.resolve(promise).catch(() => undefined);
  return promise;
}

/** Until the handler and all it waits for are over: what is waited for may wait for more, and says things though another has failed. */
async function allOf(handling: unknown, extra: unknown[]): Promise<void> {
  let failed: { error: unknown } | undefined;
  extra.unshift(handling);
  for (let at = 0; at < extra.length; at += 1) {
    try {
      await extra[at];
    } catch (error) {
      failed ??= { error };
    }
  }
  if (failed) throw failed.error;
}

function shown(message: Waiting, words: Words): CloudflareMessage {
  const { id, timestamp, content, attempts } = message;
  return {
    id,
    timestamp: new Date(timestamp),
    body: content.read(),
    attempts,
    ack: () => words.ack(message),
    retry: (options) => words.retry(message, delay(options?.delaySeconds)),
  };
}
