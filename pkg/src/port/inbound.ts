/**
 * The receives of a client, and what was leased ahead for them: a busy receiver is sent a few messages more than it asked for, so
 * that it need not wait for the way there and back. What is not asked for soon goes back.
 */

import { PREFETCH_ACTIVE_MS, PREFETCH_IDLE_MS, PREFETCH_MAX, PREFETCH_MIN } from "../engine/codes";
import type { Delivery } from "../engine/effects";
import { Line } from "../schedule/fifo";
import { AHEAD, AHEAD_TOKEN, RECEIVE, STARTED, UNRECEIVE, WAIT } from "./frame";

/** As many again are leased ahead while half of them are handed out within this time, in milliseconds. */
const PREFETCH_FAST_MS = 2;

/** A receive that has not been answered. */
interface Demand {
  readonly token: number;
  readonly max: number;
  readonly leaseMs: number;
  readonly wait: boolean;
  /** The host was asked. */
  asked: boolean;
  /** Under a lease of its own, it was given something. */
  given: boolean;
  /** Its receiver does not wait any more. */
  ending: boolean;
}

/** The client's end, as its receives need it. */
interface End {
  /** The queue's default lease. */
  readonly visibilityMs: number;
  now(): number;
  order(text: undefined, kind: number, ...fields: number[]): void;
  deliver(token: number, delivery: Delivery): void;
  /** The receive has all that it gets. */
  received(token: number): void;
  /** Nobody was given these: they go back, with their bodies. */
  giveBack(delivery: Delivery): void;
  /** The bodies of these are not needed any more. */
  drop(number: number, index: number, count: number, grant: number): void;
}

export class Inbound {
  private readonly demands = new Map<number, Demand>();
  /** Those for any message, oldest first: what is here is for them, and more of it is on its way. */
  private readonly line = new Line<Demand>();
  /** Those with a lease of their own that wait to be asked for. */
  private apart: Demand[] = [];
  /** What came and was not asked for yet, oldest first. */
  private held: Delivery[] = [];
  /** More was asked for, and has not been answered. */
  private asked = false;
  private askedAt = -Infinity;
  /** When the last that was asked for had come. */
  private cameAt = -Infinity;
  /** How many to have here. */
  private target = 0;

  constructor(private readonly end: End) {}

  get isWaiting(): boolean {
    return this.demands.size > 0;
  }

  private get count(): number {
    return this.held.reduce((sum, { count }) => sum + count, 0);
  }

  receive(token: number, max: number, leaseMs: number, wait: boolean): void {
    const demand: Demand = { token, max, leaseMs, wait, asked: false, given: false, ending: false };
    this.demands.set(token, demand);
    if (leaseMs === 0) this.line.add(demand);
    const now = this.end.now();
    // With a lease of its own it is served by itself.
    const more = leaseMs === 0 ? this.more(max, now) : 0;
    this.serve(now);
    if (this.demands.get(token) === demand) this.ask(demand);
    if (more === 0) return;
    this.asked = true;
    this.end.order(undefined, RECEIVE, AHEAD_TOKEN, more, this.end.visibilityMs + 2 * PREFETCH_IDLE_MS, AHEAD);
  }

  private ask(demand: Demand): void {
    const { token, max, leaseMs, wait } = demand;
    // What lies here, or is on its way, is older than what the host has: it goes back first.
    if (leaseMs > 0) {
      demand.asked = false;
      if (this.asked) return void this.apart.push(demand);
      this.giveBack(0, true);
    }
    demand.asked = true;
    this.end.order(undefined, RECEIVE, token, max, leaseMs, (wait ? WAIT : 0) + (leaseMs === 0 ? AHEAD : 0));
  }

  /**
   * A receiver came for `max`; how many to ask for beyond them. Where half of what came is gone at once, the way there and back is
   * what takes the time: twice as many are asked for. Of large bodies, or with work to do on them, none go so fast.
   */
  private more(max: number, now: number): number {
    const busy = now < this.askedAt + PREFETCH_ACTIVE_MS;
    this.askedAt = now;
    const least = Math.min(Math.max(max, PREFETCH_MIN), PREFETCH_MAX);
    const have = this.count;
    if (this.asked || !busy || have > this.target / 2) return 0;
    const fast = now <= this.cameAt + PREFETCH_FAST_MS;
    this.target = fast ? Math.min(Math.max(2 * this.target, least), PREFETCH_MAX) : least;
    return Math.max(0, this.target - have);
  }

  unreceive(token: number): void {
    const demand = this.demands.get(token);
    if (!demand) return;
    demand.ending = true;
    if (!demand.asked) return this.received(token);
    this.end.order(undefined, UNRECEIVE, token);
  }

  /** Messages came for this receive, with their bodies. */
  delivered(token: number, delivery: Delivery): void {
    const demand = this.demands.get(token);
    if (!demand || demand.leaseMs === 0) return void this.held.push(delivery);
    demand.given = true;
    this.end.deliver(token, delivery);
  }

  /** All that was asked for under a token is here, or as much of it as there is. */
  received(token: number): void {
    const now = this.end.now();
    if (token === AHEAD_TOKEN) {
      [this.asked, this.cameAt, this.target] = [false, now, Math.min(this.target, this.count)];
    }
    this.serve(now);
    const demand = this.demands.get(token);
    if (!demand) return;
    // What came for it was handed out to someone who had asked before, or the host took it for gone.
    if (demand.wait && !demand.given && !demand.ending) return this.ask(demand);
    this.over(demand);
    this.end.received(token);
  }

  /** The receive came to nothing. */
  failed(token: number): void {
    if (token === AHEAD_TOKEN) this.asked = false;
    const demand = this.demands.get(token);
    if (demand) this.over(demand);
    this.serve(this.end.now());
  }

  private over(demand: Demand): void {
    this.demands.delete(demand.token);
    this.line.delete(demand);
  }

  /** Answers receives out of what is here, in their order: whatever a message was asked for by, they are handed out as they came. */
  private serve(now: number): void {
    this.giveBackStale(now);
    for (let demand; this.held.length && (demand = this.line.first);) {
      this.over(demand);
      // What still came for it would wait here, and go back behind what is younger.
      if (demand.asked && demand.wait) this.end.order(undefined, UNRECEIVE, demand.token);
      for (let left = demand.max; left > 0 && this.held.length;) {
        const given = this.handOut(left);
        left -= given.count;
        this.end.order(undefined, STARTED, given.number, given.index, given.count, given.grant);
        this.end.deliver(demand.token, given);
      }
      this.end.received(demand.token);
    }
    if (!this.asked) { for (const demand of this.apart.splice(0)) if (this.demands.has(demand.token) && !demand.ending) this.ask(demand); }
  }

  /** What nobody can be given for long enough any more goes back: here it would run out, and others wait for that. */
  private giveBackStale(now: number): void {
    while (this.held.length && this.held[0].until < now + this.end.visibilityMs / 2) this.end.giveBack(this.held.shift()!);
  }

  /** Up to `max` messages, the first that came. */
  private handOut(max: number): Delivery {
    const front = this.held[0];
    if (front.count <= max) return this.held.shift()!;
    this.held[0] = { ...front, index: front.index + max, count: front.count - max };
    return { ...front, count: max };
  }

  /** The journal took these leases away; what was not handed out of them is forgotten. */
  lost(number: number, index: number, count: number, grant: number): void {
    this.held = this.held.flatMap((delivery) => {
      const [from, to] = [Math.max(delivery.index, index), Math.min(delivery.index + delivery.count, index + count)];
      if (delivery.number !== number || delivery.grant !== grant || from >= to) return [delivery];
      this.end.drop(number, from, to - from, grant);
      const part = (first: number, last: number): Delivery[] => (first < last ? [{ ...delivery, index: first, count: last - first }] : []);
      return [...part(delivery.index, from), ...part(to, delivery.index + delivery.count)];
    });
  }

  /** It goes back, where it is here and nobody was handed it. */
  giveBackOne(number: number, index: number): void {
    const delivery = this.held.find((held) => held.number === number && held.index <= index && index < held.index + held.count);
    if (!delivery) return;
    this.lost(number, index, 1, delivery.grant);
    this.end.giveBack({ ...delivery, index, count: 1 });
  }

  /** What nobody asked for for a while (or `all`) goes back. */
  giveBack(now: number, all: boolean): void {
    if (!all && (this.line.first || this.asked)) return;
    this.giveBackStale(now);
    if (!all && now < this.askedAt + PREFETCH_IDLE_MS) return;
    for (const delivery of this.held.splice(0)) this.end.giveBack(delivery);
  }

  /** When it goes back; Infinity: not yet, or there is none. Not while more is on its way, which would be handed out before what went back. */
  get deadline(): number {
    if (!this.held.length || this.asked || this.line.first) return Infinity;
    return Math.min(this.askedAt + PREFETCH_IDLE_MS, this.held[0].until - this.end.visibilityMs / 2 + 1);
  }
}
