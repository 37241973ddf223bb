/** A double of Cloudflare Queues for tests: its bindings, its rules, its defaults, on a clock that moves when told. */

import { quiet, text } from "../check";
import { virtualClock } from "../clock";
import { Troubles } from "../delivery";
import type { CloudflareConsumerOptions, CloudflareHandler, CloudflareOptions, CloudflareOutcome, CloudflareQueueOptions,
  CloudflareQueues } from "../types";
import { Backlog } from "./backlog";
import { Consumer, type Account } from "./consumer";
import { AT_ONCE, DELAY_MAX, PRODUCTION, within } from "./limits";

const DAY = 86_400;

/** Queues as Cloudflare has them. `production: true`: with Cloudflare's defaults and limits. */
export function cloudflareQueues(options: CloudflareOptions = {}): CloudflareQueues {
  if (typeof options !== "object" || options === null) throw new TypeError(`options must be an object, not ${text(options)}`);
  const { production = false, clock = virtualClock(), faults } = options;
  if (typeof production !== "boolean") throw new TypeError(`production must be true or false, not ${text(production)}`);
  const defaults = production ? PRODUCTION : AT_ONCE;
  const backlogs = new Map<string, Backlog>();
  const consumers = new Map<string, Consumer>();
  const outcomes: CloudflareOutcome[] = [];
  const errors: unknown[] = [];
  const account: Account = {
    troubles: faults && new Troubles(faults),
    limited: production,
    ended: (queue, { id, content, attempts }, outcome) => void outcomes.push({ queue, id, body: content.read(), attempts, outcome }),
    failed: (error) => void errors.push(error),
  };

  const backlogOf = (name: string): Backlog => {
    if (typeof name !== "string" || !name) throw new TypeError(`a queue's name must be a text, not ${text(name)}`);
    let found = backlogs.get(name);
    if (!found) {
      found = new Backlog(name, clock, production, (message) => account.ended(name, message, "expired"));
      found.retentionMs = defaults.messageRetention * 1000;
      backlogs.set(name, found);
    }
    return found;
  };

  const queues: CloudflareQueues = {
    clock,
    outcomes,
    errors,
    producer(name, { deliveryDelay, messageRetention }: CloudflareQueueOptions = {}) {
      const backlog = backlogOf(name);
      if (deliveryDelay !== undefined) backlog.deliveryDelay = within("deliveryDelay", deliveryDelay, 0, DELAY_MAX);
      if (messageRetention !== undefined) backlog.retentionMs = within("messageRetention", messageRetention, 60, 14 * DAY) * 1000;
      return backlog.producer();
    },
    consume(name, worker, given: CloudflareConsumerOptions<never> = {}) {
      const backlog = backlogOf(name);
      if (!isHandler(worker)) throw new TypeError(`a consumer is a function, or a Worker with a queue handler, not ${text(worker)}`);
      if (consumers.has(name))
        throw new DOMException(`the queue ${text(name)} has a consumer already: at Cloudflare it has one`, "InvalidStateError");
      const { deadLetterQueue } = given;
      if (deadLetterQueue === name) throw new RangeError(`deadLetterQueue must be another queue than ${text(name)} itself`);
      const deadLetters = deadLetterQueue === undefined ? undefined : backlogOf(deadLetterQueue);
      const settings = { ...settingsOf(given, defaults.maxBatchTimeout), deadLetters };
      const consumer = new Consumer(backlog, worker, settings, clock, account);
      consumers.set(name, consumer);
      consumer.look();
    },
    waiting(name) {
      const backlog = backlogOf(name);
      backlog.expire();
      return backlog.waiting.map(({ id, content, attempts, timestamp }) => ({
        id,
        body: content.read(),
        attempts,
        timestamp: new Date(timestamp),
      }));
    },
    async settle(seconds = DAY) {
      const end = clock.now() + within("seconds", seconds, 0, 14 * DAY) * 1000;
      await quiet();
      while ([...consumers.values()].some(({ busy }) => busy) && clock.now() < end && (await clock.tick()));
    },
  };
  return queues;
}

/** A consumer's settings, checked, by Cloudflare's limits. */
function settingsOf(given: CloudflareConsumerOptions<never>, maxBatchTimeout: number) {
  return {
    env: given.env,
    maxBatchSize: within("maxBatchSize", given.maxBatchSize ?? 10, 1, 100, true),
    maxBatchTimeout: within("maxBatchTimeout", given.maxBatchTimeout ?? maxBatchTimeout, 0, 60),
    maxRetries: within("maxRetries", given.maxRetries ?? 3, 0, 100, true),
    retryDelay: within("retryDelay", given.retryDelay ?? 0, 0, DELAY_MAX),
    maxConcurrency: within("maxConcurrency", given.maxConcurrency ?? 1, 1, 250, true),
  };
}

function isHandler(worker: CloudflareHandler): boolean {
  return typeof worker === "function" || typeof worker?.queue === "function";
}
