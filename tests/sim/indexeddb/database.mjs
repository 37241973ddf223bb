/** Databases as they lie at an origin, and connections to them. */

import { IDBEvent, IDBVersionChangeEvent, Target } from "./events.mjs";
import { Records } from "./records.mjs";
import { IDBObjectStore, IDBTransaction } from "./transaction.mjs";

const error = (name, message) => new DOMException(message, name);
const MODES = ["readonly", "readwrite"];
const DURABILITIES = ["default", "relaxed", "strict"];

/** A list of names as the platform gives it. */
class DOMStringList extends Array {
  contains(name) {
    return this.includes(name);
  }

  item(at) {
    return this[at] ?? null;
  }
}

const names = (list) => DOMStringList.from([...list].sort());

export class IDBDatabase extends Target {
  onabort = null;
  onclose = null;
  onerror = null;
  onversionchange = null;
  /** No more transactions begin. */
  _closing = false;
  _upgrade = undefined;

  /** `line`: where its events wait for each other. */
  constructor(shelf, context, line) {
    super();
    Object.assign(this, { _shelf: shelf, _context: context, _line: line, _origin: shelf.origin, name: shelf.name, version: shelf.version });
    // A connection keeps the stores that it was opened with, though the database be evicted.
    this._stores = shelf.stores;
    shelf.connections.add(this);
  }

  get objectStoreNames() {
    return names(this._stores.keys());
  }

  createObjectStore(name, { keyPath = null, autoIncrement = false } = {}) {
    const upgrade = this._upgrade;
    if (!upgrade) throw error("InvalidStateError", "The database is not being upgraded.");
    upgrade._mayRead();
    if (keyPath !== null) throw error("NotSupportedError", "Key paths are not simulated.");
    const stores = this._shelf.stores;
    if (stores.has(name)) throw error("ConstraintError", `There is an object store ${name} already.`);
    stores.set(name, new Records(autoIncrement, this._origin.quota < Infinity));
    upgrade._names.push(name);
    upgrade._undo.push(() => stores.delete(name));
    return new IDBObjectStore(upgrade, name);
  }

  transaction(scope, mode = "readonly", options = {}) {
    this._context.alive();
    if (this._upgrade && !this._upgrade._end) throw error("InvalidStateError", "The database is being upgraded.");
    if (this._closing) throw error("InvalidStateError", "The database connection is closing.");
    const wanted = names(new Set(typeof scope === "string" ? [scope] : scope));
    const missing = wanted.find((name) => !this._stores.has(name));
    if (missing !== undefined) throw error("NotFoundError", `There is no object store ${missing}.`);
    if (wanted.length === 0) throw error("InvalidAccessError", "No object store was named.");
    const durability = options.durability ?? "default";
    if (!MODES.includes(mode) || !DURABILITIES.includes(durability)) throw new TypeError(`no transaction is ${mode}, ${durability}`);
    if (this._origin.fault("begin", { mode, owner: this._context.owner }) === "fail") {
      this._origin.disconnect(this);
      throw error("InvalidStateError", "The database connection is closing.");
    }
    const transaction = new IDBTransaction(this, wanted, mode, durability);
    this._shelf.made(transaction);
    transaction._activate();
    return transaction;
  }

  close() {
    if (this._context.dead) return;
    this._closing = true;
    this._shelf.review(this);
  }
}

/** One database: its stores, who is connected, which transactions are under way, who waits to open or delete it. */
export class Shelf {
  version = 0;
  /** @type {Map<string, Records>} */
  stores = new Map();
  connections = new Set();
  /** In the order they were made. */
  live = [];
  /** Commits that the disk may not have yet, the oldest first: each as what takes it back. */
  unflushed = [];
  #jobs = [];
  #job = undefined;

  constructor(origin, name) {
    Object.assign(this, { origin, name });
  }

  get usage() {
    let bytes = 0;
    for (const records of this.stores.values()) bytes += records.usage;
    return bytes;
  }

  /** A context whose code has run for long made it later than others will have made theirs. */
  made(transaction) {
    const at = this.live.findLastIndex(({ _madeAt }) => _madeAt <= transaction._madeAt);
    this.live.splice(at + 1, 0, transaction);
  }

  /** Readers share; a writer has what it names for itself, in the order they were made. */
  mayBegin(transaction) {
    const reads = transaction.mode === "readonly";
    for (const other of this.live) {
      if (other === transaction) break;
      if (reads && other.mode === "readonly") continue;
      if (other._names.some((name) => transaction._names.includes(name))) return false;
    }
    return true;
  }

  finished(transaction) {
    const at = this.live.indexOf(transaction);
    if (at >= 0) this.live.splice(at, 1);
    if (transaction._end === "committed" && this.origin.powerCuts) this.#keep(transaction);
    for (const other of this.live) if (!other._begun && this.mayBegin(other)) other._wake();
    this.review(transaction.db);
  }

  #keep(transaction) {
    if (transaction.durability === "strict") this.unflushed = [];
    else if (transaction._undo.length > 0) this.unflushed.push(transaction._undo);
  }

  /** A connection that is closing goes once its transactions have ended; who waits for that goes on. */
  review(connection) {
    if (!connection._closing || this.live.some((transaction) => transaction.db === connection)) return;
    if (this.connections.delete(connection)) this.#job?.changed();
  }

  /** Has what opens or deletes the database wait for its turn. */
  enqueue(job) {
    this.#jobs.push(job);
    if (!this.#job) this.#next();
  }

  #next() {
    this.#job = this.#jobs.shift();
    this.#job?.start(() => {
      this.#job = undefined;
      this.#next();
    });
  }

  /** Tells the others that they stand in the way; `heard` when each was told or is gone, `free` when none is left. */
  clear(newVersion, job, heard, free) {
    const others = [...this.connections].filter((other) => !other._closing);
    const untold = new Set(others);
    let [told, over] = [false, false];
    job.changed = () => {
      for (const other of untold) if (!this.connections.has(other)) untold.delete(other);
      const left = this.connections.size > 0;
      if (!over && !left) {
        over = true;
        this.origin.schedule(free);
      } else if (!told && untold.size === 0 && left) {
        told = true;
        heard();
      }
    };
    for (const other of others) {
      other._line.push(() => {
        if (!other._closing) {
          const event = new IDBVersionChangeEvent("versionchange", { oldVersion: this.version, newVersion });
          other._fire(event).forEach(other._context.report);
        }
        untold.delete(other);
        job.changed();
      });
    }
    job.changed();
  }

  /** The browser ends a connection: what is under way is undone, and the context hears `close`. */
  cut(connection) {
    const open = !connection._closing;
    connection._closing = true;
    for (const transaction of this.live.filter((transaction) => transaction.db === connection)) {
      transaction._abort(error("AbortError", "The connection was closed."));
    }
    this.review(connection);
    if (open) connection._line.push(() => connection._fire(new IDBEvent("close")).forEach(connection._context.report));
  }

  /** The context of a connection has died. */
  orphan(connection, mayCommit) {
    connection._closing = true;
    for (const transaction of this.live.filter((transaction) => transaction.db === connection)) {
      transaction._orphan(transaction.mode !== "versionchange" && mayCommit());
    }
    this.review(connection);
    this.#job?.changed();
  }

  empty() {
    this.version = 0;
    this.stores = new Map();
    this.unflushed = [];
  }
}
