/** A client: the end of a port at which a queue is used that another context serves. */

import { abortable } from "../schedule/cancellation";
import { Alarm } from "../schedule/alarm";
import type { Backing } from "../journal/backend";
import type { Commands } from "../engine/commands";
import * as border from "../engine/codes";
import type { Asker, Delivery, Handle, Onlooker, Part } from "../engine/effects";
import { StorageLostError, closedError, platformError, show } from "../contract/errors";
import { messageOf } from "../contract/foreign";
import { Leases } from "../delivery/leases";
import type { PolicyOptions } from "../contract/options";
import type { BYTES } from "../bodies/pack";
import type { EventPort } from "../contract/platform";
import type { Outgoing } from "../journal/sends";
import { soon } from "../schedule/microtask";
import type { Clock, MessageInfo, MessageState, Queue, QueueMetrics } from "../contract/types";
import { Answers } from "./answers";
import { Beside } from "./attachments";
import { Along } from "./bodies";
import { Channel, type End } from "./transport";
import { versionError } from "./errors";
import * as frame from "./frame";
import { AHEAD_TOKEN, Draft } from "./frame";
import { Inbound } from "./inbound";
import { Multiplexer, type Station } from "./multiplexer";
import { Outbound } from "./outbound";
import * as presence from "./presence";
import { Shelf } from "./arrived-bodies";

/** So many frames of the host may make no sense. */
const STRIKES_MAX = 3;
/** Where no lock tells of the host's life: how long it may be silent while it is to answer before it is asked, and then again. */
const SILENT_MS = 15_000;
/** So many frames of the host may be heard without a word: it is told from time to time, even if there is nothing else to say. */
const UNTOLD_MAX = 16;
/** What changes something at the host. */
const CHANGES = new Set([frame.CANCEL, frame.PURGE, frame.PAUSE, frame.REDRIVE]);

/** Who waits for a welcome. */
interface Welcome {
  resolve(): void;
  reject(error: unknown): void;
  /** Someone begins to serve here. */
  again(): void;
}

export class ClientBacking implements Backing, End, Station {
  readonly handle: Handle;
  readonly leases = new Leases((asker, command) => this.ask(asker, command), () => this.now());
  closed: unknown;
  visibilityMs = 0;
  /** Orders of the frame that is being made. */
  readonly draft = new Draft();
  readonly session = Math.floor(Math.random() * 2 ** 52) + 1;
  private readonly port: Multiplexer;
  private readonly channel: Channel;
  readonly shelf = new Shelf();
  readonly outbound = new Outbound();
  readonly inbound = new Inbound(this);
  private readonly answers = new Answers(this);
  private readonly alarm: Alarm;
  private readonly silence: Alarm;
  /** Who asked, by token; senders are the outbound's. */
  asked = new Map<number, Asker & { frame?: number }>();
  private token = 0;
  /** Sends to which more may be added until they go. */
  private collecting = new Set<Outgoing>();
  /** Called when no send waits for credit. */
  private unblocked: (() => void)[] = [];
  private number = 0;
  /** The number of the last frame of the host that it was told of. */
  private told = 0;
  /** The present was no earlier. */
  private latest = 0;
  private strikes = 0;
  private heardAt = 0;
  /** When the host was asked for a word; 0: it has answered. */
  private askedAt = 0;
  private flushing = false;
  private storage = "";
  private durability: Queue["mode"]["durability"] = "none";
  /** Our own lock. */
  own: presence.Release | undefined;
  private hosts: presence.Release | undefined;
  private welcome: Welcome | undefined;

  constructor(readonly name: string, port: EventPort, readonly clock: Clock, policy: PolicyOptions) {
    this.handle = {
      name,
      id: 0,
      policy: policy.numbers,
      packs: true,
      parcel: (form, length) => this.channel.open(form as typeof BYTES, length, this.outbound.isBlocked),
      deadLetterQueue: policy.deadLetterQueue,
      onlookers: new Set(),
      ready: undefined,
    };
    this.alarm = new Alarm(clock);
    this.silence = new Alarm(clock);
    this.port = Multiplexer.at(port, this);
    this.channel = new Channel(this.port, this.session, this);
  }

  get mode(): Queue["mode"] {
    return { storage: this.storage, durability: this.durability, transport: this.channel.shared ? "shared-memory" : "port" };
  }

  /** The present time; a clock that was set back goes on from where it was, as timers tell. */
  now(): number {
    return (this.latest = this.alarm.now(this.latest));
  }

  /* ----------------------------------------------------------- opening */

  /** Its host may welcome it from now on: `welcome` hears of that, and of its end before. */
  begin(welcome: Welcome | undefined): void {
    this.welcome = welcome;
  }

  /** A first frame, made now, which may be posted again and again. */
  hello(fill: (draft: Draft) => string[]): () => void {
    const texts = fill(this.draft);
    const first = this.frameMade().slice();
    return () => this.port.post(this.channel, first, texts, [], []);
  }

  welcomed(visibilityMs: number, durability: number, messages: number, bytes: number, along: Along): void {
    this.visibilityMs = visibilityMs;
    this.durability = frame.DURABILITIES[durability];
    this.outbound.credit.grant(messages, bytes);
    this.storage = along.nextText();
    const lock = along.nextText();
    if (lock) this.hosts = presence.watch(lock, this.gone);
    this.welcome?.resolve();
  }

  /* ------------------------------------------------------------ asking */

  private register(asker: Asker): number {
    do this.token = (this.token + 1) % AHEAD_TOKEN; while (this.asked.has(this.token));
    this.asked.set(this.token, asker);
    return this.token;
  }

  ask(asker: Asker, command: (commands: Commands, token: number) => void): number {
    if (this.closed) {
      asker.fail(this.closed);
      return -1;
    }
    const token = this.register(asker);
    command(this.commands, token);
    this.kick();
    return token;
  }

  private readonly commands: Commands = {
    receive: (token, _queue, max, leaseMs, wait) => this.inbound.receive(token, max, leaseMs, wait),
    settle: (token, _queue, kind, number, index, count, grant, argument, text) => {
      // What goes back unread lies here still.
      if (kind === border.RELEASE) this.shelf.drop(number, index, count, grant);
      this.order(text, frame.SETTLE, token, kind, number, index, count, grant, argument, text === undefined ? 0 : 1);
      this.asked.get(token)!.frame = this.number + 1;
    },
  };

  /** What is answered with a number or a value. */
  private request<T>(kind: number, a = 0, b = 0, c = 0, text?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const asker: Asker & { frame?: number } = {
        done: resolve as (value: number) => void,
        value: resolve as (value: unknown) => void,
        fail: reject,
      };
      this.ask(asker, (_, token) => this.order(text, kind, token, a, b, c));
      if (CHANGES.has(kind)) asker.frame = this.number + 1;
    });
  }

  depart(outgoing: Outgoing): void {
    if (this.closed) return outgoing.fail(this.closed);
    this.collecting.add(outgoing);
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
    this.inbound.unreceive(token);
    this.kick();
  }

  recall(outgoing: Outgoing): boolean {
    if (this.collecting.delete(outgoing)) return true;
    const token = this.outbound.callOff(outgoing);
    if (typeof token === "number") {
      this.order(undefined, frame.UNSEND, token);
      this.kick();
    }
    return token === true;
  }

  fail(owner: unknown, error: unknown): void {
    const collected = [...this.collecting].filter((outgoing) => outgoing.owner === owner || outgoing.handle === owner);
    for (const outgoing of [...collected, ...this.outbound.of(owner)]) {
      if (!outgoing.left) continue;
      if (this.recall(outgoing)) outgoing.fail(error);
      // Should it be in time at the host, this is why.
      else outgoing.withdrawn ??= error;
    }
  }

  /** Says something with the next frame; a text goes along. */
  order(text: string | undefined, kind: number, ...fields: number[]): void {
    if (this.draft.isFull) this.post();
    if (text !== undefined) this.draft.texts.push(text);
    this.draft.row(kind, ...fields);
  }

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
    const { collecting } = this;
    if (collecting.size) this.collecting = new Set();
    for (const outgoing of collecting) {
      outgoing.departed = true;
      if (outgoing.left) this.outbound.add(this.nextToken(), outgoing);
    }
    this.inbound.giveBack(this.now(), false);
    // It may be closed by what can't be posted.
    while (!this.closed && this.post());
    this.channel.settle(!this.talking);
    if (!this.outbound.isBlocked) { for (const resolve of this.unblocked.splice(0)) resolve(); }
    this.setTimer();
  }

  private nextToken(): number {
    return (this.token = (this.token + 1) % AHEAD_TOKEN);
  }

  /** Posts a frame of what there is. False: there is nothing. */
  private post(): boolean {
    const beside = new Beside(true);
    this.outbound.load(this.draft, beside, this.number + 1);
    if (this.draft.isEmpty && !this.answers.pinged && this.heard - this.told < UNTOLD_MAX) return false;
    this.answers.pinged = false;
    const texts = this.draft.texts.splice(0);
    this.channel.post(this.frameMade(), texts, beside);
    return true;
  }

  private frameMade(): Float64Array {
    this.told = this.heard;
    return this.draft.frame(this.number += 1, this.heard, this.now());
  }

  private setTimer(): void {
    if (this.closed) return;
    this.alarm.set(this.inbound.deadline, this.talking, () => this.kick());
    const watched = this.hosts !== undefined || !this.talking;
    this.silence.set(watched ? Infinity : Math.max(this.heardAt, this.askedAt) + SILENT_MS, false, () => this.askHost());
  }

  /** The host has been silent for long: it may be gone. Any word of it will do. */
  private askHost(): void {
    if (this.closed) return;
    if (this.askedAt > 0) return this.gone();
    this.askedAt = this.now();
    this.request(frame.FLUSH).catch(() => undefined);
  }

  /* ----------------------------------------------------------- hearing */

  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    if (this.closed) return;
    // Someone begins to serve here.
    if (session === 0 && Array.isArray(texts) && texts[0] === this.name) return this.welcome?.again();
    if (session === this.session) this.channel.arrived(frame, list(texts), list(values));
  }

  get heard(): number {
    return this.answers.heard;
  }

  get over(): boolean {
    return this.closed !== undefined;
  }

  dismiss(error: unknown): void {
    this.end(error);
  }

  sharing(): void {
    this.order(undefined, frame.SHARED, 1);
    this.flush();
  }

  /** An answer is awaited. */
  get talking(): boolean {
    return this.asked.size > 0 || !this.outbound.isIdle;
  }

  hear(heard: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    if (heard === undefined && this.channel.accept(values)) return;
    try {
      const answers = frame.read(heard, frame.ANSWERS);
      const now = this.now();
      this.answers.tellAll(answers, new Along(values, texts, answers.lengths, this.channel.lentTo), this.number, now);
      [this.heardAt, this.askedAt] = [now, 0];
    } catch (error) {
      this.strike(error as Error);
    }
    this.kick();
  }

  private strike({ name, message }: Error): void {
    this.strikes += 1;
    const says = `the host of ${show(this.name)} sends frames that make no sense: ${message}`;
    if (name === "VersionError") this.end(versionError(`the host of ${show(this.name)}`));
    else if (this.strikes >= STRIKES_MAX || name !== "FrameError") this.end(platformError("DataError", says));
  }

  take(token: number): Asker | undefined {
    const asker = this.asked.get(token);
    this.asked.delete(token);
    return asker;
  }

  dismissed(error: unknown): void {
    this.welcome?.reject(error);
    this.end(error, this.answers.hostHeard);
  }

  everyOnlooker(tell: (onlooker: Onlooker) => void): void {
    for (const onlooker of [...this.handle.onlookers]) tell(onlooker);
  }

  forbidden(): DOMException {
    return platformError("NotAllowedError", `the host of ${show(this.name)} does not allow that to this port`);
  }

  /* ----------------------------------------------- what receives ask of us */

  deliver(token: number, delivery: Delivery): void {
    this.asked.get(token)?.delivered?.(delivery);
  }

  received(token: number): void {
    this.take(token)?.received?.();
  }

  giveBack({ number, index, count, grant }: Delivery): void {
    this.order(undefined, frame.SETTLE, AHEAD_TOKEN, border.RELEASE, number, index, count, grant);
    this.drop(number, index, count, grant);
  }

  drop(number: number, index: number, count: number, grant: number): void {
    this.shelf.drop(number, index, count, grant);
  }

  /* ------------------------------------------------------- the same API */

  backlog(): ArrayLike<number> {
    return this.answers.backlog;
  }

  fresh(): Promise<void> {
    return Promise.resolve();
  }

  async flushed(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const gone = new Promise<void>((resolve) => this.unblocked.push(resolve));
    this.kick();
    await abortable(signal, gone.then(() => this.request(frame.FLUSH)));
  }

  load(deliveries: Delivery[]): Part[][] {
    return deliveries.map((delivery) => this.shelf.take(delivery));
  }

  metrics(): Promise<QueueMetrics | undefined> {
    return this.request(frame.METRICS);
  }

  peek(max: number, state: MessageState | undefined): Promise<MessageInfo[]> {
    return this.request(frame.PEEK, max, state === undefined ? 0 : border.STATES.indexOf(state) + 1);
  }

  async cancel(number: number, index: number): Promise<boolean> {
    this.inbound.giveBackOne(number, index);
    return (await this.request<number>(frame.CANCEL, number, index)) === 1;
  }

  purge(): Promise<number> {
    return this.request(frame.PURGE);
  }

  async pause(paused: boolean): Promise<void> {
    await this.request(frame.PAUSE, paused ? 1 : 0);
  }

  redrive(to: string | undefined, max: number, rate: number): Promise<number> {
    return this.request(frame.REDRIVE, max, rate, to === undefined ? 0 : 1, to);
  }

  receiving(): void {}

  listen(): void {
    if (this.closed) return;
    this.order(undefined, frame.LISTEN, 1);
    this.kick();
  }

  /* ------------------------------------------------------------- ending */

  /** The host is, without a word. */
  readonly gone = (): void => this.end(undefined);

  /** `error` undefined: the host is gone, with what was under way. `heard`: the last of our frames that it may have heard. */
  end(error: unknown, heard = Infinity): void {
    if (this.closed) return;
    const why = `the context that serves the queue ${show(this.name)} is gone`;
    this.closed = error ?? new StorageLostError(why, false);
    const unknown = new StorageLostError(
      error ? `the port to the queue ${show(this.name)} was closed before there was an answer: ${messageOf(error)}` : why,
      true,
    );
    this.alarm.clear();
    this.silence.clear();
    this.port.leave(this);
    this.channel.close();
    this.own?.();
    this.hosts?.();
    this.welcome?.reject(this.closed);
    this.leases.loseAll();
    for (const { outgoing, gone } of this.outbound.end(heard)) if (outgoing.left) outgoing.fail(gone ? unknown : this.closed);
    for (const outgoing of this.collecting) outgoing.fail(this.closed);
    this.collecting.clear();
    const { asked } = this;
    this.asked = new Map();
    for (const asker of asked.values()) asker.fail(asker.frame! <= heard ? unknown : this.closed);
    for (const resolve of this.unblocked.splice(0)) resolve();
    this.everyOnlooker((onlooker) => onlooker.error(this.closed));
  }

  async release(onlooker: Onlooker): Promise<void> {
    this.handle.onlookers.delete(onlooker);
    this.leases.flush();
    // What was called off, and was on its way already, is told what became of it; and what was given back is heard before our lock is free.
    if (!this.closed && (this.outbound.someGone || this.asked.size > 0)) await this.request(frame.FLUSH).catch(() => undefined);
    if (this.closed) return;
    this.inbound.giveBack(this.now(), true);
    this.order(undefined, frame.BYE);
    this.flush();
    this.end(closedError(this.name));
  }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
