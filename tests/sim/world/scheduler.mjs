/** Virtual time: every macrotask of every context waits here, and they run one after another. */

/** Runs every microtask there is. Only where none runs already: node --allow-natives-syntax. */
export const drainMicrotasks = new Function("%PerformMicrotaskCheckpoint()");

/** So many tasks at one instant are a loop that never ends. */
const TASKS_AN_INSTANT_MAX = 50_000;
/** A context that is behind by less than this runs its task at once. */
const BEHIND_MS = 1;

export class Scheduler {
  /** Milliseconds since the world began. */
  now = 0;
  /** Macrotasks that ran. */
  ran = 0;
  /** Called when a task shows that something spins. */
  spinning = () => undefined;
  #heap = [];
  #born = 0;
  #instant = 0;
  #atInstant = 0;

  /** Runs `work(a, b)` at `due`, for `owner` (a context, or null for the world itself). Answers with a handle for `cancel`. */
  at(due, owner, work, a, b) {
    const task = { due: due < this.now ? this.now : due, born: this.#born += 1, owner, work, a, b, off: false };
    this.#push(task);
    return task;
  }

  cancel(task) {
    task.off = true;
  }

  get waiting() {
    return this.#heap.length;
  }

  /** Tasks of a context that are still to come. */
  of(context) {
    return this.#heap.filter(({ owner, off }) => owner === context && !off).length;
  }

  /** Runs what is due until `limit`, and stops early when `over()` says so. */
  runUntil(limit, over) {
    const heap = this.#heap;
    drainMicrotasks();
    while (heap.length && heap[0].due <= limit) {
      const task = this.#pop();
      if (task.off || this.#kept(task)) continue;
      if (task.due > this.now) this.now = task.due;
      this.#count();
      task.work(task.a, task.b);
      drainMicrotasks();
      if (over()) return;
    }
    if (limit > this.now) this.now = limit;
  }

  /** Whether the task does not run now: its context is dead, frozen or busy. */
  #kept(task) {
    const { owner } = task;
    if (!owner) return false;
    if (owner.dead) return true;
    if (owner.frozen) {
      owner.parked.push(task);
      return true;
    }
    if (owner.busyUntil - task.due <= BEHIND_MS && task.due >= owner.queuedUntil) return false;
    // Those that wait already go first.
    if (owner.busyUntil > owner.queuedUntil) owner.queuedUntil = owner.busyUntil;
    if (task.due >= owner.queuedUntil) return false;
    task.due = owner.queuedUntil;
    this.#push(task);
    return true;
  }

  /** The tasks that a context did not run while it was frozen. */
  resume(tasks) {
    for (const task of tasks) {
      if (task.due < this.now) task.due = this.now;
      this.#push(task);
    }
  }

  #count() {
    this.ran += 1;
    if (this.now !== this.#instant) {
      this.#instant = this.now;
      this.#atInstant = 0;
    }
    this.#atInstant += 1;
    if (this.#atInstant > TASKS_AN_INSTANT_MAX) this.spinning(`${TASKS_AN_INSTANT_MAX} tasks at one instant`);
  }

  #push(task) {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(task);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(task, heap[up])) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = task;
  }

  #pop() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!heap.length) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1], heap[down])) down += 1;
      if (!before(heap[down], last)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function before(one, other) {
  return one.due < other.due || (one.due === other.due && one.born < other.born);
}
