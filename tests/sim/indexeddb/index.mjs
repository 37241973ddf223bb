/**
 * An IndexedDB in memory for the package simulator: as much of it as the Rust store uses, with a browser's behaviour, driven by
 * a scheduler from outside. `cases.mjs` says what that behaviour is, and runs in real browsers, too.
 *
 *     const origin = new Origin({ schedule, fault });
 *     const own = origin.context({ schedule });
 *     Object.assign(globalThis, own.globals);
 *
 * `schedule(task)` has the task run later, in a turn of the event loop of its own: the origin's are the browser's, a context's
 * its own. Any order is right, so long as each context's microtasks run out before the next task. Events of one connection
 * wait for each other, whatever the order of tasks.
 */

import { IDBDatabase, Shelf } from "./database.mjs";
import { IDBEvent, IDBVersionChangeEvent } from "./events.mjs";
import { IDBKeyRange } from "./keys.mjs";
import { IDBFactory } from "./opening.mjs";
import { IDBObjectStore, IDBOpenDBRequest, IDBRequest, IDBTransaction } from "./transaction.mjs";

const constructors = {
  IDBDatabase,
  IDBFactory,
  IDBKeyRange,
  IDBObjectStore,
  IDBOpenDBRequest,
  IDBRequest,
  IDBTransaction,
  IDBVersionChangeEvent,
  IDBEvent,
};

/** A handler that throws harms nobody but itself; it is an uncaught error. */
const rethrow = (error) =>
  queueMicrotask(() => {
    throw error;
  });

/** Throws where the context is dead. */
function alive(context, touch) {
  if (touch() || context.dead) throw new DOMException("The context is dead.", "InvalidStateError");
}

/** Tells turns of Node's own event loop apart: one that was asked for ends when its microtasks have run out. */
function counted() {
  let [turn, ending] = [0, false];
  const end = () => {
    turn += 1;
    ending = false;
  };
  return () => {
    // A tick that is asked for by a microtask comes after all of them.
    if (!ending) queueMicrotask(() => process.nextTick(end));
    ending = true;
    return turn;
  };
}

export class Origin {
  /** @type {Map<string, Shelf>} */
  shelves = new Map();

  /**
   * `fault(point, details)` says what goes wrong, by name, or undefined. Points:
   * "open" (opening, deleting): "fail", "forget";
   * "begin" (a transaction): "fail": the connection turns out to be closed;
   * "request": "fail", "quota", "forget", "fail alone" (the transaction is committed all the same, as WebKit does after `commit`);
   * "commit": "fail" and "abort" (for no reason told), each also with " after": it was committed all the same; "quota";
   * "forget" and "forget after": no event ever comes. The details have the `owner`. `late(owner)`, if set: milliseconds by which a
   * transaction begins later, given to `schedule` as its second argument. `time(owner)`: how far that context has come, by its code, in
   * milliseconds; without an owner how far the browser has.
   * `quota`: bytes that fit in; past it a transaction that wrote more aborts at its commit. `powerCuts`: keeps what `cutPower` needs.
   */
  constructor({ schedule, fault = () => undefined, time = () => 0, quota = Infinity, powerCuts = false }) {
    Object.assign(this, { schedule, fault, time, quota, powerCuts });
  }

  shelf(name) {
    if (!this.shelves.has(name)) this.shelves.set(name, new Shelf(this, name));
    return this.shelves.get(name);
  }

  /** Bytes in all databases; only told where there is a quota. */
  usage() {
    return [...this.shelves.values()].reduce((sum, shelf) => sum + shelf.usage, 0);
  }

  /**
   * A page or a worker: what it has as globals, and its death.
   * `turn()`: a mark that changes whenever the context begins another task, so that a transaction is not active in a task that is not its
   * own; by default turns of Node's own event loop. `report`: is given what a handler throws. `touch()` is called with each use, and says
   * whether the context is dead by now: then nothing it does has an effect. `owner`: what faults are told of it.
   */
  context({ schedule, turn = counted(), report = rethrow, touch = () => false, owner }) {
    const context = { dead: false, report, schedule, turn, owner, alive: () => alive(context, touch) };
    const kill = (mayCommit = () => false) => {
      context.dead = true;
      for (const shelf of this.shelves.values()) {
        for (const connection of [...shelf.connections]) if (connection._context === context) shelf.orphan(connection, mayCommit);
      }
    };
    return { globals: { indexedDB: new IDBFactory(this, context), ...constructors }, kill };
  }

  /** The browser closes a connection, or all of a database; what is stored stays. */
  disconnect(connectionOrName) {
    const found = connectionOrName instanceof IDBDatabase ? [connectionOrName] : [...this.shelf(connectionOrName).connections];
    for (const connection of found) connection._shelf.cut(connection);
  }

  /** The database goes without asking anyone, as when a user clears what sites keep. */
  evict(name) {
    this.disconnect(name);
    this.shelf(name).empty();
  }

  /** The machine loses its power: of the commits that were not strict, the newest `count` of a database are gone. */
  cutPower(name, count) {
    this.disconnect(name);
    const { unflushed } = this.shelf(name);
    for (const undo of unflushed.splice(Math.max(0, unflushed.length - count)).reverse()) while (undo.length > 0) undo.pop()();
    this.shelf(name).unflushed = [];
  }

  /** What lies in a database, to be put back later. */
  copy(name) {
    const { version, stores } = this.shelf(name);
    return { version, stores: new Map([...stores].map(([store, records]) => [store, records.copy()])) };
  }

  /** An old copy takes the place of the database, as after a backup was restored. */
  restore(name, { version, stores }) {
    this.disconnect(name);
    this.shelf(name).empty();
    Object.assign(this.shelf(name), { version, stores: new Map([...stores].map(([store, records]) => [store, records.copy()])) });
  }
}
