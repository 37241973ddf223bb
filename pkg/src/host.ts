/** A host: the end of a port at which a queue is served, for every client that says hello there. */

import { Alarm } from "./alarm";
import type { Asker, Delivery, Onlooker, Part } from "./effects";
import { frameMade, giveFrame, numbers } from "./crossing";
import { PortHost, Presence } from "./engine";
import { closedError, platformError } from "./errors";
import type { LocalBacking } from "./local";
import * as effect from "./effects";
import type { EventPort } from "./platform";
import { ServedOutgoing } from "./served";
import { unreadable } from "./receive";
import { Stop } from "./stop";
import type { Serving } from "./types";
import { disposable } from "./dispose";
import { headersBetween } from "./headers";
import { STATES } from "./inspect";
import { Multiplexer, type Station } from "./multiplexer";
import { Beside, Channel, type End } from "./channel";
import { frameError, textsOf } from "./told";
import { Along, isFirst, packed } from "./wire";
import * as wire from "./wire";

export const ALLOW = { send: 1, receive: 2, admin: 4 };
const DURABILITY = { none: 0, relaxed: 1, strict: 2 };
/** A frame with so many bytes of bodies goes before more are added: shared memory has room for a few of these. */
const FULL_BYTES = 1 << 20;
/** Where no lock tells of a client's life: how long it may be silent while it holds something before it is asked, and then again. */
const SILENT_MS = 15_000;
const STORAGE = { ok: 0, degraded: 1, lost: 2 };

/** Serves one queue at one port. */
export class PortServing implements Serving, Station {
  private readonly target: Multiplexer;
  private readonly clients = new Map<number, ServedClient>();
  private presence: Presence | undefined;
  /** The name of its lock, once that is held, where there are any. */
  private readonly lock: Promise<string>;
  private closing: Promise<void> | undefined;

  /** `agree` throws where a client names another policy than the queue has; `over` is called when it ends. */
  constructor(
    readonly backing: LocalBacking,
    readonly port: unknown,
    target: EventPort,
    private readonly allow: number,
    private readonly agree: (policy: Float64Array, letters: string | undefined | null) => void,
    private readonly over: () => void,
  ) {
    this.target = Multiplexer.at(target, this);
    this.lock = new Promise((settled) => {
      const name = `posthaste:host:${Math.random().toString(36).slice(2)}`;
      this.presence = Presence.hold(name, () => settled(name));
    });
    this.target.post(0, undefined, [backing.handle.name], [], [], () => undefined);
  }

  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    if (typeof session !== "number" || session === 0) return;
    const along = [Array.isArray(texts) ? texts : [], Array.isArray(values) ? values : []] as const;
    const known = this.clients.get(session);
    if (known) return known.arrived(frame, ...along);
    // Only who says hello to this queue is one of ours: a later frame may bring its name as well, for another queue at this port.
    if (this.closing || along[0][0] !== this.backing.handle.name || !(frame instanceof Uint8Array) || !isFirst(frame)) return;
    const client = new ServedClient(this.backing, this.target, session, this.allow, () => this.clients.delete(session));
    this.clients.set(session, client);
    client.greet(frame, along[0] as string[], this.agree, this.lock);
  }

  join(): void {
    for (const client of this.clients.values()) client.join();
  }

  /** The platform says that the other side of the port is gone, with all clients there. */
  gone(): void {
    for (const client of [...this.clients.values()]) client.end();
    void this.close();
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    for (const client of [...this.clients.values()]) client.dismiss(closedError(this.backing.handle.name));
    this.target.leave(this);
    this.presence?.end();
    this.over();
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

disposable(PortServing.prototype, (serving) => serving.close());

/** One client of a served queue. */
class ServedClient implements Onlooker, End {
  readonly outgoing = new Set<ServedOutgoing>();
  readonly pieces = new Map<number, ServedOutgoing>();
  private readonly host: PortHost;
  private readonly channel: Channel;
  private beside = new Beside(false);
  private texts: string[] = [];
  private readonly receives = new Map<number, number>();
  /** Receives that wait to be asked for, by their tokens. */
  private readonly asking = new Set<number>();
  private presence: Presence | undefined;
  private flushing = false;
  over = false;
  private hellos = 0;
  private receivesNow = 0;
  /** Ends when everything is delivered whose bodies are being loaded. */
  private loaded: Promise<void> | undefined;
  listening = false;
  private readonly silence: Alarm;
  /** When it was heard, and asked for a word; 0: it has answered. */
  private heardAt = 0;
  private askedAt = 0;

  constructor(readonly backing: LocalBacking, port: Multiplexer, session: number, allow: number, private readonly leave: () => void) {
    this.host = new PortHost(allow);
    this.silence = new Alarm(backing.clock);
    this.channel = new Channel(port, session, this);
  }

  get heard(): number {
    return this.host.heard;
  }

  broken(error: unknown): void {
    this.dismiss(error);
  }

  /** Whoever consumes waits for what this client sends. */
  get talking(): boolean {
    return true;
  }

  get consuming(): boolean {
    return this.receivesNow > 0;
  }

  /* ---------------------------------------------------------- greeting */

  greet(frame: Uint8Array, texts: string[], agree: (policy: Float64Array, letters: string | undefined | null) => void, lock: Promise<string>): void {
    let rows: readonly number[];
    try {
      rows = this.understood(frame, texts.length, 0);
      if (rows[0] !== wire.HELLO || rows[effect.WIDTH] !== wire.POLICY) throw new TypeError("a client did not say hello first");
      const policy = Float64Array.of(...rows.slice(effect.WIDTH + 1, 2 * effect.WIDTH), ...rows.slice(3, 6));
      agree(policy, [undefined, texts[2], null][rows[2]]);
    } catch (error) {
      return this.dismiss(frameError(error as Error));
    }
    // Whose lock is held here shares its locks with the host, and each can watch the other. Before that there is no welcome:
    // a client that is gone by then holds nothing yet, and one that is welcome knows whether the host's lock says anything.
    void Promise.all([texts[1] && Presence.isHeld(texts[1]), lock]).then(([shared, name]) => {
      if (this.over) return;
      if (shared) this.presence = Presence.watch(texts[1], () => this.end());
      this.welcome(rows[1] > 0, shared ? name : "");
    });
  }

  private welcome(sharing: boolean, lock: string): void {
    if (sharing) this.channel.offer();
    const { durability, storage } = this.backing.mode;
    this.texts.push(storage, lock);
    this.answer(wire.WELCOME, this.backing.visibilityMs, DURABILITY[durability]);
    this.backing.handle.onlookers.add(this);
  }

  /* ----------------------------------------------------------- hearing */

  arrived(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    if (!this.over) this.channel.arrived(frame, texts, values);
  }

  hear(frame: Uint8Array | undefined, texts: readonly unknown[], values: readonly unknown[]): void {
    if (!frame && this.channel.acceptBell(values)) return;
    let rows: readonly number[];
    const bytes = frame ?? NOTHING;
    try {
      // A hello that was said again before the welcome came.
      if (isFirst(bytes) && this.host.heard > 0 && this.hellos++ < HELLOS_MAX) return;
      rows = this.understood(bytes, texts.length, values.length);
    } catch (error) {
      if (this.host.strike()) this.dismiss(platformError("DataError", `the frames of a client make no sense: ${(error as Error).message}`));
      return;
    }
    try {
      const along = new Along(values, texts, () => this.host.lengths(), this.channel.lentTo);
      for (let at = 0; at < rows.length && !this.over; at += effect.WIDTH) this.carryOut(rows, at, along);
    } catch (error) {
      this.dismiss(error);
    }
    void this.flushSoon();
  }

  /** The orders of a frame. */
  private understood(frame: Uint8Array, texts: number, values: number): readonly number[] {
    giveFrame(frame);
    const rows = numbers(this.host.hear(texts, values));
    [this.heardAt, this.askedAt] = [this.silence.now(this.heardAt), 0];
    return rows;
  }

  private carryOut(rows: readonly number[], at: number, along: Along): void {
    const [kind, a, b, c, d] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]];
    switch (kind) {
      case wire.SEND:
        return this.send(rows, at, along);
      case wire.UNSEND:
        return this.unsend(a);
      case wire.RECEIVE:
        return this.receive(a, b, Math.max(0, c), (d & 1) !== 0);
      case wire.UNRECEIVE:
        return this.asking.delete(a) || !this.receives.has(a) ? undefined : this.backing.stopWaiting(this.receives.get(a)!);
      case wire.SETTLE:
        return this.settle(a, b, c, d, rows[at + 5], rows[at + 6], rows[at + 7], rows[at + 8] ? along.nextText() : undefined);
      case wire.LISTEN:
        this.listening = a === 1;
        return this.backing.listen();
      case wire.SHARED:
        return a === 1 ? this.channel.share() : undefined;
      case wire.BYE:
        return this.end();
      case 0:
        return along.skip(a, b);
      default:
        this.request(kind, a, b, c, d, along);
    }
  }

  private send(rows: readonly number[], at: number, along: Along): void {
    const [token, count, size, delayMs, expiresMs] = [rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4], rows[at + 5]];
    const [flags, more, moreBytes] = [rows[at + 6], rows[at + 7], rows[at + 8]];
    const key = flags & 4 ? along.nextText() : undefined;
    const sizes = flags & 8 ? along.sizes(count) : undefined;
    const { parcel, headers } = along.bodies(count, rows[at + 9]);
    const outgoing = new ServedOutgoing(this, token, { delayMs, expiresMs: Math.max(0, expiresMs), key }, [flags & 3, more, moreBytes], size, sizes, parcel, headers);
    this.outgoing.add(outgoing);
    this.backing.depart(outgoing);
  }

  private unsend(token: number): void {
    for (const outgoing of [...this.outgoing]) {
      if (outgoing.token === token && this.backing.recall(outgoing)) outgoing.refused(effect.WITHDRAWN, outgoing.left);
    }
  }

  private receive(token: number, max: number, leaseMs: number, wait: boolean): void {
    const { backing } = this;
    const { 0: messages, 1: bytes } = backing.backlog();
    // Of what nobody has asked for yet there is about one frame at a time, however large the bodies are.
    if (token === wire.AHEAD) max = Math.min(max, Math.ceil((FULL_BYTES * messages) / bytes) || 1);
    this.receiving(1);
    const fail = (error: unknown): void => {
      this.receiving(-1);
      this.failed(token, error);
    };
    let loaded: Promise<void> | undefined;
    const asker: Asker = {
      delivered: (delivery) => {
        if (this.over) return backing.leases.giveBack(backing.handle, delivery);
        loaded = this.inOrder(this.load(delivery), ([parts]) => this.deliver(token, delivery, parts)) ?? loaded;
      },
      received: () => {
        const end = (): void => {
          this.receives.delete(token);
          this.receiving(-1);
          this.answer(wire.RECEIVED, token);
        };
        if (loaded) void loaded.then(end, fail);
        else end();
      },
      fail,
    };
    // The lease is always named: the client leases ahead itself, and what is leased ahead here would come out of order.
    const ask = (): void => {
      if (this.over) return this.receiving(-1);
      if (before && !this.asking.delete(token)) return asker.received!();
      this.receives.set(token, backing.ask(asker, (commands, own) => commands.receive(own, backing.handle.id, max, leaseMs || backing.visibilityMs, wait, backing.clock.now())));
    };
    // What waits hears of everything new; what does not is to see what is there.
    const before = backing.handle.ready || !(wait || backing.mode.storage === "memory") ? backing.fresh() : undefined;
    if (!before) return ask();
    this.asking.add(token);
    void before.then(ask, fail);
  }

  /** The bodies of a delivery; when they can't be had now, it goes back as if it had not been taken. */
  private load(delivery: Delivery): Part[][] | Promise<Part[][]> {
    const loading = this.backing.load([delivery]);
    if (!(loading instanceof Promise)) return loading;
    return loading.catch((error: unknown) => {
      this.backing.leases.giveBack(this.backing.handle, delivery);
      throw error;
    });
  }

  /** Delivers what is loaded once what was asked for before it is; the promise of that, where it is not at once. */
  private inOrder<T>(loading: T | Promise<T>, deliver: (loaded: T) => void): Promise<void> | undefined {
    const { loaded: before } = this;
    if (!before && !(loading instanceof Promise)) return void deliver(loading);
    const mine = Promise.all([loading, before]).then(([loaded]) => deliver(loaded));
    const after = mine.catch(() => undefined).then(() => {
      if (this.loaded === after) this.loaded = undefined;
    });
    this.loaded = after;
    return mine;
  }

  private receiving(change: 1 | -1): void {
    this.receivesNow += change;
    this.backing.receiving(change);
  }

  private deliver(token: number, delivery: Delivery, parts: Part[]): void {
    // It has gone while they were loaded.
    if (this.over) return this.backing.leases.giveBack(this.backing.handle, delivery);
    const { grant, until, attempts, sent } = delivery;
    for (const part of parts) {
      const { number, index, count, parcel, offset, headers } = part;
      if (!parcel) {
        const error = unreadable(this.backing, part, grant);
        if (error !== undefined) for (const onlooker of this.backing.handle.onlookers) onlooker.error(error);
        continue;
      }
      const lengths: number[] = [];
      const own = headersBetween(headers, offset, count);
      // What is not bytes does not go by shared memory, nor what is beside it.
      if (this.channel.shared && this.beside.mixes(parcel)) this.flush();
      const segment = { parcel, from: offset, count };
      this.beside.addBodies(segment);
      if (own) this.beside.addValue(own);
      const form = packed(segment, own !== undefined, lengths);
      this.answer(wire.DELIVERED, token, number, index, count, grant, until, attempts, sent, form, lengths.length ? Uint32Array.from(lengths) : undefined);
    }
  }

  private settle(token: number, kind: number, number: number, index: number, count: number, grant: number, argument: number, text: string | undefined): void {
    const asker: Asker = {
      lost: (number, index, count) => this.answer(wire.LOST, token, number, index, count),
      done: () => this.answer(wire.DONE, token, 1),
      fail: (error) => this.failed(token, error),
    };
    this.backing.ask(asker, (commands, own) => commands.settle(own, this.backing.handle.id, kind, number, index, count, grant, argument, text));
  }

  private request(kind: number, token: number, a: number, b: number, c: number, along: Along): void {
    const { backing } = this;
    const number = (value: number): void => this.answer(wire.DONE, token, value);
    const value = (value: unknown): void => {
      this.beside.addValue(value);
      this.answer(wire.VALUE, token);
    };
    const fail = (error: unknown): void => this.failed(token, error);
    if (kind === wire.METRICS) backing.metrics().then(value, fail);
    else if (kind === wire.PEEK) backing.peek(a, STATES[b - 1]).then(value, fail);
    else if (kind === wire.CANCEL) backing.cancel(a, b).then((done) => number(done ? 1 : 0), fail);
    else if (kind === wire.PURGE) backing.purge().then(number, fail);
    else if (kind === wire.PAUSE) backing.pause(a === 1).then(() => number(1), fail);
    else if (kind === wire.REDRIVE) backing.redrive(c ? along.nextText() : undefined, a, b, new Stop()).then(number, fail);
    else if (kind === wire.FLUSH) backing.flushed().then(() => number(1), fail);
  }

  /* --------------------------------------------------------- answering */

  answer(kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, lengths?: Uint32Array): void {
    if (this.over) return;
    this.host.answer(lengths, kind, a, b, c, d, e, f, g, h, i);
    if (this.host.isFull() || this.beside.size >= FULL_BYTES) this.flush();
    else void this.flushSoon();
  }

  /** `count`: of a send only so many, from that place on among those that have no answer. */
  failed(token: number, error: unknown, place = 0, count = 0): void {
    this.texts.push(...textsOf(error));
    this.receives.delete(token);
    this.asking.delete(token);
    this.answer(wire.FAILED, token, (error as { outcomeUnknown?: boolean })?.outcomeUnknown ? wire.UNKNOWN_OUTCOME : 0, place, count);
  }

  /** Once whoever consumes here has had what came: what that sends elsewhere goes first, and an answer may go along. */
  private async flushSoon(): Promise<void> {
    if (this.flushing || this.over) return;
    this.flushing = true;
    for (let step = 0; this.flushing && step < PATIENCE; step += 1) await undefined;
    this.join();
  }

  /** Something is to be said soon: it is said now. */
  join(): void {
    if (this.flushing && !this.over) this.flush();
  }

  private flush(): void {
    this.flushing = false;
    const { 0: count, 1: bytes, 2: oldest } = this.backing.backlog();
    this.host.answer(undefined, wire.BACKLOG, count, bytes, oldest, 0, 0, 0, 0, 0, 0);
    this.watch();
    const frame = frameMade(this.host.frame(this.backing.leases.now()));
    const { beside, texts } = this;
    this.beside = new Beside(false);
    this.texts = [];
    this.channel.post(frame, texts, beside);
  }

  /* ------------------------------------------------------------ events */

  depth(): void {
    if (this.host.tellsEvents()) void this.flushSoon();
  }

  dead(number: number, index: number, count: number, reason: string): void {
    if (!this.host.tellsEvents()) return;
    this.texts.push(reason);
    this.answer(wire.DEAD, 0, number, index, count);
  }

  dropped(...row: number[]): void {
    if (this.host.tellsEvents()) this.answer(wire.DROPPED, 0, ...row);
  }

  gone(): void {
    this.answer(wire.GONE);
  }

  storage(state: keyof typeof STORAGE, error?: unknown): void {
    this.texts.push(...textsOf(error));
    this.answer(wire.STORAGE, STORAGE[state]);
  }

  error(error: unknown): void {
    if (this.backing.closed) this.dismiss(error);
  }

  /** The journal took leases away. */
  leaseLost(...lease: number[]): void {
    this.answer(wire.LEASE_LOST, 0, ...lease);
  }

  /* ------------------------------------------------------------- ending */

  /** Tells the client why, and lets it go. */
  dismiss(error: unknown): void {
    if (this.over) return;
    // What no step has taken up yet is not sent, and its senders are told so; of the rest they can't know.
    this.backing.fail(this, error);
    this.texts.push(...textsOf(error));
    this.answer(wire.CLOSED);
    this.flush();
    this.end();
  }

  private watch(): void {
    const some = this.receivesNow > 0 || this.host.holds;
    this.silence.set(some && !this.presence ? Math.max(this.heardAt, this.askedAt) + SILENT_MS : Infinity, false, () => this.askClient());
  }

  /** It has been silent for long, and may be gone. Where it does not answer, others get what it has, and it gets no more before it is heard. */
  private askClient(): void {
    if (this.over) return;
    const asked = this.askedAt;
    this.askedAt = this.silence.now(this.heardAt + SILENT_MS);
    if (!asked) return this.answer(wire.PING);
    for (const token of this.receives.values()) this.backing.stopWaiting(token);
    this.takeBack(true);
    void this.flushSoon();
  }

  /** What the client held goes back, and what it was handed out counts as a delivery. */
  private takeBack(tell: boolean): void {
    const held = numbers(this.host.end(tell));
    for (let at = 0; at < held.length; at += 5) {
      const [number, index, count, grant, handed] = held.slice(at, at + 5);
      const range = { queue: this.backing.handle, number, index, count, grant };
      if (handed) void this.backing.leases.settle(effect.RETRY, range, 0, "the client that had it is gone");
      else void this.backing.leases.settle(effect.RELEASE, range);
    }
  }

  /** The client is gone: what it held goes back, and what it was handed out counts as a delivery. What it sent goes on. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.presence?.end();
    this.channel.close();
    this.backing.handle.onlookers.delete(this);
    for (const token of this.receives.values()) this.backing.stopWaiting(token);
    this.silence.clear();
    this.takeBack(false);
    this.leave();
  }
}

const NOTHING = new Uint8Array();
/** Steps of promises from a message that is there to what a handler that does not wait has said of it. */
const PATIENCE = 16;
const HELLOS_MAX = 64;
