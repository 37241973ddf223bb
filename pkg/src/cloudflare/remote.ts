/** A queue that an object keeps, as a Worker has it: every word is a call, of which nothing is left when it is answered. */

import { MessageTooLargeError, StorageLostError } from "posthaste";
import { abortable } from "../schedule/cancellation";
import type { Backing } from "../journal/backend";
import type { Commands } from "../engine/commands";
import { AS_MANY_AS_FIT, BATCH_PART } from "../engine/codes";
import type { Asker, Delivery, Handle, Onlooker, Part } from "../engine/effects";
import { platformError } from "../contract/errors";
import { messageOf } from "../contract/foreign";
import { Leases } from "../delivery/leases";
import { VALUES, valuesOf, type Parcel, type Segment } from "../bodies/pack";
import type { Outgoing } from "../journal/sends";
import type { Clock, MessageInfo, MessageState, Queue, QueueMetrics } from "../contract/types";
import { decode, encode } from "./bodies";
import { BODY_MAX, CALL_MAX, VERSION, type Answer, type Asked, type Call, type Happening, type Leased, type Opened, type Outcome,
  type Policy, type Sending, type SentTerms, type Settlement } from "./rpc";
import { MESSAGE_BYTES, pack, unpack, weight } from "./framing";
import type { ObjectNamespace } from "./platform";
import { errorOf } from "./errors";

const TRIES = 4;
const RETRY_MS = 100;
/** So long a call may wait for a message; then it is asked again. */
const WAIT_SECONDS = 20;
/** As the runtime says it. */
const TOO_LARGE = /limited to \d+ ?MiB/;
const NOTHING: ArrayLike<number> = [0, 0, -1];

/** A message on its way. */
interface Carried extends SentTerms {
  body: Uint8Array;
}

/** Where a queue lies. */
export interface Address {
  namespace: ObjectNamespace;
  object: string;
  queue: string;
  policy: Policy;
}

/** One call. What may be asked twice is asked again where the object was away. */
export async function ask({ namespace, object, queue, policy }: Address, asked: Asked, again: boolean, clock: Clock): Promise<Answer> {
  const call: Call = { version: VERSION, queue, policy, ...asked };
  for (let tries = 1;; tries += 1) {
    try {
      // A stub belongs to the request that made it, and to the object's life: each call has its own.
      const stub = namespace.get(namespace.idFromName(object)) as { posthaste(call: Call): Promise<Answer> };
      const answer = await stub.posthaste(call);
      if (answer.error) throw new Refused(errorOf(answer.error));
      return answer;
    } catch (error) {
      if (error instanceof Refused) throw error.error;
      const { overloaded, name, message } = error as { overloaded?: boolean; name: string; message: string };
      if (name === "DataCloneError") throw error;
      // Nothing was sent.
      if (TOO_LARGE.test(message)) throw new MessageTooLargeError(`it is too much for one call of the object: ${message}`);
      if (overloaded || !again || tries === TRIES) throw away(object, error, !again && !overloaded);
      await new Promise<void>((resolve) => clock.setTimeout(resolve, RETRY_MS * 2 ** tries));
    }
  }
}

/** The object answered: with an error. */
class Refused {
  constructor(readonly error: Error) {}
}

function away(object: string, cause: unknown, outcomeUnknown: boolean): StorageLostError {
  return new StorageLostError(
    `the object ${JSON.stringify(object)} was replaced, or could not be reached, in the middle of a call: ${messageOf(cause)}`,
    outcomeUnknown,
    { cause },
  );
}

export class RemoteBacking implements Backing {
  readonly handle: Handle;
  readonly leases = new Leases((asker, command) => this.ask(asker, command), () => this.clock.now());
  readonly closed = undefined;
  readonly mode: Queue["mode"];
  private known = NOTHING;
  private token = 0;
  /** Sends of this moment. */
  private collecting: Outgoing[] = [];
  private settling: { asker: Asker; settlement: Settlement }[] = [];
  private readonly receives = new Map<number, { name: string; over: boolean }>();
  private readonly parts = new WeakMap<Delivery, Part[]>();
  private readonly flying = new Set<Promise<unknown>>();
  /** The last call that carries messages of a send: a send hears of its messages in their order. */
  private readonly carriers = new WeakMap<Outgoing, Promise<unknown>>();
  /** Sends under way that can be called off, by name. */
  private readonly names = new WeakMap<Outgoing, string>();
  private listening = false;
  private released = false;

  constructor(private readonly address: Address, readonly clock: Clock, opened: Opened) {
    this.handle = {
      name: address.queue,
      id: 0,
      policy: Float64Array.from(opened.policy),
      packs: false,
      deadLetterQueue: opened.deadLetterQueue,
      onlookers: new Set(),
      ready: undefined,
    };
    this.mode = { storage: "durable-object", durability: opened.durability, transport: "port" };
  }

  get visibilityMs(): number {
    return this.handle.policy[0];
  }

  backlog(): ArrayLike<number> {
    return this.known;
  }

  private async call(asked: Asked, again: boolean): Promise<Answer> {
    const called = ask(this.address, asked, again, this.clock);
    // What waits for messages or events is not waited for.
    if (asked.kind !== "watch" && asked.kind !== "receive") this.flying.add(called);
    try {
      const answer = await called;
      this.known = answer.backlog;
      return answer;
    } finally {
      this.flying.delete(called);
    }
  }

  private async value<T>(asked: Asked, again = true): Promise<T> {
    return (await this.call(asked, again)).value as T;
  }

  /* ----------------------------------------------------------- sending */

  depart(outgoing: Outgoing): void {
    if (!this.collecting.length) queueMicrotask(() => this.send());
    this.collecting.push(outgoing);
  }

  readonly crowded = false;

  urge(): void {}

  recall(outgoing: Outgoing): boolean {
    const at = this.collecting.indexOf(outgoing);
    if (at >= 0) this.collecting.splice(at, 1);
    const name = this.names.get(outgoing);
    if (at < 0 && name !== undefined) this.call({ kind: "unsend", name }, true).catch(() => undefined);
    return at >= 0;
  }

  fail(owner: unknown, error: unknown): void {
    for (const outgoing of this.collecting.filter((one) => one.owner === owner || one.handle === owner)) {
      if (this.recall(outgoing)) outgoing.fail(error);
    }
  }

  private send(): void {
    const { collecting } = this;
    this.collecting = [];
    let singles: { outgoing: Outgoing; messages: Carried[] }[] = [];
    let room = CALL_MAX;
    const go = (): void => {
      if (singles.length) this.fly(singles);
      [singles, room] = [[], CALL_MAX];
    };
    for (let at = 0; at < collecting.length; at += 1) {
      const outgoing = collecting[at];
      outgoing.departed = true;
      // A batch is the sends that follow as its parts, too.
      if (outgoing.whole()[0] !== AS_MANY_AS_FIT) {
        const parts = [outgoing];
        while (collecting[at + 1]?.whole()[0] === BATCH_PART) parts.push(collecting[at += 1]);
        go();
        this.sendWhole(parts);
        continue;
      }
      for (const message of packed(outgoing)) {
        const size = weight(message.body, message.headers, message.key);
        if (size > room) go();
        room -= size;
        const last = singles[singles.length - 1];
        if (last?.outgoing === outgoing) last.messages.push(message);
        else singles.push({ outgoing, messages: [message] });
      }
    }
    go();
  }

  private sendWhole(parts: Outgoing[]): void {
    for (const part of parts) part.departed = true;
    const sent = parts.map((outgoing) => ({ outgoing, messages: packed(outgoing) }));
    // One of them can't be encoded, and has failed all.
    if (parts.some(({ left }) => left === 0)) return;
    const size = sent.reduce((sum, { messages }) => messages.reduce((all, { body, headers, key }) => all + weight(body, headers, key), sum),
      0);
    if (size <= CALL_MAX) return this.fly(sent, true);
    parts[0].fail(
      new MessageTooLargeError(
        `the batch has ${size} bytes with ${MESSAGE_BYTES} for each message and its headers, and a batch may have ${CALL_MAX}: send it in several`,
      ),
    );
  }

  private fly(sent: { outgoing: Outgoing; messages: Carried[] }[], whole = false): void {
    // The second of two with the same key is the first one.
    const again = sent.every(({ messages }) => messages.every(({ key }) => key !== undefined));
    const sends = whole
      ? [this.sending(true, sent.flatMap(({ messages }) => messages), sent)]
      : sent.map((one) => this.sending(false, one.messages, [one]));
    const called = this.value<Outcome[][]>({ kind: "send", sends }, again);
    let from = 0;
    for (const [at, { outgoing, messages }] of sent.entries()) {
      const before = this.carriers.get(outgoing);
      const told = (answer: Outcome[] | { error: unknown }): void => tell(outgoing, messages.length, whole, answer);
      const first = from;
      if (whole) from += messages.length;
      const answered = called.then((outcomes) => cut(outcomes[whole ? 0 : at], first, messages.length), (error: unknown) => ({ error }));
      this.carriers.set(outgoing, before ? before.then(() => answered.then(told)) : answered.then(told));
    }
  }

  private sending(whole: boolean, messages: Carried[], sent: { outgoing: Outgoing }[]): Sending {
    const terms = messages.map(({ body: _body, ...terms }) => terms);
    const alike = messages.length < 2 ||
      messages.every((one) =>
        one.key === undefined && !one.headers && one.delayMs === terms[0].delayMs && one.expiresMs === terms[0].expiresMs
      );
    const sending: Sending = { whole, bodies: pack(messages.map(({ body }) => body)), terms: alike ? terms.slice(0, 1) : terms };
    // Only a batch, or a message that is sent alone, can be called off.
    if (!whole && messages.length > 1) return sending;
    sending.name = crypto.randomUUID();
    for (const { outgoing } of sent) this.names.set(outgoing, sending.name);
    return sending;
  }

  /* ------------------------------------------- receiving and settling */

  ask(asker: Asker, command: (commands: Commands, token: number) => void): number {
    const token = (this.token += 1);
    const commands: Partial<Commands> = {
      receive: (_token, _queue, max, leaseMs, wait) => void this.receive(token, asker, max, leaseMs, wait),
      settle: (_token, _queue, kind, number, index, count, grant, arg, text) => {
        if (!this.settling.length) queueMicrotask(() => this.settle());
        this.settling.push({ asker, settlement: { kind, number, index, count, grant, arg, ...(text !== undefined && { text }) } });
      },
    };
    command(commands as Commands, token);
    return token;
  }

  private async receive(token: number, asker: Asker, max: number, leaseMs: number, wait: boolean): Promise<void> {
    const receive = { name: crypto.randomUUID(), over: false };
    this.receives.set(token, receive);
    try {
      for (;;) {
        const seconds = wait && !receive.over ? WAIT_SECONDS : 0;
        const { value, now } = await this.call({ kind: "receive", max, leaseMs, wait: seconds, name: receive.name }, true);
        const deliveries = (value as Leased[]).map((leased) => this.delivery(leased, this.clock.now() - now));
        for (const delivery of deliveries) asker.delivered?.(delivery);
        if (deliveries.length || !wait || receive.over) return asker.received?.();
      }
    } catch (error) {
      asker.fail(error);
    } finally {
      this.receives.delete(token);
    }
  }

  /** `skew`: what the clock here is ahead of the object's. */
  private delivery({ bodies, headers, ...leased }: Leased, skew: number): Delivery {
    const { number, index, count } = leased;
    const delivery = { ...leased, until: leased.until + skew, chunk: -1 };
    const values = unpack(bodies).map(readable);
    const gone = values.indexOf(GONE);
    const parts = gone < 0
      ? [partOf(values, number, index, headers)]
      : values.map((value, at) => partOf([value], number, index + at, headers && [headers[at]]));
    this.parts.set(delivery, count === values.length ? parts : []);
    return delivery;
  }

  load(deliveries: Delivery[]): Part[][] {
    return deliveries.map((delivery) => this.parts.get(delivery) ?? []);
  }

  stopWaiting(token: number): void {
    const receive = this.receives.get(token);
    if (!receive || receive.over) return;
    receive.over = true;
    this.call({ kind: "stop", name: receive.name }, true).catch(() => undefined);
  }

  private settle(): void {
    const settling = this.settling.splice(0);
    // As many in a call as it may carry.
    for (let at = 0; at < settling.length;) {
      const from = at;
      for (let room = CALL_MAX; at < settling.length && room > 0; at += 1)
        room -= weight(undefined, undefined, settling[at].settlement.text);
      void this.settleAll(settling.slice(from, at));
    }
  }

  private async settleAll(settling: RemoteBacking["settling"]): Promise<void> {
    try {
      const answers = await this.value<number[][]>({ kind: "settle", settlements: settling.map(({ settlement }) => settlement) }, false);
      settling.forEach(({ asker, settlement: { number } }, at) => {
        for (const index of answers[at]) asker.lost?.(number, index, 1);
        asker.done?.(0);
      });
    } catch (error) {
      for (const { asker } of settling) asker.fail(error);
    }
  }

  /* -------------------------------------------------------- inspecting */

  async fresh(): Promise<void> {}

  async flushed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // What collects goes in the next microtask.
    await Promise.resolve();
    await abortable(signal, Promise.allSettled([...this.flying]));
  }

  metrics(): Promise<QueueMetrics | undefined> {
    return this.value({ kind: "metrics" });
  }

  async peek(max: number, state: MessageState | undefined): Promise<MessageInfo[]> {
    const infos = await this.value<MessageInfo[]>({ kind: "peek", max, ...(state && { state }) });
    return infos.map((info) => ({ ...info, body: decode(info.body as Uint8Array) }));
  }

  cancel(number: number, index: number): Promise<boolean> {
    return this.value({ kind: "cancel", number, index }, false);
  }

  purge(): Promise<number> {
    return this.value({ kind: "purge" }, false);
  }

  pause(paused: boolean): Promise<void> {
    return this.value({ kind: "pause", paused });
  }

  redrive(to: string | undefined, max: number, rate: number): Promise<number> {
    return this.value({ kind: "redrive", max, rate, ...(to !== undefined && { to }) }, false);
  }

  receiving(): void {}

  listen(): void {
    if (this.listening) return;
    this.listening = true;
    void this.watch(crypto.randomUUID());
  }

  /** Tells what the object tells, for as long as the queue is open here and the object answers. */
  private async watch(name: string): Promise<void> {
    try {
      while (!this.released) {
        for (const happening of await this.value<Happening[]>({ kind: "watch", name, wait: WAIT_SECONDS })) this.tell(happening);
      }
    } catch (error) {
      this.listening = false;
      for (const onlooker of this.handle.onlookers) if (!this.released) onlooker.error(error);
    }
  }

  private tell({ what, count, number = 0, index = 0, reason = "", cause = 0 }: Happening): void {
    for (const onlooker of [...this.handle.onlookers]) {
      if (what === "depth") onlooker.depth(count);
      else if (what === "dead") onlooker.dead(number, index, count, reason);
      else if (what === "dropped") onlooker.dropped(number, index, count, cause);
    }
  }

  async release(onlooker: Onlooker): Promise<void> {
    this.released = true;
    this.handle.onlookers.delete(onlooker);
  }
}

/** The messages of a send, encoded. Those that can't be are taken out of it, and told why. */
function packed(outgoing: Outgoing): Carried[] {
  const { delayMs, expiresMs, key } = outgoing.terms;
  const headers: Record<number, Record<string, string>> = {};
  outgoing.addHeaders(outgoing.left, headers, 0);
  const messages: Carried[] = [];
  const segments: Segment[] = [];
  outgoing.addSegments(outgoing.left, segments);
  const errors = valuesOf(segments).map((value, at) => {
    try {
      const body = encode(value);
      if (body.length > BODY_MAX) throw new MessageTooLargeError(`the body has ${body.length} bytes, and a body may have ${BODY_MAX}`);
      messages.push({ body, delayMs, expiresMs, ...(key !== undefined && { key }), ...(headers[at] && { headers: headers[at] }) });
      return undefined;
    } catch (error) {
      return error;
    }
  });
  if (errors.some((error) => error !== undefined)) outgoing.without(errors);
  return messages;
}

/** What became of `count` messages from place `from` on. */
function cut(outcomes: Outcome[], from: number, count: number): Outcome[] {
  const found: Outcome[] = [];
  let place = 0;
  for (const one of outcomes) {
    const first = Math.max(from, place);
    const end = Math.min(from + count, place + one.count);
    if (first < end) found.push({ ...one, index: one.index + first - place, count: end - first });
    place += one.count;
  }
  return found;
}

/** Tells a send what became of its next messages. */
function tell(outgoing: Outgoing, count: number, whole: boolean, answer: Outcome[] | { error: unknown }): void {
  const outcomes = Array.isArray(answer) ? answer : [];
  const errorFrom = (
    { error }: Outcome,
  ): unknown => (error?.name === "AbortError" && outgoing.withdrawn !== undefined ? outgoing.withdrawn : error && errorOf(error));
  const errors = Array.isArray(answer)
    ? answer.flatMap((one) => Array<unknown>(one.count).fill(errorFrom(one)))
    : Array<unknown>(count).fill(answer.error);
  const error = errors.find((one) => one !== undefined);
  if (whole && error !== undefined) return outgoing.fail(error);
  if (error !== undefined) outgoing.without(errors);
  for (const { error, duplicate, number, index, count } of outcomes) {
    if (error) continue;
    if (duplicate) outgoing.duplicate(number, index);
    else outgoing.sent(number, index, count);
  }
}

/** A body that is gone, or can't be read. */
const GONE = Symbol();

function readable(bytes: Uint8Array | undefined): unknown {
  try {
    return bytes ? decode(bytes) : GONE;
  } catch {
    return GONE;
  }
}

function partOf(values: unknown[], number: number, index: number, headers: Leased["headers"]): Part {
  const parcel: Parcel | undefined = values[0] === GONE
    ? undefined
    : { form: VALUES, count: values.length, body: (place) => values[place] };
  return {
    number,
    index,
    count: values.length,
    parcel,
    offset: 0,
    headers: headers && Object.fromEntries(headers.flatMap((own, at) => (own ? [[at, own]] : []))),
  };
}

/** As `platformError` says it: the queue's address is not one. */
export function checkedNamespace(namespace: unknown): ObjectNamespace {
  const { idFromName, get } = (namespace ?? {}) as Partial<ObjectNamespace>;
  if (typeof idFromName === "function" && typeof get === "function") return namespace as ObjectNamespace;
  throw platformError("NotFoundError",
    "the namespace must be the binding of a Durable Object class that extends QueueObject, such as env.QUEUES");
}
