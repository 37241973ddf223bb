/**
 * Transactions, their requests, and what they do to records.
 *
 * Two sides: the context asks, hears events and has a transaction active in some of its tasks; the browser executes what was
 * asked (`_pump`) and commits. Between them lie the line of events of the connection and tasks of the scheduler, so that
 * others come between wherever they can in a browser.
 */

import { IDBEvent, Target } from "./events.mjs";
import { IDBKeyRange, toKey, toRange } from "./keys.mjs";
import { cloneForReader, cloneForStorage } from "./records.mjs";

const error = (name, message) => new DOMException(message, name);

export class IDBRequest extends Target {
  onsuccess = null;
  onerror = null;
  readyState = "pending";
  _result = undefined;
  _error = null;

  constructor(source, transaction, execute) {
    super();
    Object.assign(this, { source, transaction, _execute: execute });
  }

  get result() {
    if (this.readyState === "pending") throw error("InvalidStateError", "The request has not finished.");
    return this._result;
  }

  get error() {
    if (this.readyState === "pending") throw error("InvalidStateError", "The request has not finished.");
    return this._error;
  }

  _settle(result, failure = null) {
    this.readyState = "done";
    this._result = result;
    this._error = failure;
  }
}

export class IDBOpenDBRequest extends IDBRequest {
  onblocked = null;
  onupgradeneeded = null;
}

export class IDBObjectStore {
  keyPath = null;

  constructor(transaction, name) {
    Object.assign(this, { transaction, name });
  }

  get autoIncrement() {
    return this.#records.autoIncrement;
  }

  get #records() {
    return this.transaction.db._shelf.stores.get(this.name);
  }

  put(value, key) {
    return this.#write("put", value, key);
  }

  add(value, key) {
    return this.#write("add", value, key);
  }

  #write(method, value, given) {
    const transaction = this.transaction;
    transaction._mayWrite();
    const records = this.#records;
    if (given === undefined && !records.autoIncrement) throw error("DataError", "The store has no key generator, and no key was given.");
    const key = given === undefined ? undefined : toKey(given);
    // What the clone calls must not use the transaction.
    const active = transaction._activity;
    transaction._activity = undefined;
    let copy;
    try {
      copy = cloneForStorage(value);
    } finally {
      transaction._activity = active;
    }
    return transaction._ask(this, method, (undo) => {
      const own = key ?? records.generate(undo);
      const range = method === "add" ? IDBKeyRange.only(own) : undefined;
      if (range && records.span(range)[0] < records.span(range)[1]) throw error("ConstraintError", "The key is there already.");
      transaction._grown += records.put(own, copy, undo);
      return own;
    });
  }

  delete(query) {
    this.transaction._mayWrite();
    const range = toRange(query, false);
    return this.transaction._ask(this, "delete", (undo) => void this.#records.delete(range, undo));
  }

  clear() {
    this.transaction._mayWrite();
    return this.transaction._ask(this, "clear", (undo) => void this.#records.delete(toRange(undefined, true), undo));
  }

  get(query) {
    return this.#first("get", query, (records, at) => cloneForReader(records.values[at]));
  }

  getKey(query) {
    return this.#first("getKey", query, (records, at) => cloneForReader(records.keys[at]));
  }

  #first(method, query, found) {
    this.transaction._mayRead();
    const range = toRange(query, false);
    return this.transaction._ask(this, method, () => {
      const [from, to] = this.#records.span(range);
      return from < to ? found(this.#records, from) : undefined;
    });
  }

  getAll(query, count) {
    return this.#all("getAll", query, count, (records, from, to) => records.values.slice(from, to).map(cloneForReader));
  }

  getAllKeys(query, count) {
    return this.#all("getAllKeys", query, count, (records, from, to) => records.keys.slice(from, to).map(cloneForReader));
  }

  count(query) {
    return this.#all("count", query, 0, (_, from, to) => to - from);
  }

  #all(method, query, count, found) {
    this.transaction._mayRead();
    const range = toRange(query, true);
    const most = count === undefined || count === 0 ? Infinity : count;
    return this.transaction._ask(this, method, () => {
      const [from, to] = this.#records.span(range);
      return found(this.#records, from, Math.min(to, from + most));
    });
  }
}

export class IDBTransaction extends Target {
  onabort = null;
  oncomplete = null;
  onerror = null;
  error = null;
  /** Whether the browser has begun it. */
  _begun = false;
  /** In the browser: "committed", "aborted", or neither yet. */
  _end = undefined;
  _commitAsked = false;
  /** The context's turn in which requests may be made. */
  _activity = undefined;
  /** Asked for, not executed. */
  _asked = [];
  /** Executed, the event not heard yet. */
  _owed = new Set();
  _failures = 0;
  _undo = [];
  _grown = 0;
  _pumping = false;

  constructor(database, names, mode, durability) {
    super();
    Object.assign(this, { db: database, _names: names, mode, durability });
    this._madeAt = this._askedAt = database._origin.time(database._context.owner);
  }

  get objectStoreNames() {
    return this._names;
  }

  objectStore(name) {
    if (this._end || this._commitAsked) throw error("InvalidStateError", "The transaction has finished.");
    if (!this._names.includes(name)) throw error("NotFoundError", `There is no object store ${name} here.`);
    return new IDBObjectStore(this, name);
  }

  commit() {
    this.db._context.alive();
    this._mayAsk();
    this._commitAsked = true;
    this._activity = undefined;
    this._asks();
  }

  abort() {
    this.db._context.alive();
    if (this._end || this._commitAsked) throw error("InvalidStateError", "The transaction has finished.");
    this._abort(null);
  }

  /** The transaction is active for the rest of the context's turn, its microtasks included. */
  _activate() {
    this._activity = this.db._context.turn();
    this._wake();
  }

  _mayAsk() {
    if (this._end || this._commitAsked) throw error("InvalidStateError", "The transaction has finished.");
    if (this._activity === undefined || this._activity !== this.db._context.turn()) {
      throw error("TransactionInactiveError", "The transaction is not active.");
    }
  }

  _mayRead() {
    this.db._context.alive();
    if (this._activity === undefined || this._activity !== this.db._context.turn() || this._end || this._commitAsked) {
      throw error("TransactionInactiveError", "The transaction is not active.");
    }
  }

  _mayWrite() {
    this._mayRead();
    if (this.mode === "readonly") throw error("ReadOnlyError", "The transaction is read-only.");
  }

  _ask(store, method, execute) {
    const request = new IDBRequest(store, this, execute);
    request._method = method;
    this._asked.push(request);
    this._asks();
    return request;
  }

  /** The browser hears of it when the context has come so far: its code may have run for long in this task. */
  _asks() {
    this._askedAt = this.db._origin.time(this.db._context.owner);
    this._wake();
  }

  /** Has the browser look what it can do for this transaction. */
  _wake() {
    if (this._pumping || this._end) return;
    this._pumping = true;
    this.db._origin.schedule(() => this._pump());
  }

  _pump() {
    this._pumping = false;
    if (this._end) return;
    const early = this._askedAt - this.db._origin.time();
    if (early > 0) {
      this._pumping = true;
      return this.db._origin.schedule(() => this._pump(), early);
    }
    if (!this._begun && !this.db._shelf.mayBegin(this)) return;
    const late = this._begun ? 0 : (this.db._origin.late?.(this.db._context.owner) ?? 0);
    this._begun = true;
    if (late > 0) {
      this._pumping = true;
      return this.db._origin.schedule(() => this._pump(), late);
    }
    // What is active is so for one task of the context: this is another.
    this._activity = undefined;
    while (this._asked.length > 0) {
      const request = this._asked.shift();
      const fault = this.db._origin.fault("request", { method: request._method, mode: this.mode, owner: this.db._context.owner });
      if (fault === "forget") return this._forget(false);
      this._execute(request, fault);
    }
    if (this._failures > 0) return this.db._context.dead ? this._forget(false) : undefined;
    if (this._commitAsked || this._owed.size === 0) this._commit();
  }

  _execute(request, fault) {
    let [result, failure] = [undefined, null];
    try {
      if (fault === "fail" || fault === "fail alone") throw error("UnknownError", "An internal error was encountered.");
      if (fault === "quota") throw error("QuotaExceededError", "The quota has been exceeded.");
      result = request._execute(this._undo);
    } catch (thrown) {
      failure = thrown;
      this._failures += 1;
      // WebKit forgets to abort what it was told to commit.
      request._alone = fault === "fail alone" && this._commitAsked;
    }
    if (!failure && !request._hears("success")) return request._settle(result);
    this._owed.add(request);
    this.db._line.push(() => this._answer(request, result, failure));
  }

  /** In the context: the event of one request. */
  _answer(request, result, failure) {
    if (!this._owed.delete(request)) return;
    request._settle(result, failure);
    if (!this._commitAsked) this._activate();
    const event = failure ? new IDBEvent("error", { bubbles: true, cancelable: true }) : new IDBEvent("success");
    const thrown = request._fire(event, [this, this.db]);
    thrown.forEach(this.db._context.report);
    if (failure) this._failures -= 1;
    if (thrown.length > 0) this._abort(error("AbortError", "A handler threw."));
    else if (failure && !event.defaultPrevented && !request._alone) this._abort(failure);
    else this._wake();
  }

  _commit() {
    const origin = this.db._origin;
    const full = this._grown > 0 && origin.usage() > origin.quota;
    if (full) origin.crowded?.();
    const fault = full ? "quota" : origin.fault("commit", { mode: this.mode, asked: this._commitAsked, owner: this.db._context.owner });
    if (fault === "forget" || fault === "forget after") return this._forget(fault === "forget after");
    const failures = {
      quota: () => error("QuotaExceededError", "The quota has been exceeded."),
      fail: () => error("UnknownError", "Internal error committing transaction."),
      "fail after": () => error("UnknownError", "Internal error committing transaction."),
      abort: () => null,
      "abort after": () => null,
    };
    const failure = failures[fault];
    if (failure && !fault.endsWith("after")) return this._abort(failure());
    this._finish("committed");
    this.db._line.push(() => {
      if (failure) this.error = failure();
      this._last(new IDBEvent(failure ? "abort" : "complete", { bubbles: Boolean(failure) }));
    });
  }

  /** Takes everything back, and says so. */
  _abort(reason) {
    if (this._end) return;
    const unheard = [...this._owed, ...this._asked];
    this._asked = [];
    this._owed.clear();
    this._finish("aborted");
    this.error = reason;
    for (const request of unheard) {
      this.db._line.push(() => {
        request._settle(undefined, error("AbortError", "The transaction was aborted."));
        request._fire(new IDBEvent("error", { bubbles: true, cancelable: true }), [this, this.db]).forEach(this.db._context.report);
      });
    }
    this.db._line.push(() => this._last(new IDBEvent("abort", { bubbles: true })));
  }

  /** Nobody hears of it any more. */
  _forget(stays) {
    this._asked = [];
    this._owed.clear();
    this._finish(stays ? "committed" : "aborted");
  }

  _last(event) {
    this._fire(event, [this.db]).forEach(this.db._context.report);
    this._over?.(this._end === "committed");
  }

  _finish(end) {
    this._end = end;
    this._activity = undefined;
    if (end === "aborted") { while (this._undo.length > 0) this._undo.pop()(); }
    this.db._shelf.finished(this);
    this._ended?.();
  }

  /** The context has died. What was asked to be committed may be all the same, and what asks for nothing more once its task is over. */
  _orphan(mayCommit) {
    const active = this._activity !== undefined && this._activity === this.db._context.turn();
    const whole = this._commitAsked || (!active && this._begun && this._asked.length === 0 && this._owed.size === 0);
    if (!whole || !mayCommit || this._failures > 0) return this._forget(false);
    this._commitAsked = true;
    this._owed.clear();
    this._wake();
  }
}
