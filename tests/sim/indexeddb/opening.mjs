/** Opening, making and deleting databases: one after the other for each name, whoever asks. */

import { IDBDatabase } from "./database.mjs";
import { IDBEvent, IDBVersionChangeEvent, Line } from "./events.mjs";
import { compare, toKey } from "./keys.mjs";
import { IDBOpenDBRequest, IDBTransaction } from "./transaction.mjs";

const error = (name, message) => new DOMException(message, name);

/** One opening or deletion. `start` is called when it is its turn. */
class Job {
  request = new IDBOpenDBRequest(null, null, undefined);

  constructor(shelf, context) {
    Object.assign(this, { shelf, context });
    this.line = new Line(context.schedule, () => context.dead);
  }

  /** Something about the connections has changed. */
  changed() {}

  fire(event) {
    const thrown = this.request._fire(event);
    thrown.forEach(this.context.report);
    return thrown;
  }

  refuse(reason) {
    this.request._settle(undefined, reason);
    this.fire(new IDBEvent("error", { bubbles: true, cancelable: true }));
  }

  start(done) {
    this.done = done;
    this.shelf.origin.schedule(() => {
      const fault = this.context.dead ? "forget" : this.shelf.origin.fault("open", { owner: this.context.owner });
      if (fault === "forget") return done();
      if (fault === "fail") return this.fail(error("UnknownError", "Internal error opening backing store."));
      this.run();
    });
  }

  blocked(newVersion) {
    this.line.push(() => this.fire(new IDBVersionChangeEvent("blocked", { oldVersion: this.shelf.version, newVersion })));
  }

  fail(reason) {
    this.line.push(() => this.refuse(reason));
    this.done();
  }
}

class Opening extends Job {
  run() {
    const { shelf, version } = this;
    const wanted = version ?? Math.max(1, shelf.version);
    if (wanted < shelf.version) return this.fail(error("VersionError", "The requested version is less than the existing version."));
    if (wanted === shelf.version) return this.connect();
    shelf.clear(wanted, this, () => this.blocked(wanted), () => this.upgrade(wanted));
  }

  connect() {
    if (!this.context.dead) this.succeed(new IDBDatabase(this.shelf, this.context, this.line));
    this.done();
  }

  succeed(database) {
    this.line.push(() => {
      this.request._settle(database);
      this.fire(new IDBEvent("success"));
    });
  }

  upgrade(newVersion) {
    if (this.context.dead) return this.done();
    const { shelf, request } = this;
    const [oldVersion, { stores }] = [shelf.version, shelf];
    shelf.version = newVersion;
    const database = new IDBDatabase(shelf, this.context, this.line);
    const transaction = new IDBTransaction(database, database.objectStoreNames, "versionchange", "default");
    database._upgrade = transaction;
    transaction._undo.push(() => Object.assign(shelf, { version: oldVersion, stores }));
    shelf.live.push(transaction);
    transaction._over = (committed) => {
      database._upgrade = undefined;
      request.transaction = null;
      if (committed && !database._closing) return this.succeed(database);
      database.close();
      this.refuse(error("AbortError", "The upgrade was aborted."));
    };
    transaction._ended = () => this.done();
    this.line.push(() => {
      if (transaction._end) return;
      transaction._activate();
      request._settle(database);
      request.transaction = transaction;
      const thrown = this.fire(new IDBVersionChangeEvent("upgradeneeded", { oldVersion, newVersion }));
      if (thrown.length > 0) transaction._abort(error("AbortError", "A handler threw."));
    });
  }
}

class Deletion extends Job {
  run() {
    this.shelf.clear(null, this, () => this.blocked(null), () => {
      const oldVersion = this.shelf.version;
      this.shelf.empty();
      this.line.push(() => {
        this.request._settle(undefined);
        this.fire(new IDBVersionChangeEvent("success", { oldVersion, newVersion: null }));
      });
      this.done();
    });
  }
}

/** What a context has as `indexedDB`. */
export class IDBFactory {
  #origin;
  #context;

  constructor(origin, context) {
    this.#origin = origin;
    this.#context = context;
  }

  open(name, version) {
    this.#context.alive();
    if (version !== undefined && !(Math.floor(version) >= 1)) throw new TypeError(`no database has version ${version}`);
    const job = new Opening(this.#origin.shelf(String(name)), this.#context);
    job.version = version === undefined ? undefined : Math.floor(version);
    job.shelf.enqueue(job);
    return job.request;
  }

  deleteDatabase(name) {
    this.#context.alive();
    const job = new Deletion(this.#origin.shelf(String(name)), this.#context);
    job.shelf.enqueue(job);
    return job.request;
  }

  databases() {
    return new Promise((resolve) => {
      this.#context.schedule(() => {
        const shelves = [...this.#origin.shelves.values()].filter(({ version }) => version > 0);
        resolve(shelves.map(({ name, version }) => ({ name, version })));
      });
    });
  }

  cmp(a, b) {
    return compare(toKey(a), toKey(b));
  }
}
