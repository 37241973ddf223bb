/** The Durable Object that keeps queues: a journal in its SQLite, answered for by RPC, and pushed from by its alarm. */

import { DurableObject } from "cloudflare:workers";
import { openQueue } from "posthaste";
import { RELEASE } from "../engine/codes";
import type { Delivery, Settle } from "../engine/effects";
import { platformError, show } from "../contract/errors";
import type { LocalBacking } from "../journal/local";
import type { StoredJournal } from "../journal/durable";
import type { OpenedQueue } from "../queue/queue";
import { isDamage, unreadable } from "../queue/receive";
import { Stop } from "../schedule/cancellation";
import type { MessageState, SendBatchReceipt, SendReceipt, StorageDriver } from "../contract/types";
import { CALL_MAX, VERSION, type Answer, type Call, type Happening, type Leased, type Opened, type Outcome, type Policy, type Sending,
  type Settlement } from "./rpc";
import { ObjectClock } from "./clock";
import type { PushConsumer } from "./push-options";
import { pack, unpack, weight } from "./framing";
import { Push } from "./push";
import { refusalOf } from "./errors";
import { sqliteStorage } from "./sqlite";
import { Watch } from "./watch";

type Bytes = OpenedQueue<Uint8Array>;

/** A queue, opened in one of the ways that callers name, and how many calls are at work on it. */
interface Way {
  queue: Promise<Bytes>;
  calls: number;
}

/** Ways to open a queue that are kept ready, most of them the same queue. */
const OPENED_MAX = 64;
/** Who did not ask for so long does not listen any more. */
const WATCH_MS = 60_000;
const RETRY_MS = 1000;
const RETRY_MAX_MS = 300_000;
const NAMES = "CREATE TABLE IF NOT EXISTS posthaste_queues (name TEXT PRIMARY KEY)";

/** Keeps the queues of one name: export it, or a class that extends it, from a Worker, with a binding and a migration (`new_sqlite_classes`). */
export class QueueObject<Env = unknown> extends DurableObject<Env> {
  /** Who is pushed the messages of which queue, by the queue's name. Queues that are not here are received from. */
  protected consumers: Record<string, PushConsumer> = {};

  #made: Host | undefined;

  get #host(): Host {
    return (this.#made ??= new Host(this.ctx.storage, () => this.consumers));
  }

  /** What `openQueue` of this package asks. */
  posthaste(call: Call): Promise<Answer> {
    return this.#host.answer(call);
  }

  alarm(): Promise<void> {
    return this.#host.alarm();
  }
}

/** What an object does, out of sight of the classes that extend it. */
class Host {
  private readonly clock: ObjectClock;
  private readonly driver: StorageDriver;
  private readonly ways = new Map<string, Way>();
  private readonly pushes = new Map<string, Push>();
  /** Receives that wait, by the name their asker gave them. */
  private readonly waiting = new Map<string, () => void>();
  /** Sends that may wait for room, by theirs. */
  private readonly sending = new Map<string, AbortController>();
  private readonly watches = new Map<string, { watch: Watch; queue: Bytes }>();
  /** Alarms in a row that went wrong. */
  private failures = 0;

  constructor(
    private readonly storage: Parameters<typeof sqliteStorage>[0],
    private readonly consumers: () => Record<string, PushConsumer>,
  ) {
    this.clock = new ObjectClock(storage, () => this.kick());
    this.driver = sqliteStorage(storage);
  }

  async answer(call: Call): Promise<Answer> {
    const { clock } = this;
    let way: Way | undefined;
    let queue: Bytes | undefined;
    let answer: Pick<Answer, "value" | "error">;
    await clock.ready().catch(() => undefined);
    clock.begin();
    try {
      // Should this object die of it, it is woken.
      if (Object.keys(this.consumers()).length) clock.guard();
      if (!(call.version <= VERSION))
        throw platformError("VersionError",
          `the call is of version ${call.version} of posthaste/cloudflare; this object knows ${VERSION}: deploy it anew`);
      way = this.way(call.queue, call.policy);
      way.calls += 1;
      queue = await way.queue;
      answer = { value: await this.value(queue, call) };
    } catch (error) {
      answer = { error: refusalOf(error) };
    }
    if (way) way.calls -= 1;
    this.kick();
    clock.end();
    return { ...answer, backlog: queue?.isOver === false ? Array.from(queue.backing.backlog()) : [0, 0, -1], now: clock.now() };
  }

  /** Throws only where the alarm can't be set again: after six failures the platform would give it up. */
  async alarm(): Promise<void> {
    const { clock } = this;
    clock.begin();
    try {
      clock.rang();
      await this.wake();
      this.failures = 0;
    } catch {
      this.failures += 1;
      await clock.again(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(this.failures, 20)));
    } finally {
      this.kick();
      clock.end();
    }
  }

  /** Opens every queue there is, so that their deadlines are known and what is due is pushed. One that can't be keeps no other. */
  private async wake(): Promise<void> {
    this.storage.sql.exec(NAMES);
    let failed: { error: unknown } | undefined;
    for (const row of this.storage.sql.exec("SELECT name FROM posthaste_queues").toArray()) {
      await this.open(String(row["name"]), {}).catch((error: unknown) => (failed ??= { error }));
    }
    if (failed) throw failed.error;
  }

  private kick(): void {
    for (const push of this.pushes.values()) push.kick();
  }

  /* ---------------------------------------------------------- opening */

  private open(name: string, policy: Policy): Promise<Bytes> {
    return this.way(name, policy).queue;
  }

  private way(name: string, policy: Policy): Way {
    const key = JSON.stringify([name, policy]);
    const known = this.ways.get(key);
    if (known) return known;
    const way: Way = { queue: this.opening(name, policy), calls: 0 };
    const forget = (): void => void (this.ways.get(key) === way && this.ways.delete(key));
    // Where it can't go on, the next call opens it anew.
    way.queue.then((queue) => queue.addEventListener("error", () => queue.isOver && forget()), forget);
    this.ways.set(key, way);
    if (this.ways.size > OPENED_MAX) this.closeOne(key);
    return way;
  }

  /** Closes the queue that was opened first, of those that nobody uses. */
  private closeOne(newest: string): void {
    for (const [key, { queue, calls }] of this.ways) {
      const [name] = JSON.parse(key) as [string];
      if (key === newest || calls > 0 || this.pushes.has(name) || [...this.watches.values()].some((one) => one.queue.name === name))
        continue;
      this.ways.delete(key);
      void queue.then((one) => one.close(), () => undefined);
      return;
    }
  }

  private async opening(name: string, policy: Policy): Promise<Bytes> {
    const consumer = this.consumers()[name];
    if (consumer) checkedService(name, consumer.service);
    const { service: _, maxBatchSize: _1, maxBatchTimeout: _2, maxConcurrency: _3, ...own } = consumer ?? ({} as PushConsumer);
    const queue = (await openQueue<Uint8Array>(name, { ...own, ...policy, storage: this.driver, clock: this.clock })) as unknown as Bytes;
    this.storage.sql.exec(NAMES);
    this.storage.sql.exec("INSERT OR IGNORE INTO posthaste_queues VALUES (?)", name);
    if (!this.consumers()[name]) return queue;
    const { deadLetterQueue } = queue.backing.handle;
    if (deadLetterQueue && this.consumers()[deadLetterQueue]) await this.open(deadLetterQueue, {});
    // Of its own: the one that was opened with a caller's policy may be closed.
    const pushed = Object.keys(policy).length ? await this.open(name, {}) : queue;
    // Those who were handing out its messages were in the memory of this object, which began anew. What Workers hold is theirs.
    const { journal, handle } = queue.backing as unknown as LocalBacking;
    if (pushed === queue) await (journal as StoredJournal).inherit(handle.id);
    if (pushed === queue) this.pushes.set(name, new Push(queue, consumer, this.clock));
    return queue;
  }

  /* --------------------------------------------------------- answering */

  private value(queue: Bytes, call: Call): unknown {
    const { backing } = queue;
    switch (call.kind) {
      case "open": {
        const { policy, deadLetterQueue } = backing.handle;
        return { policy: Array.from(policy), deadLetterQueue, durability: "strict" } satisfies Opened;
      }
      case "send":
        return Promise.all(call.sends.map((one) => this.send(queue, one)));
      case "receive":
        return this.receive(queue, call);
      case "stop":
        return this.waiting.get(call.name)?.();
      case "unsend":
        return this.sending.get(call.name)?.abort();
      case "watch":
        return this.watch(queue, call.name, call.wait);
      case "settle":
        return Promise.all(call.settlements.map((one) => this.settle(queue, one)));
      case "metrics":
        return backing.metrics();
      case "peek":
        return this.peek(queue, call.max, call.state as MessageState | undefined);
      case "cancel":
        return backing.cancel(call.number, call.index);
      case "purge":
        return backing.purge();
      case "pause":
        return backing.pause(call.paused);
      case "redrive":
        return backing.redrive(call.to, call.max, call.rate, new Stop());
      default:
        throw platformError("NotSupportedError",
          `this object does not know what ${JSON.stringify((call as { kind: unknown }).kind)} is: deploy it anew`);
    }
  }

  /** What became of each message. */
  private async send(queue: Bytes, { whole, name, bodies, terms }: Sending): Promise<Outcome[]> {
    const options = terms.map(({ delayMs, expiresMs, key, headers }) => ({
      ...(delayMs >= 0 && { delaySeconds: delayMs / 1000 }),
      ...(expiresMs > 0 && { expirationSeconds: expiresMs / 1000 }),
      ...(key !== undefined && { idempotencyKey: key }),
      ...(headers && { headers }),
    }));
    const requests = unpack(bodies).map((body, at) => ({ body: body!.slice(), ...(options[at] ?? options[0]) }));
    const controller = name === undefined ? undefined : new AbortController();
    if (controller) this.sending.set(name!, controller);
    const called = controller && { signal: controller.signal };
    try {
      if (whole) return await queue.sendBatch(requests, called).then(runsOf, (error) => [refused(error, requests.length)]);
      return neighbours(
        await Promise.all(requests.map(({ body, ...own }) => queue.send(body, { ...own, ...called }).then(placeOf, refused))),
      );
    } finally {
      if (controller) this.sending.delete(name!);
    }
  }

  private watch(queue: Bytes, name: string, wait: number): Promise<Happening[]> {
    const now = this.clock.now();
    for (const [other, { watch, queue }] of this.watches) {
      if (watch.asked > now - WATCH_MS || other === name) continue;
      queue.backing.handle.onlookers.delete(watch);
      this.watches.delete(other);
    }
    let known = this.watches.get(name);
    if (!known) {
      this.watches.set(name, known = { watch: new Watch(), queue });
      queue.backing.handle.onlookers.add(known.watch);
    }
    known.watch.asked = now;
    return known.watch.happened((stop) => {
      const timer = this.clock.setTimeout(stop, wait * 1000);
      return () => this.clock.clearTimeout(timer);
    });
  }

  /** Leases messages, whoever asks next may settle them: they are held by their numbers. */
  private async receive(
    queue: Bytes,
    { max, leaseMs, wait, name }: { max: number; leaseMs: number; wait: number; name: string },
  ): Promise<Leased[]> {
    const { backing } = queue;
    const deliveries: Delivery[] = [];
    let timer: unknown;
    await new Promise<void>((resolve, reject) => {
      const asker = { delivered: (delivery: Delivery) => void deliveries.push(delivery), received: resolve, fail: reject };
      const token = backing.ask(asker,
        (commands, own) => commands.receive(own, backing.handle.id, max, leaseMs, wait > 0, this.clock.now()));
      const stop = (): void => backing.stopWaiting(token);
      this.waiting.set(name, stop);
      if (wait > 0) timer = this.clock.setTimeout(stop, wait * 1000);
    }).finally(() => {
      this.clock.clearTimeout(timer);
      this.waiting.delete(name);
    });
    return this.leased(queue, deliveries);
  }

  private async leased({ backing }: Bytes, deliveries: Delivery[]): Promise<Leased[]> {
    const { handle, leases, leases: { life } } = backing;
    const giveBack = (): void => deliveries.forEach((delivery) => leases.giveBack(handle, delivery, life));
    const parts = await Promise.resolve(backing.load(deliveries)).catch((error: unknown) => {
      giveBack();
      throw error;
    });
    const leased: Leased[] = [];
    let room = CALL_MAX;
    deliveries.forEach((delivery, at) => {
      for (const part of parts[at]) {
        const { number, index, count, parcel, offset, headers } = part;
        // Of those that are gone whoever asked makes dead letters, and is told; others may be read the next time.
        if (!parcel && !isDamage(part)) {
          unreadable(backing, part, delivery.grant);
          continue;
        }
        const bodies = Array.from({ length: count }, (_, place) => parcel?.body(offset + place, false) as Uint8Array | undefined);
        // What does not fit into the answer goes back; the first always does.
        let fits = 0;
        for (; fits < count; fits += 1) {
          const size = weight(bodies[fits], headers?.[offset + fits]);
          if (room < CALL_MAX && size > room) break;
          room -= size;
        }
        if (fits < count) leases.giveBack(handle, { ...delivery, number, index: index + fits, count: count - fits });
        if (!fits) continue;
        const own = headers && { headers: Array.from({ length: fits }, (_, place) => headers[offset + place]) };
        const { grant, until, attempts, sent } = delivery;
        leased.push({ number, index, count: fits, grant, until, attempts, sent, bodies: pack(bodies.slice(0, fits)), ...own });
      }
    });
    return leased;
  }

  /** The indices of those for which it did not stand. */
  private async settle({ backing }: Bytes, { kind, number, index, count, grant, arg, text }: Settlement): Promise<number[]> {
    if (!(kind <= RELEASE)) throw platformError("NotSupportedError", `this object does not know the settlement ${kind}: deploy it anew`);
    const lost = await backing.leases.settle(kind as Settle, { queue: backing.handle, number, index, count, grant }, arg, text);
    return [...(lost ?? [])];
  }

  private async peek({ backing }: Bytes, max: number, state: MessageState | undefined): Promise<unknown[]> {
    let room = CALL_MAX;
    return (await backing.peek(max, state)).filter(({ body, headers, reason = "", lastError = "" }) =>
      (room -= weight(body as Uint8Array, headers, reason + lastError)) >= 0
    );
  }
}

/** A binding that is missing would make dead letters of all messages. */
function checkedService(name: string, service: unknown): void {
  if ((typeof service === "object" || typeof service === "function") && service !== null) return;
  throw new TypeError(
    `consumers[${show(name)}].service must be the binding of a Worker, such as this.env.SELF, not ${
      show(service)
    }: see "services" in its configuration`,
  );
}

/* Receipts are asked for their numbers, not for the text of their ids. */

function placeOf(receipt: SendReceipt): Outcome {
  const { number, index, duplicate } = receipt as SendReceipt & { number: number; index: number };
  return { number, index, count: 1, ...(duplicate && { duplicate }) };
}

function runsOf(receipt: SendBatchReceipt): Outcome[] {
  return (receipt as SendBatchReceipt & { runs?: Outcome[] }).runs?.map(({ number, index, count }) => ({ number, index, count })) ?? [];
}

function refused(error: unknown, count = 1): Outcome {
  return { number: 0, index: 0, count, error: refusalOf(error) };
}

/** Those that lie one behind the other, as one. */
function neighbours(outcomes: Outcome[]): Outcome[] {
  const runs: Outcome[] = [];
  for (const one of outcomes) {
    const last = runs[runs.length - 1];
    const alike = last && !last.error && !one.error && !last.duplicate && !one.duplicate;
    if (alike && last.number === one.number && last.index + last.count === one.index) last.count += 1;
    else runs.push(one);
  }
  return runs;
}
