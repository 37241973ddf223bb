/** The package's types are those of the contract: the same names, each assignable to the other, none missing, none more. */

import type * as contract from "../contract.js";
import * as posthaste from "posthaste";
import * as slim from "posthaste/slim";

/** The contract names drivers and leaves to the package what they do. */
declare module "../contract.js" {
  interface StorageDriver {
    open(): Promise<posthaste.Store>;
  }
}

/** True when each is assignable to the other and they have the same keys. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? ([keyof A, keyof B] extends [keyof B, keyof A] ? true : false) : false) : false;
declare function same<A, B>(proof: Same<A, B>): void;

interface Order {
  item: string;
  count: number;
}

/* Functions and classes: what exists at run time. */
same<keyof typeof posthaste, keyof typeof contract>(true);
same<Exclude<keyof typeof slim, "init">, keyof typeof contract>(true);
same<ReturnType<typeof posthaste.openQueue<Order>>, ReturnType<typeof contract.openQueue<Order>>>(true);
same<typeof posthaste.listQueues, typeof contract.listQueues>(true);
same<typeof posthaste.deleteQueue, typeof contract.deleteQueue>(true);
same<posthaste.PosthasteError, contract.PosthasteError>(true);
same<posthaste.QueueFullError, contract.QueueFullError>(true);
same<posthaste.LeaseLostError, contract.LeaseLostError>(true);
same<posthaste.MessageTooLargeError, contract.MessageTooLargeError>(true);
same<posthaste.PolicyMismatchError, contract.PolicyMismatchError>(true);
same<posthaste.CorruptionError, contract.CorruptionError>(true);

/* Types. */
same<Omit<posthaste.QueueOptions<Order>, "port">, Omit<contract.QueueOptions<Order>, "port">>(true);
same<posthaste.StorageOption, contract.StorageOption>(true);
same<posthaste.Backoff, contract.Backoff>(true);
same<posthaste.Clock, contract.Clock>(true);
same<posthaste.Queue<Order>, contract.Queue<Order>>(true);
same<posthaste.SendOptions, contract.SendOptions>(true);
same<posthaste.SendBatchOptions, contract.SendBatchOptions>(true);
same<posthaste.MessageSendRequest<Order>, contract.MessageSendRequest<Order>>(true);
same<posthaste.SendReceipt, contract.SendReceipt>(true);
same<posthaste.SendBatchReceipt, contract.SendBatchReceipt>(true);
same<posthaste.BacklogMetrics, contract.BacklogMetrics>(true);
same<posthaste.ReceiveOptions, contract.ReceiveOptions>(true);
same<posthaste.RequestOptions, contract.RequestOptions>(true);
same<posthaste.Message<Order>, contract.Message<Order>>(true);
same<posthaste.MessageBatch<Order>, contract.MessageBatch<Order>>(true);
same<posthaste.QueueHandler<Order>, contract.QueueHandler<Order>>(true);
same<posthaste.ConsumerOptions, contract.ConsumerOptions>(true);
same<posthaste.Consumer, contract.Consumer>(true);
same<posthaste.Serving, contract.Serving>(true);
same<posthaste.TopicOptions<Order>, contract.TopicOptions<Order>>(true);
same<posthaste.MessageState, contract.MessageState>(true);
same<posthaste.MessageInfo<Order>, contract.MessageInfo<Order>>(true);
same<posthaste.QueueMetrics, contract.QueueMetrics>(true);
same<posthaste.QueueInfo, contract.QueueInfo>(true);
same<posthaste.QueueEventMap, contract.QueueEventMap>(true);
same<posthaste.StorageDriver, contract.StorageDriver>(true);
same<posthaste.StandardSchemaV1<unknown, Order>, contract.StandardSchemaV1<unknown, Order>>(true);

/* More may be a port than the contract names: whatever can be posted to and heard. */
export const options: posthaste.QueueOptions<Order> = null! as contract.QueueOptions<Order>;
export const openQueue: typeof contract.openQueue = posthaste.openQueue;
export const openTopic: typeof contract.openTopic = posthaste.openTopic;

/* Whoever lost their storage is told whether what was under way may have taken place. */
export const lost: contract.StorageLostError & { readonly outcomeUnknown: boolean } = null! as posthaste.StorageLostError;

/* The slim entry adds how the module is given, and nothing else. */
export const module: Parameters<typeof slim.init>[0] = null! as WebAssembly.Module | BufferSource | Response | URL | Promise<Response>;
same<ReturnType<typeof slim.init>, Promise<void>>(true);
