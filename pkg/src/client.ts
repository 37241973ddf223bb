/** A client: the end of a port at which a queue is used that another context serves. */

import { abortable } from "./abort";
import { Alarm } from "./alarm";
import type { Backing } from "./backing";
import type { Commands } from "./commands";
import { Desk } from "./desk";
import * as effect from "./effects";
import type { Asker, Delivery, Handle, Onlooker, Part } from "./effects";
import { PortClient, Presence } from "./engine";
import { frameMade, giveFrame, numbers } from "./crossing";
import { StorageLostError, closedError, platformError, show } from "./errors";
import { messageOf } from "./foreign";
import { headersBetween } from "./headers";
import { STATES } from "./inspect";
import { Leases } from "./lease";
import { Multiplexer, type Station } from "./multiplexer";
import type { PolicyOptions } from "./options";
import type { EventPort } from "./platform";
import { canShare } from "./ring";
import type { Outgoing } from "./send";
import { Shelf } from "./shelf";
import { soon } from "./soon";
import type { Clock, MessageInfo, MessageState, Queue, QueueMetrics } from "./types";
import { Beside, Channel, type End } from "./channel";
import type { BYTES } from "./parcel";
import { remoteError, versionError } from "./told";
import { Along, packed } from "./wire";
import * as wire from "./wire";

/** How long to wait for a host before nobody serves the queue, and how often to ask. */
const WELCOME_MS = 10_000;
const HELLO_MS = 250;
const STRIKES_MAX = 3;
/** Where no lock tells of the host's life: how long it may be silent while it is to answer before it is asked, and then again. */
const SILENT_MS = 15_000;
const DURABILITIES = ["none", "relaxed", "strict"] as const;
const STORAGE = ["ok", "degraded", "lost"] as const;

export class ClientBacking implements Backing, Commands, End, Station {
  readonly handle: Handle;
  readonly leases = new Leases((asker, command) => this.ask(asker, command), () => this.now());
  closed: unknown;
  visibilityMs = 0;
  private readonly session = Math.floor(Math.random() * 2 ** 52) + 1;
  private readonly port: Multiplexer;
  private readonly channel: Channel;
  private readonly client = new PortClient();
  private readonly desk = new Desk();
  private readonly shelf = new Shelf();
  private readonly alarm: Alarm;
  private readonly silence: Alarm;
  /** The present was no earlier. */
  private latest = 0;
  private heardAt = 0;
  /** When the host was asked for a word; 0: it has answered. */
  private askedAt = 0;
  private known: ArrayLike<number> = [0, 0, -1];
  private storage = "";
  private durability: Queue["mode"]["durability"] = "none";
  private own: Presence | undefined;
  private hosts: Presence | undefined;
  private flushing = false;
  private strikes = 0;
  private welcome: { resolve(): void; reject(error: unknown): void; again(): void } | undefined;

  constructor(readonly name: string, port: EventPort, readonly clock: Clock, policy: PolicyOptions) {
    this.handle = { name, id: 0, policy: policy.numbers, packs: true, parcel: (form, length) => this.channel.open(form as typeof BYTES, length, this.client.isBlocked()), deadLetterQueue: policy.deadLetterQueue, onlookers: new Set(), ready: undefined };
    this.alarm = new Alarm(clock);
    this.silence = new Alarm(clock);
    this.port = Multiplexer.at(port, this);
    this.channel = new Channel(this.port, this.session, this);
  }

  /** The present time; a clock that was set back goes on from where it was, as timers tell. */
  private now(): number {
    return (this.latest = this.alarm.now(this.latest));
  }

  get mode(): Queue["mode"] {
    return { storage: this.storage, durability: this.durability, transport: this.channel.shared ? "shared-memory" : "port" };
  }

  /* ----------------------------------------------------------- opening */

  /** Resolves when the host has welcomed us. */
  async open(policy: PolicyOptions, signal: AbortSignal | undefined): Promise<void> {
    const lock = `posthaste:client:${this.session}`;
    const timers: unknown[] = [];
    try {
      await abortable(signal, new Promise<void>((resolve, reject) => {
        this.welcome = { resolve, reject, again: () => undefined };
        timers.push(setTimeout(() => reject(platformError("TimeoutError", `nobody serves the queue ${show(this.name)} at this port: no answer for ${WELCOME_MS / 1000} s`)), WELCOME_MS));
        const begin = (): void => {
          // Its host may have gone meanwhile.
          if (this.closed) return reject(this.closed);
          const again = this.hello(policy, this.own ? lock : "");
          this.welcome = { resolve, reject, again };
          const ask = (): void => {
            again();
            timers.push(setTimeout(ask, HELLO_MS));
          };
          ask();
        };
        this.own = Presence.hold(lock, begin);
      }));
    } catch (error) {
      this.end(error);
      throw error;
    } finally {
      this.welcome = undefined;
      timers.forEach((timer) => clearTimeout(timer as number));
    }
  }

  /** The first frame; it is posted again until there is a welcome, as who serves may not have listened yet. */
  private hello({ given, numbers, deadLetterQueue, givenDeadLetterQueue }: PolicyOptions, lock: string): () => void {
    const policy = Array.from(numbers, (number, at) => (given[at] ? number : NaN));
    const letters = !givenDeadLetterQueue ? 0 : deadLetterQueue === undefined ? 2 : 1;
    const [a, b, c, d, e, f, g, h, i, ...rest] = policy;
    this.order(undefined, wire.HELLO, canShare() ? 1 : 0, letters, rest[0], rest[1], rest[2]);
    this.order(undefined, wire.POLICY, a, b, c, d, e, f, g, h, i);
    this.client.plan(0);
    const frame = frameMade(this.client.frame()).slice();
    const texts = [this.name, lock, ...(letters === 1 ? [deadLetterQueue!] : [])];
    return () => this.port.post(this.session, frame, texts, [], [], (error) => this.broken(error));
  }

  /* ------------------------------------------------------------ asking */

  ask(asker: Asker, command: (commands: Commands, token: number) => void): number {
    if (this.closed) {
      asker.fail(this.closed);
      return -1;
    }
    const token = this.desk.register(asker);
    command(this, token);
    this.kick();
    return token;
  }

  /** What is answered with a number or a value. */
  private request<T>(kind: number, a = 0, b = 0, c = 0, text?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const frame = kind >= wire.CANCEL && kind <= wire.REDRIVE ? this.client.said + 1 : undefined;
      const asker = { frame, done: resolve as (value: number) => void, value: resolve as (value: unknown) => void, fail: reject };
      this.ask(asker, (_, token) => this.order(text, kind, token, a, b, c));
    });
  }

  depart(outgoing: Outgoing): void {
    if (this.closed) return outgoing.fail(this.closed);
    this.desk.collect(outgoing);
    this.kick();
  }

  get crowded(): boolean {
    return this.channel.crowded;
  }

  urge(): void {
    this.flush();
  }

  stopWaiting(token: number): void {
    if (this.closed) return;
    this.order(undefined, wire.UNRECEIVE, token);
    this.kick();
  }

  recall(outgoing: Outgoing): boolean {
    this.kick();
    return this.desk.recall(outgoing, this);
  }

  fail(owner: unknown, error: unknown): void {
    this.desk.failSends(owner, error, this);
  }

  private order(text: string | undefined, kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0): boolean {
    return this.client.order(this.now(), text, kind, a, b, c, d, e, f, g, h, i);
  }

  send(token: number, _queue: number, count: number, size: number, sizes: Float64Array | undefined, delayMs: number, expiresMs: number, kind: number, more: number, key: string | undefined, moreBytes: number): void {
    if (sizes) this.client.sizes(sizes);
    this.order(key, wire.SEND, token, count, sizes ? 0 : size, delayMs, expiresMs, kind + (key === undefined ? 0 : 4), more, moreBytes);
  }

  unsend(token: number): boolean {
    return this.order(undefined, wire.UNSEND, token);
  }

  receive(token: number, _queue: number, max: number, leaseMs: number, wait: boolean): void {
    this.order(undefined, wire.RECEIVE, token, max, leaseMs, wait ? 1 : 0);
  }

  unreceive(token: number): void {
    this.order(undefined, wire.UNRECEIVE, token);
  }

  settle(token: number, _queue: number, kind: number, number: number, index: number, count: number, grant: number, argument: number, text?: string): void {
    // What goes back unread lies here still.
    if (kind === effect.RELEASE) this.shelf.drop(number, index, count, grant);
    this.order(text, wire.SETTLE, token, kind, number, index, count, grant, argument, text === undefined ? 0 : 1);
  }

  sends(): number {
    return this.client.sends();
  }

  abandoned(): void {}

  private kick(): void {
    if (this.flushing || this.closed) return;
    this.flushing = true;
    soon(() => {
      this.flushing = false;
      this.flush();
    });
  }

  join(): void {
    if (this.flushing) this.flush();
  }

  /** Everything that may go goes, in as few frames as it fits into. */
  private flush(): void {
    if (this.closed) return;
    this.leases.flush();
    this.desk.load(this);
    while (this.client.plan(this.now())) this.post();
    this.channel.settle();
    if (this.desk.isIdle) this.channel.spare.clear();
    this.tell(undefined);
    this.setTimer();
  }

  private post(): void {
    const { segments, headers } = this.desk.bodies(this, this.client.said + 1);
    const beside = new Beside(true);
    const lengths: number[] = [];
    let place = 0;
    for (const segment of segments) {
      const own = headersBetween(headers, place, segment.count);
      this.client.piece(segment.count, packed(segment, own !== undefined, lengths));
      beside.addBodies(segment);
      if (own) beside.addValue(own);
      place += segment.count;
    }
    const length = this.client.frame(lengths.length ? Uint32Array.from(lengths) : undefined);
    const texts = (this.client.texts() ?? NONE) as string[];
    this.channel.post(frameMade(length), texts, beside);
  }

  private setTimer(): void {
    this.alarm.set(this.client.deadline(), this.client.waiting(), () => this.kick());
    const watched = this.hosts !== undefined || this.desk.isIdle;
    this.silence.set(watched ? Infinity : Math.max(this.heardAt, this.askedAt) + SILENT_MS, false, () => this.askHost());
  }

  /** The host has been silent for long: it may be gone. Any word of it will do. */
  private askHost(): void {
    if (this.closed) return;
    if (this.askedAt > 0) return this.gone();
    this.askedAt = this.now();
    this.request(wire.FLUSH).catch(() => undefined);
  }

  /* ----------------------------------------------------------- hearing */

  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    if (this.closed) return;
    // Someone begins to serve here.
    if (session === 0 && Array.isArray(texts) && texts[0] === this.name) return this.welcome?.again();
    if (session === this.session) this.channel.arrived(frame, list(texts), list(values));
  }

  get heard(): number {
    return this.client.heard;
  }

  get over(): boolean {
    return this.closed !== undefined;
  }

  broken(error: unknown): void {
    this.end(error);
  }

  get talking(): boolean {
    return this.client.waiting();
  }

  hear(frame: Uint8Array | undefined, texts: readonly unknown[], values: readonly unknown[]): void {
    const accepted = frame ? undefined : this.channel.accept(values);
    if (accepted === false) return;
    if (accepted) {
      this.order(undefined, wire.SHARED, 1);
      // This still goes through the port: the host looks into the ring from then on.
      this.flush();
      return this.channel.share();
    }
    try {
      const now = this.now();
      giveFrame(frame ?? NOTHING);
      this.client.hear(now);
      this.heardAt = now;
      this.askedAt = 0;
      this.tell(new Along(values, texts, () => this.client.lengths(), this.channel.lentTo));
    } catch (error) {
      if ((error as Error).message === "version") return this.end(versionError("host"));
      this.strikes += 1;
      if (this.strikes >= STRIKES_MAX || (error as Error).name !== "FrameError") this.end(platformError("DataError", `the host of ${show(this.name)} sends frames that make no sense: ${(error as Error).message}`));
    }
    this.kick();
  }

  private tell(along: Along | undefined): void {
    const rows = numbers(this.client.notices());
    for (let at = 0; at < rows.length; at += effect.WIDTH) {
      if (rows[at] < effect.DEAD) this.desk.tell(rows, at);
      else if (rows[at] < wire.ARRIVED) this.tellOnlookers(rows, at);
      else this.tellAnswer(rows, at, along!);
    }
  }

  private tellOnlookers(rows: readonly number[], at: number): void {
    const [kind, a, b, c, d, e] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4], rows[at + 5]];
    if (kind === effect.GONE) this.shelf.drop(a, b, c, d);
    else if (kind === effect.LEASE_LOST) this.leases.lost(b, c, d, e);
    else if (kind === effect.DROPPED) this.everyOnlooker((onlooker) => onlooker.dropped(b, c, d, e));
    else this.everyOnlooker((onlooker) => onlooker.gone());
  }

  private tellAnswer(rows: readonly number[], at: number, along: Along): void {
    const [kind, a, b, c, d] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]];
    switch (kind) {
      case wire.ARRIVED: {
        const { parcel, headers } = along.bodies(d, rows[at + 9]);
        return this.shelf.add(b, c, d, rows[at + 5], parcel, headers);
      }
      case wire.ANSWER + wire.VALUE: {
        // What goes along is taken off though nobody waits for it any more.
        const value = along.nextValue();
        return this.desk.take(a)?.value?.(value);
      }
      case wire.ANSWER + wire.FAILED: {
        const error = b === wire.FORBIDDEN ? this.forbidden() : remoteError(along, b === wire.UNKNOWN_OUTCOME);
        if (d > 0) return this.desk.failThere(a, c, d, error);
        return this.desk.take(a)?.fail(error);
      }
      case wire.ANSWER + wire.BACKLOG: {
        const changed = this.known[0] !== a;
        this.known = [a, b, c];
        if (changed) this.everyOnlooker((onlooker) => onlooker.depth(a));
        return;
      }
      case wire.ANSWER + wire.DEAD: {
        const reason = along.nextText();
        return this.everyOnlooker((onlooker) => onlooker.dead(b, c, d, reason));
      }
      case wire.ANSWER + wire.STORAGE: {
        const error = remoteError(along, false);
        return this.everyOnlooker((onlooker) => onlooker.storage(STORAGE[a], a === 0 ? undefined : error));
      }
      case wire.ANSWER + wire.CLOSED: {
        const error = remoteError(along, false);
        if (this.welcome) this.welcome.reject(error);
        return this.end(error, this.client.known);
      }
      default:
        this.welcomed(a, b, along);
    }
  }

  private welcomed(visibilityMs: number, durability: number, along: Along): void {
    this.visibilityMs = visibilityMs;
    this.durability = DURABILITIES[durability];
    this.storage = along.nextText();
    const lock = along.nextText();
    if (lock) this.hosts = Presence.watch(lock, this.gone);
    this.welcome?.resolve();
  }

  private everyOnlooker(tell: (onlooker: Onlooker) => void): void {
    for (const onlooker of [...this.handle.onlookers]) tell(onlooker);
  }

  private forbidden(): DOMException {
    return platformError("NotAllowedError", `the host of ${show(this.name)} does not allow that to this port`);
  }

  /* ------------------------------------------------------- the same API */

  backlog(): ArrayLike<number> {
    return this.known;
  }

  fresh(): Promise<void> {
    return Promise.resolve();
  }

  async flushed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await abortable(signal, this.request(wire.FLUSH));
  }

  load(deliveries: Delivery[]): Part[][] {
    return deliveries.map((delivery) => this.shelf.take(delivery));
  }

  metrics(): Promise<QueueMetrics | undefined> {
    return this.request(wire.METRICS);
  }

  peek(max: number, state: MessageState | undefined): Promise<MessageInfo[]> {
    return this.request(wire.PEEK, max, state === undefined ? 0 : STATES.indexOf(state) + 1);
  }

  async cancel(number: number, index: number): Promise<boolean> {
    return (await this.request<number>(wire.CANCEL, number, index)) === 1;
  }

  purge(): Promise<number> {
    return this.request(wire.PURGE);
  }

  async pause(paused: boolean): Promise<void> {
    await this.request(wire.PAUSE, paused ? 1 : 0);
  }

  redrive(to: string | undefined, max: number, rate: number): Promise<number> {
    return this.request(wire.REDRIVE, max, rate, to === undefined ? 0 : 1, to);
  }

  receiving(): void {}

  listen(): void {
    if (this.closed) return;
    this.order(undefined, wire.LISTEN, 1);
    this.kick();
  }

  /* ------------------------------------------------------------- ending */

  /** The host is, without a word. */
  readonly gone = (): void => {
    this.end(undefined);
  };

  /** `error` undefined: the host is gone, with what was under way. `heard`: so many of our frames it has heard, at most. */
  private end(error: unknown, heard = Infinity): void {
    if (this.closed) return;
    const why = `the context that serves the queue ${show(this.name)} is gone`;
    this.closed = error ?? new StorageLostError(why, false);
    this.alarm.clear();
    this.silence.clear();
    this.port.leave(this);
    this.channel.close();
    this.own?.end();
    this.hosts?.end();
    this.welcome?.reject(this.closed);
    this.leases.loseAll();
    this.desk.failAtHost(new StorageLostError(error ? `the port to the queue ${show(this.name)} was closed before there was an answer: ${messageOf(error)}` : why, true), heard);
    this.desk.failAll(this.closed);
    this.everyOnlooker((onlooker) => onlooker.error(this.closed));
  }

  async release(onlooker: Onlooker): Promise<void> {
    this.handle.onlookers.delete(onlooker);
    // What was called off, and was on its way already, is told what became of it.
    if (!this.closed && this.desk.someAtHost) await this.request(wire.FLUSH).catch(() => undefined);
    if (this.closed) return;
    this.order(undefined, wire.BYE);
    this.flush();
    this.end(closedError(this.name));
  }
}

const NONE: readonly string[] = [];
const NOTHING = new Uint8Array();

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
