/** What is behind a queue object: a journal in this context, or a host at the other end of a port. */

import type { Commands } from "../engine/commands";
import type { Asker, Delivery, Handle, Onlooker, Part } from "../engine/effects";
import type { Leases } from "../delivery/leases";
import type { Outgoing } from "./sends";
import type { Stop } from "../schedule/cancellation";
import type { Clock, MessageInfo, MessageState, Queue, QueueMetrics } from "../contract/types";

export interface Backing {
  readonly handle: Handle;
  readonly clock: Clock;
  readonly leases: Leases;
  readonly mode: Queue["mode"];
  /** Why it can't go on. */
  readonly closed: unknown;
  /** The queue's default lease. */
  readonly visibilityMs: number;
  /** Messages, bytes, and when the oldest was sent (-1: there is none). */
  backlog(): ArrayLike<number>;

  ask(asker: Asker, command: (commands: Commands, token: number) => void): number;
  depart(outgoing: Outgoing): void;
  /** So many bytes have collected that they should go at once. */
  readonly crowded: boolean;
  /** So much has collected that it should go at once. */
  urge(): void;
  stopWaiting(token: number): void;
  /** Takes back a send that is still here. False: too late; where it may still be in time, `outgoing` is told. */
  recall(outgoing: Outgoing): boolean;
  /** Fails the sends of that owner (or to that queue) which no step has taken up. */
  fail(owner: unknown, error: unknown): void;
  /** What was said before this is known here. */
  fresh(): Promise<void>;
  flushed(signal?: AbortSignal): Promise<void>;
  load(deliveries: Delivery[]): Part[][] | Promise<Part[][]>;

  metrics(): Promise<QueueMetrics | undefined>;
  peek(max: number, state: MessageState | undefined): Promise<MessageInfo[]>;
  cancel(number: number, index: number): Promise<boolean>;
  purge(): Promise<number>;
  pause(paused: boolean): Promise<void>;
  redrive(to: string | undefined, max: number, rate: number, closed: Stop): Promise<number>;

  /** One more receives here, or one less: while anyone does the queue is not deleted. */
  receiving(change: 1 | -1): void;
  /** Listens for events, or looks more closely. */
  listen(): void;
  release(onlooker: Onlooker): Promise<void>;
}
