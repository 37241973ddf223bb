/** `posthaste/cloudflare`: queues in Durable Objects, for Workers. */

import { openQueue as open } from "posthaste";
import { object as checkObject, queueName, systemClock } from "../contract/options";
import type { Queue, QueueOptions, StorageDriver } from "../contract/types";
import type { Opened, Policy } from "./rpc";
import type { ObjectNamespace } from "./platform";
import { RemoteBacking, ask, checkedNamespace, type Address } from "./remote";

export { queueHandler } from "./handler";
export { QueueObject } from "./object";
export { sqliteStorage } from "./sqlite";
export type { ObjectNamespace, ObjectStorage, Service } from "./platform";
export type { PushConsumer } from "./push-options";

/** As `QueueOptions`, without where messages live: that is the object. */
export interface ObjectQueueOptions<Body = unknown> extends Omit<QueueOptions<Body>, "storage" | "durability" | "port" | "encryptionKey"> {
  /** The name of the object that keeps the queue. Default: the queue's, without "-dlq" at its end, for dead letters stay in the object of their queue. Queues of one object share a journal. */
  object?: string;
}

const POLICY = ["visibilityTimeout", "maxRetries", "retryDelay", "deadLetterQueue", "deliveryDelay", "messageRetention",
  "deduplicationWindow", "capacity", "overflow"] as const;
/** Openings that this isolate remembers, so that it need not ask again in each request. */
const REMEMBERED_MAX = 1000;

const remembered = new WeakMap<object, Map<string, Opened>>();

/** Opens (and creates where it is new) the queue `name` in an object of `namespace`, for the request that calls it. */
export async function openQueue<Body = unknown>(
  namespace: ObjectNamespace,
  name: string,
  options: ObjectQueueOptions<Body> = {},
): Promise<Queue<Body>> {
  checkedNamespace(namespace);
  queueName(name);
  checkObject("options", options);
  const { object = name.replace(/(?!^)(?:-dlq)+$/, ""), ...rest } = options;
  const policy: Policy = Object.fromEntries(POLICY.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])));
  const address: Address = { namespace, object: queueName(object, "object"), queue: name, policy };
  return open<Body>(name, { ...rest, storage: driverOf(address, options) });
}

/** What `openQueue` of posthaste takes for a storage: it says itself what is behind a queue. */
function driverOf(address: Address, { clock = systemClock, signal }: Pick<QueueOptions, "clock" | "signal">): StorageDriver {
  const driver = {
    kind: "durable-object",
    open: () => Promise.reject(new TypeError("the queue is kept by an object")),
    "~backing": async () => {
      const opened = await openedAt(address, () => ask(address, { kind: "open" }, true, clock));
      signal?.throwIfAborted();
      return new RemoteBacking(address, clock, opened);
    },
  };
  return driver;
}

async function openedAt({ namespace, object, queue, policy }: Address, opening: () => Promise<{ value?: unknown }>): Promise<Opened> {
  const known = remembered.get(namespace) ?? new Map<string, Opened>();
  const key = JSON.stringify([object, queue, policy]);
  const found = known.get(key);
  if (found) return found;
  const opened = (await opening()).value as Opened;
  if (known.size >= REMEMBERED_MAX) known.clear();
  remembered.set(namespace, known.set(key, opened));
  return opened;
}
