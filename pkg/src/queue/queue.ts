/** A queue as its users have it: the thin surface over what is behind it. */

import type { Backing } from "../journal/backend";
import { inBatch, keep, partOf, partOfBatch, validate, type Part } from "../contract/body";
import { LocalConsumer } from "./consumer";
import { complain } from "../contract/console";
import { disposable } from "../contract/dispose";
import { CAUSES, STATES } from "../engine/codes";
import type { Onlooker } from "../engine/effects";
import { closedError, notSupported, platformError, show } from "../contract/errors";
import { detailEvent } from "../contract/event";
import { messageOf } from "../contract/foreign";
import { isInside } from "./in-handler";
import { MessageIterator } from "./iterator";
import { Keeper } from "../delivery/extender";
import type { ReceivedMessage } from "../delivery/message";
import { flag, messageIdOption, object, queueName, refuseLater, seconds, signalOption, whole, type Terms } from "../contract/options";
import type { Port } from "../contract/platform";
import { leasesOf, receive, stillHeld, type Request, type Source } from "./receive";
import { Batch, messageId, sameTerms, SingleOutgoing, type Outgoing } from "../journal/sends";
import { soon } from "../schedule/microtask";
import { onAbort, Stop, stopOf, unless } from "../schedule/cancellation";
import { messageStream, writer } from "./streams";
import type { BacklogMetrics, Consumer, ConsumerOptions, Message, MessageInfo, MessageSendRequest, MessageState, Queue, QueueHandler,
  QueueMetrics, QueueOptions, ReceiveOptions, SendBatchOptions, SendBatchReceipt, SendOptions, SendReceipt,
  Serving } from "../contract/types";

/** Causes of a drop, as the engine numbers them. */
const EVENTS = new Set(["drain", "depth", "deadletter", "drop", "storage", "error"]);
const EVENT_MESSAGES_MAX = 10_000;
/** Sends of one moment that may collect before they go, where someone else can work on them meanwhile. */
const URGE = 1024;
const EMPTY = Object.freeze({});
const PLAIN: Terms = { delayMs: -1, expiresMs: 0, key: undefined };

/** Serves the queue at a port. `over`: that has ended; `failed`: it could not begin. */
export type ServeAt = (port: Port, allow: unknown, over: () => void, failed: (error: unknown) => void) => Serving;

export class OpenedQueue<Body> extends EventTarget implements Queue<Body>, Source<Body>, Onlooker {
  listening = false;
  /** Someone listens to "error" events. */
  private hearsErrors = false;
  /** Consumers and waiting receives. */
  private receivers = 0;
  private deleted: unknown;
  private closing: Promise<void> | undefined;
  private readonly closed = new Stop();
  private readonly consumers = new Set<Consumer>();
  /** By the port at which they serve. */
  private readonly servings = new Map<unknown, Serving>();
  /** Sends that more can still be added to. */
  private open: SingleOutgoing | undefined;
  /** Ends when every body before has been through the schema. */
  private validating: Promise<unknown> | undefined;
  private metricsOfStep: { metrics: BacklogMetrics } | undefined;
  private writing: WritableStream<Body> | undefined;
  private reading: ReadableStream<Message<Body>> | undefined;
  private hadBacklog: boolean;
  private readonly keeper: Keeper;

  /** `serveAt`: how to serve it; undefined: it is another context's own. */
  constructor(
    readonly name: string,
    readonly backing: Backing,
    private readonly options: QueueOptions<Body>,
    private readonly serveAt?: ServeAt,
  ) {
    super();
    this.keeper = new Keeper(backing.clock, backing.leases, () => backing.visibilityMs);
    backing.handle.onlookers.add(this);
    this.hadBacklog = this.backlog().metrics.backlogCount > 0;
  }

  get mode(): Queue["mode"] {
    return this.backing.mode;
  }

  get isClosed(): boolean {
    return this.closing !== undefined;
  }

  get isOver(): boolean {
    return this.closing !== undefined || this.deleted !== undefined || this.backing.closed !== undefined;
  }

  get consuming(): boolean {
    return this.receivers > 0;
  }

  private receiving(change: 1 | -1): void {
    this.receivers += change;
    this.backing.receiving(change);
  }

  /** Throws when the queue can't be used any more, or the options are none. */
  check(options?: object): void {
    if (this.deleted) throw this.deleted;
    if (this.closing) throw closedError(this.name);
    if (this.backing.closed) throw this.backing.closed;
    object("options", options);
  }

  /* ----------------------------------------------------------- sending */

  send(body: Body, options: SendOptions = EMPTY): Promise<SendReceipt> {
    if (options !== EMPTY || this.options.schema) return this.sendWith(body, options);
    // Not an async function: its own promise would cost as much as all else here.
    try {
      this.check();
      return this.put({ body, terms: PLAIN });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private async sendWith(body: Body, options: SendOptions): Promise<SendReceipt> {
    this.check(options);
    const plain = Object.keys(options).length === 0;
    const signal = plain ? undefined : signalOption(options.signal);
    signal?.throwIfAborted();
    const part = plain ? { body, terms: PLAIN } : partOf(body, options, PLAIN);
    if (this.options.schema) await this.checked([keep(part)], signal);
    return this.put(part, signal);
  }

  private put(part: Part, signal?: AbortSignal): Promise<SendReceipt> {
    const { open, backing } = this;
    if (!signal && open && !open.departed && sameTerms(open.terms, part.terms)) {
      const receipt = open.add(part);
      if (open.count >= URGE || backing.crowded) {
        this.open = undefined;
        backing.urge();
      }
      return receipt;
    }
    const made = new SingleOutgoing(this, backing.handle, part.terms, this.receiptMetrics);
    const receipt = made.add(part);
    this.depart(made);
    if (signal) return this.unlessAborted(signal, [made], receipt);
    if (part.terms.key === undefined) this.open = made;
    return receipt;
  }

  /** Nothing sent later may join what was sent before this. */
  private depart(outgoing: Outgoing): void {
    this.open = undefined;
    this.backing.depart(outgoing);
  }

  /** Calls off what is sent together when the signal aborts, while it can be. */
  private unlessAborted<Receipt>(signal: AbortSignal, sent: Outgoing[], receipt: Promise<Receipt>): Promise<Receipt> {
    const off = onAbort(signal, (reason) => {
      for (const outgoing of sent) outgoing.withdrawn = reason;
      // Every part is recalled, whatever became of those before it.
      if (sent.map((outgoing) => this.backing.recall(outgoing)).every(Boolean)) sent[0].fail(reason);
    });
    return receipt.finally(off);
  }

  async sendBatch(messages: Iterable<MessageSendRequest<Body>>, options: SendBatchOptions = {}): Promise<SendBatchReceipt> {
    this.check(options);
    if (messages === null || typeof (messages as Partial<Iterable<unknown>>)?.[Symbol.iterator] !== "function") {
      throw new TypeError(`messages must be iterable, not ${show(messages)}`);
    }
    const signal = signalOption(options.signal);
    signal?.throwIfAborted();
    const plain = options.delaySeconds === undefined ? PLAIN : { ...PLAIN, delayMs: seconds("delaySeconds", options.delaySeconds) };
    const { backing, options: { schema } } = this;
    const batch = new Batch(this, backing.handle, this.receiptMetrics);
    const kept: Part[] = [];
    const add = schema ? (part: Part) => kept.push(keep(part)) : (part: Part) => batch.add(part);
    let at = 0;
    for (const message of messages) partOfBatch(message, at++, plain, add);
    if (schema) {
      await this.checked(kept, signal);
      kept.forEach((part, at) => inBatch(at, () => batch.add(part)));
    }
    if (at === 0) return { ids: [], metadata: this.receiptMetrics() };
    batch.check(this.mode.transport !== "local");
    for (const part of batch.parts) this.depart(part);
    if (backing.crowded) backing.urge();
    return signal ? this.unlessAborted(signal, batch.parts, batch.promise) : batch.promise;
  }

  /** Gives bodies to the schema, which says what they become. Those sent first come through first, however long it takes for each. */
  private async checked(parts: Part[], signal?: AbortSignal): Promise<void> {
    const before = this.validating;
    const each = parts.map(async (part) => {
      part.body = await validate(this.options.schema, part.body);
    });
    const stops = signal ? [stopOf(signal), this.closed] : [this.closed];
    // A schema that never answers keeps neither who gives up nor those after it.
    const mine = unless(stops, Promise.all(each));
    this.validating = mine.then(() => before, () => before);
    await unless(stops, before ? mine.finally(() => before) : mine);
    this.check();
  }

  /** Backlog for receipts: looked up once a step, however many messages it brought. */
  private readonly receiptMetrics = (): { metrics: BacklogMetrics } => {
    if (!this.metricsOfStep) {
      this.metricsOfStep = this.backlog();
      soon(() => (this.metricsOfStep = undefined));
    }
    return this.metricsOfStep;
  };

  backlog(): { metrics: BacklogMetrics } {
    const { 0: backlogCount, 1: backlogBytes, 2: oldest } = this.backing.backlog();
    return { metrics: { backlogCount, backlogBytes, ...(oldest >= 0 && { oldestMessageTimestamp: new Date(oldest) }) } };
  }

  /* --------------------------------------------------------- receiving */

  async receive(options: ReceiveOptions = {}): Promise<Message<Body>[]> {
    this.check(options);
    return this.take({
      max: whole("max", options.max ?? 1, 1, 65_536),
      waitMs: options.wait === Infinity ? Infinity : seconds("wait", options.wait ?? 0),
      leaseMs: options.visibilityTimeout === undefined ? 0 : seconds("visibilityTimeout", options.visibilityTimeout, 0.001),
      borrow: flag("borrow", options.borrow),
      firstWins: false,
      signal: signalOption(options.signal),
    });
  }

  async take(request: Request): Promise<ReceivedMessage<Body>[]> {
    this.receiving(1);
    try {
      const messages = await receive<Body>(this.backing, request, this.closed);
      const { leaseMs } = this;
      // While it waited, timers have become late: what it asked for is too short by now.
      if (request.autoExtend && request.leaseMs < leaseMs) { for (const lease of leasesOf(messages)) void lease.extend(leaseMs); }
      if (!this.options.schema) return messages;
      this.keep(messages);
      const sound = await this.sifted(messages);
      this.letGo(messages);
      return sound;
    } finally {
      this.receiving(-1);
    }
  }

  get leaseMs(): number {
    const { margin } = this.keeper;
    return margin && margin + this.backing.visibilityMs;
  }

  keep(messages: readonly ReceivedMessage<Body>[]): void {
    for (const { lease } of messages) lease.keep(this.keeper);
  }

  letGo(messages: readonly ReceivedMessage<Body>[]): void {
    for (const { lease } of messages) lease.keep(undefined);
  }

  /** What does not fit the schema never will: it goes to the dead letters. */
  private async sifted(messages: ReceivedMessage<Body>[]): Promise<ReceivedMessage<Body>[]> {
    const sound = await Promise.all(
      messages.map((message) =>
        validate(this.options.schema, message.body).then(() => true, (error: unknown) => {
          void message.deadLetter(messageOf(error));
          return false;
        })
      ),
    );
    return stillHeld(this.backing, messages.filter((_, at) => sound[at]));
  }

  consume(handler: QueueHandler<Body>, options?: ConsumerOptions): Consumer {
    this.check();
    const consumer = new LocalConsumer(this, handler, options);
    this.consumers.add(consumer);
    this.receiving(1);
    const over = (): void => {
      this.consumers.delete(consumer);
      this.receiving(-1);
    };
    void consumer.done.then(over, (error: unknown) => {
      over();
      if (!this.closing) this.error(error);
    });
    return consumer;
  }

  [Symbol.asyncIterator](): AsyncIterator<Message<Body>> {
    return new MessageIterator(this);
  }

  get writable(): WritableStream<Body> {
    return (this.writing ??= writer(this));
  }

  get readable(): ReadableStream<Message<Body>> {
    return (this.reading ??= messageStream(new MessageIterator(this, true)));
  }

  /* -------------------------------------------------------- inspecting */

  async metrics(): Promise<QueueMetrics> {
    this.check();
    const found = await this.backing.metrics();
    if (!found) throw platformError("NotFoundError", `the queue ${show(this.name)} was deleted`);
    return found;
  }

  async peek(options: { max?: number; state?: MessageState; groupId?: string } = {}): Promise<MessageInfo<Body>[]> {
    this.check(options);
    refuseLater(options, ["groupId"]);
    const { state } = options;
    if (state !== undefined && !STATES.includes(state))
      throw new TypeError(`state must be one of ${STATES.map(show).join(", ")}, not ${show(state)}`);
    return this.backing.peek(whole("max", options.max ?? 10, 1, 10_000), state) as Promise<MessageInfo<Body>[]>;
  }

  async cancel(id: string): Promise<boolean> {
    this.check();
    const [number, index] = messageIdOption(id);
    return this.backing.cancel(number, index);
  }

  async purge(): Promise<number> {
    this.check();
    return this.backing.purge();
  }

  async pause(): Promise<void> {
    this.check();
    await this.backing.pause(true);
  }

  async resume(): Promise<void> {
    this.check();
    await this.backing.pause(false);
  }

  async redrive(options: { to?: string; max?: number; ratePerSecond?: number } = {}): Promise<number> {
    this.check(options);
    const max = options.max === undefined || options.max === Infinity ? 2 ** 40 : whole("max", options.max, 1, 2 ** 40);
    const rate = options.ratePerSecond === undefined ? Infinity : whole("ratePerSecond", options.ratePerSecond, 1, 1_000_000);
    const to = options.to === undefined ? undefined : queueName(options.to, "to");
    return this.backing.redrive(to, max, rate, this.closed);
  }

  async flush(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.check(options);
    await this.backing.flushed(signalOption(options.signal));
  }

  /* ----------------------------------------------------------- serving */

  serve(port: Port, options: { allow?: ("send" | "receive" | "admin")[] } = {}): Serving {
    this.check(options);
    if (!this.serveAt) throw notSupported("serving a queue that another context serves");
    const serving = this.serveAt(port, options.allow, () => this.servings.delete(port), (error) => this.error(error));
    this.servings.set(port, serving);
    return serving;
  }

  /* ------------------------------------------------------------- later */

  request<Reply>(): Promise<Reply> {
    return Promise.reject(notSupported("queue.request"));
  }

  stage(): void {
    throw notSupported("queue.stage");
  }

  /* ------------------------------------------------------------ events */

  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | ((event: never) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
    if (!EVENTS.has(type)) return;
    this.listening = true;
    this.hearsErrors ||= type === "error";
    this.backing.listen();
  }

  depth(backlog: number): void {
    if (this.listening) {
      this.dispatchEvent(new Event("depth"));
      if (backlog === 0 && this.hadBacklog) this.dispatchEvent(new Event("drain"));
    }
    this.hadBacklog = backlog > 0;
  }

  dead(number: number, index: number, count: number, reason: string): void {
    this.tellEach("deadletter", number, index, count, { reason });
  }

  dropped(number: number, index: number, count: number, cause: number): void {
    this.tellEach("drop", number, index, count, { cause: CAUSES[cause] });
  }

  private tellEach(type: string, number: number, index: number, count: number, detail: object): void {
    if (!this.listening) return;
    for (let at = 0; at < Math.min(count, EVENT_MESSAGES_MAX); at += 1) {
      this.dispatchEvent(detailEvent(type, { id: messageId(number, index + at), ...detail }));
    }
  }

  storage(state: "ok" | "degraded" | "lost", error?: unknown): void {
    this.dispatchEvent(detailEvent("storage", { state, error }));
  }

  gone(): void {
    this.deleted = platformError("NotFoundError", `the queue ${show(this.name)} was deleted`);
    this.report(this.deleted);
    this.closed.now(this.deleted);
    this.backing.fail(this.backing.handle, this.deleted);
  }

  error(error: unknown): void {
    this.report(error);
    if (this.backing.closed) this.closed.now(this.backing.closed);
  }

  report(error: unknown, unheard?: string): void {
    if (unheard && !this.hearsErrors) complain(`posthaste: ${unheard} ${show(this.name)}. Its "error" events tell it, too.`, error);
    const message = messageOf(error);
    const event = typeof ErrorEvent === "function"
      ? new ErrorEvent("error", { error, message })
      : Object.assign(new Event("error"), { error, message });
    this.dispatchEvent(event);
  }

  /* ------------------------------------------------------------- ending */

  /** In a handler it is not waited for: its end waits for the handler. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return isInside() ? Promise.resolve() : this.closing;
  }

  private async end(): Promise<void> {
    const { backing, closed } = this;
    for (const consumer of this.consumers) void consumer.stop();
    closed.now(closedError(this.name));
    for (const lease of backing.leases.of(closed)) for (const message of lease.messages) message.interrupt(closed.reason);
    await Promise.all(Array.from(this.servings.values(), (serving) => serving.close()));
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    for (const lease of backing.leases.of(closed))
      for (const message of lease.messages) message.abandon(closed.reason);
    backing.leases.flush();
    if (!backing.closed) await backing.flushed().catch(() => undefined);
    backing.fail(this, closedError(this.name));
    await backing.release(this);
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

disposable(OpenedQueue.prototype, (queue) => queue.close());
