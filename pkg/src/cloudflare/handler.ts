/** The Worker's side of a batch that an object pushes: what the platform does around a queue event, around a call. */

import { show } from "../contract/errors";
import { HANDLED, type Mark } from "./rpc";
import { refusalOf } from "./errors";
import { Said } from "./said";

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}
interface Given {
  posthaste?: Mark;
  queue: string;
  metadata: unknown;
  messages: { id: string }[];
}

/**
 * A `queue` handler as it is meant: what it hands to `ctx.waitUntil` belongs to the batch when an object pushes it, as it does
 * when Cloudflare Queues does. The batch is over when all of that is; where some of it fails, so has the batch; and what is
 * said of messages meanwhile counts. (A call by RPC, which is what an object has, tells nobody of that by itself.)
 * Cloudflare's own batches are handed through.
 */
export function queueHandler<Handler extends (batch: any, env: any, ctx: any) => unknown>(handler: Handler): Handler {
  if (typeof handler !== "function") throw new TypeError(`a queue handler must be a function, not ${show(handler)}`);
  const handling = function(this: { ctx?: Context } | undefined, batch: Given, env: unknown, ctx: Context | undefined): unknown {
    if (!batch.posthaste) return handler.call(this, batch, env, ctx);
    // Of a class that extends WorkerEntrypoint it is a method.
    return handled(batch, ctx ?? this?.ctx, (own) => handler.call(this, own, env, ctx));
  };
  return handling as unknown as Handler;
}

async function handled(batch: Given, ctx: Context | undefined, handle: (batch: unknown) => unknown): Promise<unknown> {
  const said = new Said();
  const kept: unknown[] = [];
  const letGo = ctx && keeping(ctx, kept);
  let failed: { error: unknown } | undefined;
  const work = (async () => handle(shown(batch, said)))();
  kept.unshift(work);
  // What is waited for may wait for more.
  for (let at = 0; at < kept.length; at += 1) {
    try {
      await kept[at];
    } catch (error) {
      failed ??= { error };
    }
  }
  letGo?.();
  return { posthaste: HANDLED, ...said.result(failed ? "exception" : "ok"), ...(failed && { error: refusalOf(failed.error) }) };
}

function shown({ queue, metadata, messages }: Given, said: Said): unknown {
  type Options = { delaySeconds?: number };
  return {
    queue,
    metadata,
    messages: messages.map((message) => ({
      ...message,
      ack: () => said.ack(message.id),
      retry: (options?: Options) => said.retry(message.id, options),
    })),
    ackAll: () => said.ackAll(),
    retryAll: (options?: Options) => said.retryAll(options),
  };
}

/** Hears what `ctx` is to wait for, beside the platform, until it is called off. */
function keeping(ctx: Context, kept: unknown[]): () => void {
  const { waitUntil } = ctx;
  const own = (promise: Promise<unknown>): void => {
    waitUntil.call(ctx, promise);
    kept.push(promise);
  };
  Object.defineProperty(ctx, "waitUntil", { configurable: true, writable: true, value: own });
  return () => {
    if (ctx.waitUntil === own) delete (ctx as Partial<Context>).waitUntil;
  };
}
