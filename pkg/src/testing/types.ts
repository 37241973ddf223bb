/** The public types of `posthaste/testing`. */

import type { StorageDriver } from "../store";
import type { Clock, Queue, QueueOptions } from "../types";

/** A case of the suite that every store passes. `run` rejects with an error that says what is not so. */
export interface StoreCase {
  readonly name: string;
  /** Needs two stores, opened one after the other by the same driver, that work beside each other. */
  readonly peers?: boolean;
  /** `make` answers a driver on a new, empty storage, however often it is called. */
  run(make: () => Promise<StorageDriver>): Promise<void>;
}

/** Opens a queue as `openQueue` does, on the storage under test. What the case puts in `options` must reach the queue. */
export type Open = <Body = unknown>(name: string, options?: QueueOptions<Body>) => Promise<Queue<Body>>;

/** A case of the suite that every queue passes. `run` rejects with an error that says what is not so. */
export interface QueueCase {
  readonly name: string;
  /**
   * Names of queues are new in each run, so `open` may lead to one storage for all cases; they need one `time` for all then.
   * `time`: default `virtualTime()`.
   */
  run(open: Open, time?: Time): Promise<void>;
}

/** How time passes for queues under test. */
export interface Time {
  /** Given to every queue that a case opens; undefined: the queues have the clock on the wall. */
  readonly clock: VirtualClock | undefined;
  /** What a case takes for a second, in seconds: less than 1 where the time is real. */
  readonly unit: number;
  /** Resolves when so many units are over, and what was due has happened. */
  pass(units: number): Promise<void>;
}

/** A clock that stands still until it is moved. */
export interface VirtualClock extends Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Timers that wait. */
  readonly pending: number;
  /** Moves on by so many milliseconds. What is due on the way happens at its time, and what follows from it before time goes on. */
  advance(ms: number): Promise<void>;
  /** Moves on to the next timer and lets it happen. False: there is none. */
  tick(): Promise<boolean>;
}
