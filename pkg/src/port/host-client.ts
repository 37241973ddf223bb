/** One client of a served queue, as its host has it: what it may do is checked, what it holds is known, and what it is told is numbered. */

import { Alarm } from "../schedule/alarm";
import { DEAD, DELIVERED, DONE, DROPPED, EXTEND, LEASE_LOST, LOST, QUEUE_GONE, RECEIVED, REFUSED, RELEASE, RETRY, WITHDRAWN,
  FORBIDDEN as NOT_ALLOWED } from "../engine/codes";
import type { Asker, Delivery, Onlooker, Part } from "../engine/effects";
import { platformError } from "../contract/errors";
import { headersBetween } from "../bodies/headers";
import type { LocalBacking } from "../journal/local";
import { unreadable } from "../queue/receive";
import { Beside } from "./attachments";
import { Along, packed } from "./bodies";
import { Channel, type End } from "./transport";
import { checkOrders } from "./checks";
import { BYTES_MAX, Credit, MESSAGES_MAX } from "./credit";
import { helloError, textsOf } from "./errors";
import * as frame from "./frame";
import { AHEAD_TOKEN, Draft, FrameError, WIDTH, type Frame } from "./frame";
import { ADMIN, requested } from "./host-requests";
import { Held, type HeldSpan } from "./held";
import { InOrder } from "./in-order";
import type { Multiplexer } from "./multiplexer";
import { gaps, type Span } from "./pieces";
import * as presence from "./presence";
import { ALLOW, type Agree } from "./registry";
import { ServedOutgoing } from "./host-sends";

/** A frame with so many bytes of bodies goes before more are added: shared memory has room for a few of these. */
const FULL_BYTES = 1 << 20;
/** Frames of a client that were refused before its port is closed. */
const STRIKES_MAX = 3;
/** A hello may be said again before the welcome comes. */
const HELLOS_MAX = 64;
/** Frames the client may leave unheard before it is told no more events. */
const UNHEARD_MAX = 256;
/** Where no lock tells of a client's life: how long it may be silent while it holds something before it is asked, and then again. */
const SILENT_MS = 15_000;
/** Steps of promises from a message that is there to what a handler that does not wait has said of it. */
const PATIENCE = 16;

interface Receive {
  readonly ahead: boolean;
  /** The engine's token, once it was asked. */
  token: number | undefined;
  /** Nobody waits for it any more. */
  ended: boolean;
}

export class ServedClient implements Onlooker, End {
  heard = 0;
  over = false;
  listening = false;
  readonly outgoing = new Map<number, ServedOutgoing[]>();
  readonly credit = new Credit(MESSAGES_MAX, BYTES_MAX);
  private readonly channel: Channel;
  private readonly draft = new Draft();
  private beside = new Beside(false);
  private number = 0;
  /** The last of our frames that the client has heard. */
  private known = 0;
  private strikes = 0;
  private hellos = 0;
  private readonly receives = new Map<number, Receive>();
  private readonly held = new Held();
  private presence: presence.Release | undefined;
  private flushing = false;
  private receivesNow = 0;
  /** What the client gives back unasked and is not back in the queue yet, and receives that are to see it there. */
  private returning = 0;
  private readonly behind: (() => void)[] = [];
  private readonly deliveries = new InOrder();
  private readonly silence: Alarm;
  /** When it was heard, and asked for a word; 0: it has answered. */
  private heardAt = 0;
  private askedAt = 0;

  constructor(
    readonly backing: LocalBacking,
    port: Multiplexer,
    session: number,
    private readonly allow: number,
    private readonly leave: () => void,
  ) {
    this.silence = new Alarm(backing.clock);
    this.channel = new Channel(port, session, this);
  }

  sharing(): void {}

  /** Whoever consumes waits for what this client sends. */
  readonly talking = true;

  get consuming(): boolean {
    return this.receivesNow > 0;
  }

  private allows(what: keyof typeof ALLOW): boolean {
    return (this.allow & ALLOW[what]) !== 0;
  }

  /* ---------------------------------------------------------- greeting */

  greet(hello: unknown, texts: string[], agree: Agree, lock: Promise<string>): void {
    let sharing: boolean;
    try {
      const { rows } = this.understood(hello, texts.length, 0);
      if (rows.length !== 2 * WIDTH || rows[0] !== frame.HELLO || rows[WIDTH] !== frame.POLICY)
        throw new FrameError("a hello, and nothing else, comes first");
      sharing = rows[1] > 0;
      agree(Float64Array.of(...rows.slice(WIDTH + 1), ...rows.slice(3, 6)), [undefined, texts[2], null][rows[2]]);
    } catch (error) {
      return this.dismiss(helloError(error as Error));
    }
    // Whose lock is held here shares its locks with the host, and each can watch the other. Before that there is no welcome:
    // a client that is gone by then holds nothing yet, and one that is welcome knows whether the host's lock says anything.
    void Promise.all([texts[1] && presence.isHeld(texts[1]), lock]).then(([shared, name]) => {
      if (this.over) return;
      if (shared) this.presence = presence.watch(texts[1], () => this.end());
      this.welcome(sharing, shared ? name : "");
    });
  }

  private welcome(sharing: boolean, lock: string): void {
    if (sharing) this.channel.offer();
    const { durability, storage } = this.backing.mode;
    this.draft.texts.push(storage, lock);
    this.answer(frame.WELCOME, this.backing.visibilityMs, frame.DURABILITIES.indexOf(durability), MESSAGES_MAX, BYTES_MAX);
    this.backing.handle.onlookers.add(this);
  }

  /* ----------------------------------------------------------- hearing */

  arrived(heard: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    if (!this.over) this.channel.arrived(heard, texts, values);
  }

  hear(heard: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    if (heard === undefined && this.channel.acceptBell(values)) return;
    // A hello that was said again before the welcome came.
    if (this.heard > 0 && frame.isFirst(heard) && this.hellos++ < HELLOS_MAX) return;
    let orders: Frame;
    try {
      orders = this.understood(heard, texts.length, values.length);
    } catch (error) {
      if ((this.strikes += 1) >= STRIKES_MAX)
        this.dismiss(platformError("DataError", `the frames of a client make no sense: ${(error as Error).message}`));
      return;
    }
    try {
      const along = new Along(values, texts, orders.lengths, this.channel.lentTo);
      for (let at = 0; at < orders.rows.length && !this.over; at += WIDTH) this.carryOut(orders.rows, at, along);
    } catch (error) {
      this.dismiss(error);
    }
    void this.flushSoon();
  }

  /** A frame whose orders can be carried out one by one. One that throws has changed nothing. */
  private understood(heard: unknown, texts: number, values: number): Frame {
    const orders = frame.read(heard, frame.ORDERS);
    if (orders.number !== this.heard + 1 || orders.heard > this.number || orders.heard < this.known) throw new FrameError("order");
    checkOrders(orders, texts, values, this.credit, this.receives.size);
    [this.heard, this.known] = [orders.number, orders.heard];
    [this.heardAt, this.askedAt] = [this.silence.now(this.heardAt), 0];
    return orders;
  }

  private carryOut(rows: Float64Array, at: number, along: Along): void {
    const [kind, a, b, c, d] = rows.subarray(at, at + 5);
    switch (kind) {
      case frame.SEND:
        return this.send(rows, at, along);
      case frame.UNSEND:
        return this.unsend(a);
      case frame.RECEIVE:
        return this.allows("receive") ? this.receive(a, b, Math.max(0, c), d) : this.forbid(a);
      case frame.UNRECEIVE:
        return this.unreceive(a);
      case frame.SETTLE:
        return this.settle(a, b, { number: c, index: d, count: rows[at + 5], grant: rows[at + 6] }, rows[at + 7],
          rows[at + 8] ? along.nextText() : undefined);
      case frame.STARTED:
        return this.held.start({ number: a, index: b, count: c, grant: d }).forEach((span) => this.backing.started(span));
      case frame.LISTEN:
        this.listening = a === 1;
        return this.backing.listen();
      case frame.SHARED:
        return a === 1 ? this.channel.share() : undefined;
      case frame.BYE:
        return this.end();
      default: {
        const to = kind === frame.REDRIVE && d ? along.nextText() : undefined;
        const allowed = this.allows("admin") || (!ADMIN.includes(kind) && (kind !== frame.PEEK || this.allows("receive")));
        return allowed ? this.request(kind, a, b, c, to) : this.forbid(a);
      }
    }
  }

  private forbid(token: number): void {
    this.answer(frame.FAILED, token, frame.FORBIDDEN);
  }

  /* ----------------------------------------------------------- sending */

  private send(rows: Float64Array, at: number, along: Along): void {
    const [token, count, size, delayMs, expiresMs, flags, more, moreBytes, form] = rows.subarray(at + 1, at + WIDTH);
    const key = flags & frame.KEYED ? along.nextText() : undefined;
    const sizes = flags & frame.SIZED ? along.sizes(count) : undefined;
    const { parcel, headers } = along.bodies(count, form);
    if (!this.allows("send")) return this.answer(REFUSED, token, NOT_ALLOWED, count);
    const outgoing = new ServedOutgoing(this, token, { delayMs, expiresMs: Math.max(0, expiresMs), key }, [flags & 3, more, moreBytes],
      size, sizes, parcel, headers);
    this.credit.take(count, outgoing.bytes);
    this.backing.depart(outgoing);
  }

  private unsend(token: number): void {
    for (const outgoing of [...(this.outgoing.get(token) ?? [])]) {
      if (this.backing.recall(outgoing)) outgoing.refused(WITHDRAWN, outgoing.left);
    }
  }

  /* --------------------------------------------------------- receiving */

  private receive(token: number, max: number, leaseMs: number, flags: number): void {
    const { backing } = this;
    const wait = (flags & frame.WAIT) !== 0;
    const { 0: messages, 1: bytes } = backing.backlog();
    // Of what nobody has asked for yet there is about one frame at a time, however large the bodies are.
    if (token === AHEAD_TOKEN) max = Math.min(max, Math.ceil((FULL_BYTES * messages) / bytes) || 1);
    const receive: Receive = { ahead: (flags & frame.AHEAD) !== 0, token: undefined, ended: false };
    this.receives.set(token, receive);
    this.receiving(1);
    let loaded: Promise<void> | undefined;
    const over = (): boolean => {
      if (this.receives.get(token) === receive) this.receives.delete(token);
      this.receiving(-1);
      return !this.over;
    };
    const end = (): void => void (over() && this.answer(RECEIVED, token));
    const fail = (error: unknown): void => void (over() && this.failed(token, error));
    const asker: Asker = {
      delivered: (delivery) => {
        if (this.over) return backing.leases.giveBack(backing.handle, delivery);
        const { life } = backing.leases;
        loaded = this.deliveries.add(this.load(delivery, life), ([parts]) => this.deliver(token, receive.ahead, delivery, parts, life)) ??
          loaded;
      },
      received: () => {
        if (loaded) void loaded.then(end, fail);
        else end();
      },
      fail,
    };
    // The lease is always named: the client leases ahead itself, and what is leased ahead here would come out of order.
    const ask = (): void => {
      if (this.over || receive.ended) return end();
      receive.token = backing.ask(asker,
        (commands, own) =>
          commands.receive(own, backing.handle.id, max, leaseMs || backing.visibilityMs, wait, backing.clock.now(), receive.ahead));
    };
    const begin = (): void => {
      // What waits hears of everything new; what does not is to see what is there.
      if (wait || backing.mode.storage === "memory") ask();
      else void backing.fresh().then(ask, fail);
    };
    if (this.returning) this.behind.push(begin);
    else begin();
  }

  private unreceive(token: number): void {
    const receive = this.receives.get(token);
    if (!receive) return;
    receive.ended = true;
    if (receive.token !== undefined) this.backing.stopWaiting(receive.token);
  }

  /** The bodies of a delivery; when they can't be had now, it goes back as if it had not been taken. */
  private load(delivery: Delivery, life: number): Part[][] | Promise<Part[][]> {
    const loading = this.backing.load([delivery]);
    if (!(loading instanceof Promise)) return loading;
    return loading.catch((error: unknown) => {
      this.backing.leases.giveBack(this.backing.handle, delivery, life);
      throw error;
    });
  }

  private receiving(change: 1 | -1): void {
    this.receivesNow += change;
    this.backing.receiving(change);
  }

  private deliver(token: number, ahead: boolean, delivery: Delivery, parts: Part[], life: number): void {
    const { handle, leases } = this.backing;
    // It has gone while they were loaded, or what was leased has.
    if (this.over || life !== leases.life) return leases.giveBack(handle, delivery, life);
    const { grant, until, attempts, sent } = delivery;
    for (const part of parts) {
      const { number, index, count, parcel, offset, headers } = part;
      if (!parcel) {
        unreadable(this.backing, part, grant);
        continue;
      }
      const own = headersBetween(headers, offset, count);
      // What a ring does not take keeps what is beside it from going there.
      const segment = { parcel, from: offset, count };
      if (this.channel.shared && this.beside.mixes(segment)) this.flush();
      this.beside.addBodies(segment);
      if (own) this.beside.addValue(own);
      const form = packed(segment, own !== undefined, this.draft);
      this.held.add({ number, index, count, grant, ahead });
      this.answer(DELIVERED, token, number, index, count, grant, until, attempts, sent, form);
    }
  }

  /** What the client holds of these messages is settled; the rest is lost, whatever the client thinks. */
  private settle(token: number, kind: number, span: Span, argument: number, text: string | undefined): void {
    const parts = this.held.take(span);
    for (const { number, index, count } of gaps(span, parts)) this.answer(LOST, token, number, index, count);
    if (!parts.length) return this.answer(DONE, token);
    const unasked = token === AHEAD_TOKEN ? 1 : 0;
    this.returning += unasked;
    let left = parts.length;
    let failure: { error: unknown } | undefined;
    // It is over with its last part.
    const over = (): void => {
      if ((left -= 1) > 0) return;
      if (!(this.returning -= unasked)) { for (const begin of this.behind.splice(0)) begin(); }
      if (failure) this.failed(token, failure.error);
      else this.answer(DONE, token, 1);
    };
    const asker: Asker = {
      lost: (number, index, count) => this.answer(LOST, token, number, index, count),
      done: over,
      fail: (error) => void ((failure ??= { error }), over()),
    };
    for (const part of parts) {
      if (kind === EXTEND) this.held.add({ ...part, ahead: false });
      const { number, index, count, grant } = part;
      this.backing.ask(asker, (commands, own) =>
        commands.settle(own, this.backing.handle.id, kind, number, index, count, grant, argument, text));
    }
  }

  private request(kind: number, token: number, a: number, b: number, to: string | undefined): void {
    requested(this.backing, kind, a, b, to).then((answer) => {
      if (typeof answer === "number") return this.answer(DONE, token, answer);
      this.beside.addValue(answer);
      this.answer(frame.VALUE, token);
    }, (error) => this.failed(token, error));
  }

  /* --------------------------------------------------------- answering */

  answer(kind: number, ...fields: number[]): void {
    if (this.over) return;
    this.draft.row(kind, ...fields);
    if (this.draft.isFull || this.beside.size >= FULL_BYTES) this.flush();
    else void this.flushSoon();
  }

  /** `count`: of a send only so many, the next that have no answer; 0: all. */
  failed(token: number, error: unknown, count = 0): void {
    if (this.over) return;
    this.draft.texts.push(...textsOf(error));
    this.answer(frame.FAILED, token, (error as { outcomeUnknown?: boolean })?.outcomeUnknown ? frame.OUTCOME_UNKNOWN : 0, count);
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
    this.draft.row(frame.BACKLOG, count, bytes, oldest);
    const { beside } = this;
    this.beside = new Beside(false);
    const texts = this.draft.texts.splice(0);
    this.watch();
    this.channel.post(this.draft.frame(this.number += 1, this.heard, this.backing.leases.now()), texts, beside);
  }

  /* ------------------------------------------------------------ events */

  /** It listens, and has kept up. */
  private get hearsEvents(): boolean {
    return this.listening && this.number - this.known < UNHEARD_MAX;
  }

  depth(): void {
    if (this.hearsEvents) void this.flushSoon();
  }

  dead(number: number, index: number, count: number, reason: string): void {
    if (!this.hearsEvents) return;
    this.draft.texts.push(reason);
    this.answer(DEAD, 0, number, index, count);
  }

  dropped(number: number, index: number, count: number, cause: number): void {
    if (this.hearsEvents) this.answer(DROPPED, 0, number, index, count, cause);
  }

  gone(): void {
    this.held.takeAll();
    this.answer(QUEUE_GONE);
  }

  storage(state: (typeof frame.STATES_OF_STORAGE)[number], error?: unknown): void {
    if (this.over) return;
    this.draft.texts.push(...textsOf(error));
    this.answer(frame.STORAGE, frame.STATES_OF_STORAGE.indexOf(state));
  }

  error(error: unknown): void {
    if (this.backing.closed) this.dismiss(error);
  }

  /** The journal took leases away; told as far as the client held them. */
  leaseLost(number: number, index: number, count: number, grant: number): void {
    this.tellLost(this.held.take({ number, index, count, grant }));
  }

  /** It is told at once: this context may be about to be stopped. */
  leasesGone(): void {
    this.tellLost(this.held.takeAll());
    this.join();
  }

  private tellLost(spans: readonly Span[]): void {
    for (const { number, index, count, grant } of spans) this.answer(LEASE_LOST, 0, number, index, count, grant);
  }

  /* ------------------------------------------------------------- ending */

  /** Tells the client why, and lets it go. */
  dismiss(error: unknown): void {
    if (this.over) return;
    // What no step has taken up yet is not sent, and its senders are told so; of the rest they can't know.
    this.backing.fail(this, error);
    this.draft.texts.push(...textsOf(error));
    this.answer(frame.CLOSED);
    this.flush();
    this.end();
  }

  private watch(): void {
    const some = this.receivesNow > 0 || !this.held.isEmpty;
    this.silence.set(some && !this.presence ? Math.max(this.heardAt, this.askedAt) + SILENT_MS : Infinity, false, () => this.askClient());
  }

  /** It has been silent for long, and may be gone. Where it does not answer, others get what it has, and it gets no more before it is heard. */
  private askClient(): void {
    if (this.over) return;
    const first = this.askedAt === 0;
    this.askedAt = this.silence.now(this.heardAt + SILENT_MS);
    if (first) return this.answer(frame.PING);
    this.stopWaiting();
    this.tellLost(this.takeBack());
    void this.flushSoon();
  }

  private stopWaiting(): void {
    for (const { token } of this.receives.values()) if (token !== undefined) this.backing.stopWaiting(token);
  }

  /** What the client held goes back, and what it was handed out counts as a delivery. */
  private takeBack(): HeldSpan[] {
    const { handle: queue, leases } = this.backing;
    const all = this.held.takeAll();
    const gone = "the client that had it is gone";
    for (const span of all)
      void (span.ahead ? leases.settle(RELEASE, { queue, ...span }) : leases.settle(RETRY, { queue, ...span }, 0, gone));
    return all;
  }

  /** The client is gone. What it sent goes on. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.presence?.();
    this.channel.close();
    this.silence.clear();
    this.backing.handle.onlookers.delete(this);
    this.stopWaiting();
    this.takeBack();
    this.leave();
  }
}
