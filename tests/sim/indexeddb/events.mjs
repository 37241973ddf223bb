/** Events of IndexedDB and what they are fired at: plainer and faster than Node's own, which have no parents to bubble to. */

export class IDBEvent {
  defaultPrevented = false;
  target = null;
  currentTarget = null;
  stopped = false;

  constructor(type, { bubbles = false, cancelable = false } = {}) {
    Object.assign(this, { type, bubbles, cancelable });
  }

  preventDefault() {
    if (this.cancelable) this.defaultPrevented = true;
  }

  stopPropagation() {
    this.stopped = true;
  }
}

export class IDBVersionChangeEvent extends IDBEvent {
  constructor(type, { oldVersion = 0, newVersion = null } = {}) {
    super(type);
    Object.assign(this, { oldVersion, newVersion });
  }
}

export class Target {
  _listeners = undefined;

  addEventListener(type, callback, options = {}) {
    const listeners = (this._listeners ??= new Map());
    if (!listeners.has(type)) listeners.set(type, []);
    const same = (listener) => listener.callback === callback;
    if (!listeners.get(type).some(same)) listeners.get(type).push({ callback, once: options.once === true });
  }

  removeEventListener(type, callback) {
    const listeners = this._listeners?.get(type);
    const at = listeners?.findIndex((listener) => listener.callback === callback) ?? -1;
    if (at >= 0) listeners.splice(at, 1);
  }

  /** Whether anyone here hears events of this type. */
  _hears(type) {
    return Boolean(this[`on${type}`]) || (this._listeners?.get(type)?.length ?? 0) > 0;
  }

  /** Calls who listens, here and in `parents`. Answers the exceptions that were thrown. */
  _fire(event, parents = []) {
    event.target = this;
    const thrown = [];
    for (const target of event.bubbles ? [this, ...parents] : [this]) {
      event.currentTarget = target;
      target._call(event, thrown);
      if (event.stopped) break;
    }
    event.currentTarget = null;
    return thrown;
  }

  _call(event, thrown) {
    const listeners = this._listeners?.get(event.type) ?? [];
    const callbacks = [this[`on${event.type}`], ...listeners.map(({ callback }) => callback)];
    if (listeners.length > 0) this._listeners.set(event.type, listeners.filter(({ once }) => !once));
    for (const callback of callbacks) {
      if (!callback) continue;
      try {
        if (typeof callback === "function") callback.call(this, event);
        else callback.handleEvent(event);
      } catch (error) {
        thrown.push(error);
      }
    }
  }
}

/** Events of one sender, in their order, each in a task of its own. */
export class Line {
  #waiting = [];
  #schedule;
  #dead;

  /** `dead()`: nobody is there any more to hear them. */
  constructor(schedule, dead) {
    this.#schedule = schedule;
    this.#dead = dead;
  }

  push(task) {
    if (this.#dead()) return;
    this.#waiting.push(task);
    if (this.#waiting.length === 1) this.#schedule(() => this.#next());
  }

  #next() {
    if (this.#dead()) return;
    const task = this.#waiting[0];
    try {
      task();
    } finally {
      this.#waiting.shift();
      if (this.#waiting.length > 0) this.#schedule(() => this.#next());
    }
  }
}
