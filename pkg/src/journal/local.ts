/** A queue whose journal is in this context. */

import type { Backing } from "./backend";
import type { Commands } from "../engine/commands";
import type { Asker, Delivery, Handle, Onlooker, Part } from "../engine/effects";
import { BACKLOG, CANCEL, EXTEND, PAUSE, PURGE, START } from "../engine/codes";
import { peek, metrics, redrive } from "./inspect";
import type { Journal } from "./journal";
import { Keeper } from "../delivery/extender";
import type { Outgoing } from "./sends";
import type { Span } from "../delivery/spans";
import type { Stop } from "../schedule/cancellation";
import type { MessageInfo, MessageState, Queue, QueueMetrics } from "../contract/types";

export class LocalBacking implements Backing {
  private receivers = 0;
  /** Extends what was leased while its bodies are loaded. */
  private readonly keeper: Keeper;

  constructor(
    readonly journal: Journal,
    readonly handle: Handle,
    private readonly lock: { hold(): void; release(): void },
    private readonly done: () => Promise<void>,
  ) {
    this.keeper = new Keeper(journal.clock, journal.leases, () => this.visibilityMs);
  }

  get clock(): Journal["clock"] {
    return this.journal.clock;
  }

  get leases(): Journal["leases"] {
    return this.journal.leases;
  }

  get closed(): unknown {
    return this.journal.closed;
  }

  get mode(): Queue["mode"] {
    const { kind, durability } = this.journal;
    return { storage: kind, durability, transport: "local" };
  }

  get visibilityMs(): number {
    // It may have been given another policy elsewhere, or be deleted.
    return this.handle.id < 0 ? this.handle.policy[0] : this.journal.policyOf(this.handle.id)[0] ?? this.handle.policy[0];
  }

  backlog(): ArrayLike<number> {
    return this.journal.peer.numbers(BACKLOG, this.handle.id);
  }

  ask(asker: Asker, command: (commands: Commands, token: number) => void): number {
    return this.journal.ask(asker, command, this.handle);
  }

  /** A client has handed out what was leased ahead for it. */
  started({ number, index, count, grant }: Span): void {
    const { journal, handle } = this;
    if (journal.closed) return;
    journal.peer.settle(0, handle.id, START, number, index, count, grant, this.clock.now());
    journal.kick();
  }

  depart(outgoing: Outgoing): void {
    this.journal.depart(outgoing);
  }

  readonly crowded = false;

  urge(): void {}

  stopWaiting(token: number): void {
    this.journal.stopWaiting(token);
  }

  recall(outgoing: Outgoing): boolean {
    return this.journal.recall(outgoing);
  }

  fail(owner: unknown, error: unknown): void {
    this.journal.fail(this.handle, owner, error);
  }

  /** The queue is there, and not being made anew. */
  private async ready(): Promise<void> {
    while (this.handle.ready) await this.handle.ready;
  }

  async fresh(): Promise<void> {
    do {
      await this.ready();
      await this.journal.fresh();
    } while (this.handle.ready);
  }

  flushed(signal?: AbortSignal): Promise<void> {
    return this.journal.flushed(signal);
  }

  load(deliveries: Delivery[]): Part[][] | Promise<Part[][]> {
    const loading = this.journal.load(deliveries);
    if (Array.isArray(loading)) return loading;
    const { keeper, leases, leases: { life }, handle, journal } = this;
    const kept = deliveries.map((delivery) => ({
      until: delivery.until,
      extend(ms: number, now: number) {
        if (delivery.until < now + ms && life === leases.life) void leases.settle(EXTEND, { queue: handle, ...delivery }, ms);
      },
    }));
    for (const one of kept) keeper.add(one);
    return loading
      .then((found) => found.map((parts, at) => (deliveries[at].grant > journal.leftAt ? parts : [])))
      .finally(() => {
        for (const one of kept) keeper.delete(one);
      });
  }

  async metrics(): Promise<QueueMetrics | undefined> {
    await this.fresh();
    return metrics(this.journal, this.handle);
  }

  async peek(max: number, state: MessageState | undefined): Promise<MessageInfo[]> {
    await this.fresh();
    return peek(this.journal, this.handle, max, state);
  }

  async cancel(number: number, index: number): Promise<boolean> {
    await this.fresh();
    return (await this.journal.request((peer, token) => peer.command(CANCEL, token, this.handle.id, number, index), this.handle)) === 1;
  }

  async purge(): Promise<number> {
    return this.journal.request((peer, token) => peer.command(PURGE, token, this.handle.id), this.handle);
  }

  async pause(paused: boolean): Promise<void> {
    await this.journal.request((peer, token) => peer.command(PAUSE, token, this.handle.id, Number(paused)), this.handle);
  }

  async redrive(to: string | undefined, max: number, rate: number, closed: Stop): Promise<number> {
    await this.fresh();
    return redrive(this.journal, this.handle, to, max, rate, closed, () => this.fresh());
  }

  receiving(change: 1 | -1): void {
    this.receivers += change;
    if (this.receivers > 0) this.lock.hold();
    else this.lock.release();
  }

  listen(): void {
    this.journal.kick();
  }

  async release(onlooker: Onlooker): Promise<void> {
    this.handle.onlookers.delete(onlooker);
    this.lock.release();
    await this.done();
  }
}
