/** What a queue handler says of its batch, by the rules that workerd has for it; and the form in which the platform answers with it. */

import { show } from "../contract/errors";

/** As the platform answers to a queue event (`FetcherQueueResult`). Names in quotes: no bundle shortens them. */
export interface Result {
  "outcome": string;
  "ackAll": boolean;
  "retryBatch": Delay & { "retry": boolean };
  "explicitAcks": string[];
  "retryMessages": (Delay & { "msgId": string })[];
}
export interface Delay {
  "delaySeconds"?: number;
}
type Options = { delaySeconds?: number } | undefined;

/** The platform takes a delay for a number of 32 bits. */
const INTEGER_MAX = 2 ** 31 - 1;

export class Said {
  private ackedAll = false;
  private retriedAll: Delay | undefined;
  private readonly acks = new Set<string>();
  private readonly retries = new Map<string, Delay>();

  /** Says nothing after `ackAll`, `retryAll`, or a retry of the message. */
  ack(id: string): void {
    if (!this.ackedAll && !this.retriedAll && !this.retries.has(id)) this.acks.add(id);
  }

  /** Says nothing after `ackAll`, or an ack of the message. The last retry names the delay. */
  retry(id: string, options: Options): void {
    const delay = delayOf(options);
    if (!this.ackedAll && !this.acks.has(id)) this.retries.set(id, delay);
  }

  /** Says nothing after `retryAll`. */
  ackAll(): void {
    if (!this.retriedAll) this.ackedAll = true;
  }

  /** Says nothing after `ackAll`. The last delay that is named counts. */
  retryAll(options: Options): void {
    const delay = delayOf(options);
    if (!this.ackedAll) this.retriedAll = { ...this.retriedAll, ...delay };
  }

  result(outcome: string): Result {
    return {
      "outcome": outcome,
      "ackAll": this.ackedAll,
      "retryBatch": { "retry": this.retriedAll !== undefined, ...this.retriedAll },
      "explicitAcks": [...this.acks],
      "retryMessages": Array.from(this.retries, ([id, delay]) => ({ "msgId": id, ...delay })),
    };
  }
}

/** A delay as the platform reads it: what is no number is 0. Ours may be a part of a second, and are never below 0. */
function delayOf(options: Options): Delay {
  const value = options?.delaySeconds;
  if (value === undefined) return {};
  const seconds = Number(value);
  if (Math.abs(seconds) > INTEGER_MAX && Math.abs(seconds) < Infinity)
    throw new TypeError(`delaySeconds must be at most ${INTEGER_MAX}, not ${show(value)}`);
  return { "delaySeconds": seconds > 0 && seconds < Infinity ? seconds : 0 };
}

export type Word = { ack: true } | { ack: false; delaySeconds: number | undefined };

/** What is said of a message; undefined where the batch failed, and nothing was. A word on itself beats one on all. */
export function wordsOf({ outcome, ackAll, retryBatch, explicitAcks, retryMessages }: Result): (id: string) => Word | undefined {
  const acks = new Set(explicitAcks);
  const retries = new Map(retryMessages.map((one) => [one["msgId"], one]));
  const retried = (delay?: Delay): Word => {
    const seconds = delay?.["delaySeconds"] ?? retryBatch["delaySeconds"];
    return { ack: false, delaySeconds: seconds === undefined ? undefined : Math.max(0, seconds) };
  };
  return (id) => {
    if (retries.has(id)) return retried(retries.get(id));
    if (ackAll || acks.has(id)) return { ack: true };
    if (retryBatch["retry"]) return retried();
    return outcome === "ok" ? { ack: true } : undefined;
  };
}
