/** The world that contexts live in: one time, one disk, one origin's locks and channels. */

import { Channels } from "./channels.mjs";
import { Context, GLOBALS } from "./context.mjs";
import { Locks } from "./locks.mjs";
import { Scheduler } from "./scheduler.mjs";

export { GLOBALS };

export class World {
  /** The latest time that any clock has shown, and how far the furthest was ahead of the world's. */
  #shown = 0;
  #lead = -Infinity;
  contexts = new Map();
  /** Broadcasts get lost. */
  hintsLost = false;
  /** Some context's timers were held back at some time. */
  slowed = false;
  /** They were lost, or late, at some time. */
  hintsMissed = false;
  /** When a context was last kept from running, or something else done that makes others late. */
  disturbedAt = -Infinity;
  hintDelay = 0;
  /** The machine's clock was set on by so much: those who come see it so. */
  clockOff = 0;
  portDelay = 0;
  /** Ports tell when the other side has gone (not all platforms do). */
  tellsClose = true;
  /** Called when a fault of the storage strikes, which is over in so many milliseconds. */
  troubled = () => undefined;
  /** Called when the storage has no room for a step. */
  crowded = () => undefined;
  /** What contexts wrote to the console. */
  console = 0;

  constructor({ seed, package: loaded, indexedDb }) {
    this.seed = seed;
    this.package = loaded;
    this.scheduler = new Scheduler();
    this.locks = new Locks(this.scheduler);
    this.channels = new Channels(this);
    this.indexedDb = indexedDb?.(this);
  }

  /** A clock showed that time, when the world's was `at`. */
  showed(wall, at) {
    this.#shown = Math.max(this.#shown, wall);
    this.#lead = Math.max(this.#lead, wall - at);
  }

  /** The latest time that anyone can know of: what a clock showed, and what has passed since. */
  get latestWall() {
    return this.latestWallAt(this.scheduler.now);
  }

  /** As `latestWall`, for who has come as far as `time`: whoever runs for long is ahead of the world. */
  latestWallAt(time) {
    return Math.max(this.#shown, Math.floor(this.#lead + time));
  }

  /** A context, with the package in it. */
  open(name, kind) {
    const context = new Context(this, name, kind);
    context.api = this.package.evaluate(context.globals);
    this.contexts.set(name, context);
    return context;
  }

  /** The IndexedDB that a context sees. */
  databases(context) {
    return this.indexedDb?.of(context) ?? {};
  }

  said() {
    this.console += 1;
  }
}
