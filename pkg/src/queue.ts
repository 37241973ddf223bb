/** A queue that lives here: the thin surface over its journal. */

import { LocalConsumer } from "./consumer";
import { copiedBytes, copyBody } from "./copy";
import type { Handle, Onlooker } from "./effects";
import { closedError, notSupported, platformError, show } from "./errors";
import { MessageIterator } from "./iterate";
import type { Journal } from "./journal";
import { ReceivedMessage, Settler } from "./message";
import { object, seconds, sendOptions, signalOption, text, whole } from "./options";
import { peek, redrive } from "./inspect";
import { giveBack, receive, type Arrival, type Request } from "./receive";
import { disposable } from "./dispose";
import { Batch, messageId, sameTerms, SingleOutgoing, type Outgoing, type Receipt, type Terms } from "./send";
import { messageStream, writer } from "./streams";
import type {
  BacklogMetrics, Consumer, ConsumerOptions, Message, MessageInfo, MessageSendRequest, MessageState, Queue, QueueHandler, QueueMetrics,
  QueueOptions, ReceiveOptions, SendBatchOptions, SendBatchReceipt, SendOptions, SendReceipt, Serving, StandardSchemaV1,
} from "./types";

/** Causes of a drop, as the engine numbers them. */
const CAUSES = ["expired", "overflow", "purged", "noDeadLetterQueue"] as const;
const EVENTS = new Set(["drain", "depth", "deadletter", "drop", "storage", "error"]);
const EVENT_MESSAGES_MAX = 10_000;

export class LocalQueue<Body> extends EventTarget implements Queue<Body>, Onlooker {
  listening = false;
  /** Consumers and waiting receives. */
  private receivers = 0;
  private deleted: unknown;
  private readonly held = new Set<ReceivedMessage<Body>>();
  private closing: Promise<void> | undefined;
  private readonly closed = new AbortController();
  private readonly settler: Settler;
  private readonly consumers = new Set<Consumer>();
  /** Sends that more can still be added to. */
  private open: SingleOutgoing | undefined;
  /** Ends when every body before has been through the schema. */
  private validating: Promise<unknown> | undefined;
  private metricsOfStep: { metrics: BacklogMetrics } | undefined;
  private writing: WritableStream<Body> | undefined;
  private reading: ReadableStream<Message<Body>> | undefined;
  private hadBacklog = false;

  constructor(
    readonly name: string,
    readonly journal: Journal,
    readonly handle: Handle,
    private readonly options: QueueOptions<Body>,
    private readonly release: () => Promise<void>,
    private readonly lock: { hold: () => void; release: () => void },
  ) {
    super();
    this.settler = new Settler(journal);
    handle.onlookers.add(this);
    this.hadBacklog = this.backlog().metrics.backlogCount > 0;
  }

  get mode(): Queue["mode"] {
    const { kind, durability } = this.journal.store;
    return { storage: kind, durability: durability === "none" ? "none" : this.journal.strict ? "strict" : "relaxed", transport: "local" };
  }

  get visibilityMs(): number {
    return this.handle.policy[0];
  }

  get isClosed(): boolean {
    return this.closing !== undefined;
  }

  /** It will never give a message again. */
  get isOver(): boolean {
    return this.closing !== undefined || this.deleted !== undefined || this.journal.closed !== undefined;
  }

  get consuming(): boolean {
    return this.receivers > 0;
  }

  /** While someone receives, the queue is not deleted under them. */
  private receiving(change: 1 | -1): void {
    this.receivers += change;
    if (this.receivers === 0) this.lock.release();
    else if (change === 1 && this.receivers === 1) this.lock.hold();
  }

  /** Throws when the queue can't be used any more. */
  check(): void {
    if (this.deleted) throw this.deleted;
    if (this.closing) throw closedError(this.name);
    if (this.journal.closed) throw this.journal.closed;
  }

  /* ----------------------------------------------------------- sending */

  async send(body: Body, options: SendOptions = EMPTY): Promise<SendReceipt> {
    this.check();
    object("options", options);
    if (options === EMPTY || Object.keys(options).length === 0) return this.put(body, PLAIN, undefined, undefined);
    const signal = signalOption(options.signal);
    signal?.throwIfAborted();
    const { headers, ...terms } = sendOptions(options);
    const encoded = encode(body, options);
    if (!signal) return this.put(encoded, terms, headers, options.transfer);
    return this.putWithSignal(encoded, terms, headers, options.transfer, signal);
  }

  private async put(body: unknown, terms: Terms, headers: Readonly<Record<string, string>> | undefined, transfer: Transferable[] | undefined): Promise<Receipt> {
    let valid = body;
    if (this.options.schema) {
      [valid] = await this.validated([body]);
      this.check();
    }
    const copied = copyBody(valid, transfer);
    const bytes = copiedBytes();
    return this.outgoing(terms).add(copied, bytes, headers);
  }

  private outgoing(terms: Terms): SingleOutgoing {
    const { open } = this;
    if (open && !open.departed && sameTerms(open.terms, terms)) return open;
    const made = new SingleOutgoing(this, this.handle, terms, this.receiptMetrics);
    this.depart(made);
    if (terms.key === undefined) this.open = made;
    return made;
  }

  /** Nothing sent later may join what was sent before this. */
  private depart(outgoing: Outgoing): void {
    this.open = undefined;
    this.journal.depart(outgoing);
  }

  private async putWithSignal(body: unknown, terms: Terms, headers: Readonly<Record<string, string>> | undefined, transfer: Transferable[] | undefined, signal: AbortSignal): Promise<Receipt> {
    let valid = body;
    if (this.options.schema) {
      [valid] = await this.validated([body]);
      signal.throwIfAborted();
      this.check();
    }
    const outgoing = new SingleOutgoing(this, this.handle, terms, this.receiptMetrics);
    const copied = copyBody(valid, transfer);
    const receipt = outgoing.add(copied, copiedBytes(), headers);
    this.depart(outgoing);
    const abort = (): void => {
      if (this.journal.recall(outgoing)) outgoing.fail(signal.reason);
    };
    signal.addEventListener("abort", abort);
    return receipt.finally(() => signal.removeEventListener("abort", abort));
  }

  async sendBatch(messages: Iterable<MessageSendRequest<Body>>, options: SendBatchOptions = {}): Promise<SendBatchReceipt> {
    this.check();
    object("options", options);
    if (messages === null || typeof (messages as Partial<Iterable<unknown>>)?.[Symbol.iterator] !== "function") {
      throw new TypeError(`messages must be iterable, not ${show(messages)}`);
    }
    const signal = signalOption(options.signal);
    signal?.throwIfAborted();
    const delayMs = options.delaySeconds === undefined ? -1 : seconds("delaySeconds", options.delaySeconds);
    const batch = new Batch(this, this.handle);
    if (this.options.schema) {
      const requests = Array.from(messages, checkedRequest);
      const valid = await this.validated(requests.map(({ body }) => body));
      requests.forEach((request, at) => addToBatch(batch, request, valid[at], delayMs, at));
      this.check();
      signal?.throwIfAborted();
    } else {
      let at = 0;
      for (const message of messages) addToBatch(batch, checkedRequest(message, at), message.body, delayMs, at++);
    }
    if (batch.parts.length === 0) return { ids: [], metadata: this.receiptMetrics() };
    for (const part of batch.parts) this.depart(part);
    const abort = (): void => {
      if (batch.parts.every((part) => this.journal.recall(part))) batch.fail(signal?.reason);
    };
    signal?.addEventListener("abort", abort);
    const ids = await batch.ids.finally(() => signal?.removeEventListener("abort", abort));
    return { ids, metadata: this.receiptMetrics() };
  }

  /** What the schema makes of bodies. Those sent first come through first, however long the schema takes for each. */
  private validated(bodies: unknown[]): Promise<unknown[]> {
    const before = this.validating;
    const mine = Promise.all(bodies.map((body) => validate(this.options.schema, body)));
    this.validating = mine.then(() => before, () => before);
    return before ? mine.finally(() => before) : mine;
  }

  /** Backlog for receipts: looked up once a step, however many messages it brought. */
  private readonly receiptMetrics = (): { metrics: BacklogMetrics } => {
    if (!this.metricsOfStep) {
      this.metricsOfStep = this.backlog();
      queueMicrotask(() => (this.metricsOfStep = undefined));
    }
    return this.metricsOfStep;
  };

  backlog(): { metrics: BacklogMetrics } {
    const [backlogCount, backlogBytes, oldest] = this.journal.peer.backlog(this.handle.id);
    return { metrics: { backlogCount, backlogBytes, ...(oldest >= 0 && { oldestMessageTimestamp: new Date(oldest) }) } };
  }

  /* --------------------------------------------------------- receiving */

  async receive(options: ReceiveOptions = {}): Promise<Message<Body>[]> {
    this.check();
    object("options", options);
    if (options.borrow) throw notSupported("the option borrow");
    const request: Request = {
      max: whole("max", options.max ?? 1, 1, 65_536),
      waitMs: options.wait === Infinity ? Infinity : seconds("wait", options.wait ?? 0),
      leaseMs: options.visibilityTimeout === undefined ? 0 : seconds("visibilityTimeout", options.visibilityTimeout, 0.001),
      signal: signalOption(options.signal),
    };
    return this.take(request, false);
  }

  /** As `receive`; ends when the queue is closed. */
  async take(request: Request, firstWins: boolean): Promise<ReceivedMessage<Body>[]> {
    this.receiving(1);
    let arrivals: Arrival[];
    try {
      arrivals = await receive(this.journal, this.handle, request, this.closed.signal);
    } finally {
      this.receiving(-1);
    }
    if (this.closing) {
      arrivals.forEach((arrival) => giveBack(this.journal, { ...arrival.delivery, index: arrival.index, count: 1 }));
      throw this.closed.signal.reason;
    }
    const messages = arrivals.map((arrival) => this.message(arrival, firstWins));
    return this.options.schema ? this.sifted(messages) : messages;
  }

  private message({ delivery, index, loaded }: Arrival, firstWins: boolean): ReceivedMessage<Body> {
    const message = new ReceivedMessage(this.journal, this.settler, this.held as Set<unknown>, delivery, index, loaded.body as Body, loaded.headers, firstWins, this.closed.signal);
    this.held.add(message);
    return message;
  }

  /** What does not fit the schema never will: it goes to the dead letters. */
  private async sifted(messages: ReceivedMessage<Body>[]): Promise<ReceivedMessage<Body>[]> {
    const sound = await Promise.all(messages.map((message) => validate(this.options.schema, message.body).then(() => true, (error: Error) => {
      void message.deadLetter(error.message.slice(0, 512));
      return false;
    })));
    return messages.filter((_, at) => sound[at]);
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
    return (this.reading ??= messageStream(this));
  }

  /* -------------------------------------------------------- inspecting */

  async metrics(): Promise<QueueMetrics> {
    this.check();
    await this.handle.ready;
    await this.journal.fresh();
    const found = this.journal.peer.metrics(this.handle.id, this.journal.clock.now());
    if (!found) throw platformError("NotFoundError", `the queue ${show(this.name)} was deleted`);
    const { oldestMessageTimestamp: oldest, ...metrics } = found as Omit<QueueMetrics, "oldestMessageTimestamp"> & { oldestMessageTimestamp?: number };
    const storageBytes = await this.journal.store.usage();
    return { ...metrics, ...(oldest !== undefined && { oldestMessageTimestamp: new Date(oldest) }), ...(storageBytes !== undefined && { storageBytes }) };
  }

  async peek(options: { max?: number; state?: MessageState; groupId?: string } = {}): Promise<MessageInfo<Body>[]> {
    this.check();
    object("options", options);
    await this.handle.ready;
    return peek<Body>(this.journal, this.handle, options);
  }

  async cancel(id: string): Promise<boolean> {
    this.check();
    const [, number, index] = /^(\d{1,14})-(\d{1,7})$/.exec(text("id", id)) ?? [];
    if (number === undefined) throw new TypeError(`id must be the id of a message, as send resolves with, not ${show(id)}`);
    await this.handle.ready;
    await this.journal.fresh();
    return (await this.journal.request((peer, token) => peer.cancel(token, this.handle.id, Number(number), Number(index)))) === 1;
  }

  async purge(): Promise<number> {
    this.check();
    await this.handle.ready;
    return this.journal.request((peer, token) => peer.purge(token, this.handle.id));
  }

  async pause(): Promise<void> {
    this.check();
    await this.handle.ready;
    await this.journal.request((peer, token) => peer.pause(token, this.handle.id, true));
  }

  async resume(): Promise<void> {
    this.check();
    await this.handle.ready;
    await this.journal.request((peer, token) => peer.pause(token, this.handle.id, false));
  }

  async redrive(options: { to?: string; max?: number; ratePerSecond?: number } = {}): Promise<number> {
    this.check();
    object("options", options);
    await this.handle.ready;
    return redrive(this.journal, this.handle, options, this.closed.signal);
  }

  async flush(options: { signal?: AbortSignal } = {}): Promise<void> {
    this.check();
    object("options", options);
    await this.journal.flushed(signalOption(options.signal));
  }

  /* ------------------------------------------------------------- later */

  request<Reply>(): Promise<Reply> {
    return Promise.reject(notSupported("queue.request"));
  }

  serve(): Serving {
    throw notSupported("queue.serve");
  }

  stage(): void {
    throw notSupported("queue.stage");
  }

  /* ------------------------------------------------------------ events */

  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | ((event: never) => void) | null, options?: AddEventListenerOptions | boolean): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject | null, options);
    if (EVENTS.has(type)) {
      this.listening = true;
      this.journal.kick();
    }
  }

  depth(backlog: number): void {
    if (!this.listening) {
      this.hadBacklog = backlog > 0;
      return;
    }
    this.dispatchEvent(new Event("depth"));
    if (backlog === 0 && this.hadBacklog) this.dispatchEvent(new Event("drain"));
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
      this.dispatchEvent(new CustomEvent(type, { detail: { id: messageId(number, index + at), ...detail } }));
    }
  }

  storage(state: "ok" | "degraded" | "lost", error?: unknown): void {
    this.dispatchEvent(new CustomEvent("storage", { detail: { state, error } }));
  }

  gone(): void {
    this.deleted = platformError("NotFoundError", `the queue ${show(this.name)} was deleted`);
    this.report(this.deleted);
    this.closed.abort(this.deleted);
    this.journal.fail(this.handle, this.deleted);
  }

  error(error: unknown): void {
    this.report(error);
    if (this.journal.closed) this.closed.abort(this.journal.closed);
  }

  /** An "error" event: what went wrong and has no promise to reject. */
  report(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const event = typeof ErrorEvent === "function" ? new ErrorEvent("error", { error, message }) : Object.assign(new Event("error"), { error, message });
    this.dispatchEvent(event);
  }

  /* ------------------------------------------------------------- ending */

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    for (const consumer of this.consumers) void consumer.stop();
    this.closed.abort(closedError(this.name));
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    for (const message of [...this.held]) message.abandon(this.closed.signal.reason);
    this.settler.flush();
    if (!this.journal.closed) await this.journal.flushed().catch(() => undefined);
    this.journal.fail(this, closedError(this.name));
    this.handle.onlookers.delete(this);
    this.lock.release();
    await this.release();
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

disposable(LocalQueue.prototype, (queue) => queue.close());

const EMPTY = Object.freeze({});
const PLAIN: Terms = { delayMs: -1, expiresMs: 0, key: undefined };

/** A body as its content type asks; left out, it is cloned as it is. */
function encode(body: unknown, { contentType }: SendOptions | MessageSendRequest): unknown {
  switch (contentType) {
    case undefined:
    case "v8":
      return body;
    case "text":
      if (typeof body !== "string") throw new TypeError(`a body of contentType "text" must be a string, not ${show(body)}`);
      return body;
    case "bytes":
      if (body instanceof ArrayBuffer) return body;
      if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice().buffer;
      throw new TypeError(`a body of contentType "bytes" must be an ArrayBuffer or a view of one, not ${show(body)}`);
    case "json": {
      const json = JSON.stringify(body) as string | undefined;
      if (json === undefined) throw new TypeError(`a body of contentType "json" must be what JSON can say, not ${show(body)}`);
      return JSON.parse(json);
    }
    default:
      throw new TypeError(`contentType must be "json", "text", "bytes" or "v8", not ${show(contentType)}`);
  }
}

function checkedRequest<Body>(message: MessageSendRequest<Body>, at: number): MessageSendRequest<Body> {
  if (typeof message === "object" && message !== null && "body" in message) return message;
  throw new TypeError(`message ${at} of the batch must be an object with a body, not ${show(message)}`);
}

/** `delayMs`: of those that name none; -1: the queue's. */
function addToBatch(batch: Batch, request: MessageSendRequest, body: unknown, delayMs: number, at: number): void {
  try {
    const { headers, ...terms } = sendOptions(request);
    if (terms.delayMs < 0) terms.delayMs = delayMs;
    const copied = copyBody(encode(body, request), request.transfer);
    batch.add(copied, copiedBytes(), terms, headers);
  } catch (error) {
    throw ofBatch(error, at);
  }
}

async function validate(schema: StandardSchemaV1 | undefined, body: unknown): Promise<unknown> {
  const result = (await schema?.["~standard"].validate(body)) as { value?: unknown; issues?: readonly { message: string }[] };
  if (!result.issues) return result.value;
  throw new TypeError(`the body ${show(body)} does not fit the schema: ${result.issues.map((issue) => issue.message).join("; ")}`);
}

/** An error that says which message of a batch it is about. */
function ofBatch(error: unknown, at: number): unknown {
  const { name, message } = error as Error;
  const text = `message ${at} of the batch: ${message}`;
  if (error instanceof DOMException) return new DOMException(text, name);
  if (error instanceof RangeError) return new RangeError(text, { cause: error });
  return error instanceof TypeError ? new TypeError(text, { cause: error }) : error;
}

