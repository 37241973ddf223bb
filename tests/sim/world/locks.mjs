/** Web Locks of one origin, as the contexts of the world share them. A context's locks are free as soon as it is dead. */

/** Until a lock is granted, and until others learn that it is free. */
const GRANT_MS = 0.2;

export class Locks {
  #names = new Map();

  constructor(scheduler) {
    this.scheduler = scheduler;
  }

  /** What `navigator.locks` is in this context. */
  of(context) {
    context.onDeath.push(() => this.#forget(context));
    return {
      request: (name, ...rest) => {
        const [options, callback] = rest.length === 1 ? [{}, rest[0]] : rest;
        return this.#request(context, name, options, callback);
      },
      query: () => this.#query(context),
    };
  }

  #of(name) {
    let known = this.#names.get(name);
    if (!known) this.#names.set(name, known = { held: [], asked: [] });
    return known;
  }

  #request(context, name, { mode = "exclusive", ifAvailable = false, steal = false, signal }, callback) {
    if (context.touch()) return new Promise(() => undefined);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const claim = { context, name, mode, ifAvailable, steal, callback, resolve, reject, gone: false };
      signal?.addEventListener("abort", () => {
        const { asked } = this.#of(name);
        const at = asked.indexOf(claim);
        if (at < 0 || context.touch()) return;
        asked.splice(at, 1);
        claim.gone = true;
        reject(signal.reason);
        this.#look(name);
      }, { once: true });
      this.#of(name).asked.push(claim);
      this.#look(name);
    });
  }

  #look(name) {
    this.scheduler.at(this.scheduler.now + GRANT_MS, null, () => this.#grant(name));
  }

  #grant(name) {
    const lock = this.#of(name);
    while (lock.asked.length) {
      const [claim] = lock.asked;
      const free = claim.steal || (claim.mode === "shared" ? lock.held.every(({ mode }) => mode === "shared") : !lock.held.length);
      if (!free && !claim.ifAvailable) break;
      lock.asked.shift();
      if (claim.steal) { for (const held of lock.held.splice(0)) held.reject(new DOMException("the lock was stolen", "AbortError")); }
      if (free) lock.held.push(claim);
      claim.context.task(0, () => this.#call(claim, free));
    }
    if (!lock.asked.length && !lock.held.length) this.#names.delete(name);
  }

  #call(claim, free) {
    const { context, name, mode, callback, resolve, reject } = claim;
    if (claim.gone) return;
    let answer;
    try {
      answer = callback(free ? { name, mode } : null);
    } catch (error) {
      answer = Promise.reject(error);
    }
    const over = () => {
      if (context.dead) return;
      this.#free(claim);
    };
    Promise.resolve(answer).then((value) => (over(), resolve(value)), (error) => (over(), reject(error)));
  }

  #free(claim) {
    const { held } = this.#of(claim.name);
    const at = held.indexOf(claim);
    if (at >= 0) held.splice(at, 1);
    this.#look(claim.name);
  }

  #forget(context) {
    for (const [name, lock] of this.#names) {
      for (const claim of [...lock.asked, ...lock.held]) if (claim.context === context) claim.gone = true;
      lock.asked = lock.asked.filter(({ gone }) => !gone);
      lock.held = lock.held.filter((claim) => claim.context !== context);
      this.#look(name);
    }
  }

  #query(context) {
    if (context.touch()) return new Promise(() => undefined);
    const told = ({ name, mode, context: { name: clientId } }) => ({ name, mode, clientId });
    return new Promise((resolve) => {
      context.task(GRANT_MS, () => {
        const all = [...this.#names.values()];
        resolve({ held: all.flatMap(({ held }) => held.map(told)), pending: all.flatMap(({ asked }) => asked.map(told)) });
      });
    });
  }

  /** Locks that are held or asked for, by a context or by anyone. */
  count(context) {
    let sum = 0;
    for (const { held, asked } of this.#names.values()) {
      for (const claim of [...held, ...asked]) sum += !context || claim.context === context ? 1 : 0;
    }
    return sum;
  }
}
