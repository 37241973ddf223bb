// What the chart shows: the last minute of one queue's counts, and the rates between them.

const WINDOW_MS = 62_000;
const KEY = "posthaste-demo/history";

/** Samples `{ at, waiting, leased, done, failed }` in order of time, and marks `{ at, text }`. */
export class History {
  samples = [];
  marks = [];

  add(sample) {
    this.samples.push(sample);
    const oldest = sample.at - WINDOW_MS;
    while (this.samples[0].at < oldest) this.samples.shift();
    while (this.marks.length > 0 && this.marks[0].at < oldest) this.marks.shift();
  }

  mark(text, at = Date.now()) {
    this.marks.push({ at, text });
  }

  /** Messages a second over the last `ms`, of the counter `name`. */
  rate(name, ms = 2000) {
    const last = this.samples.at(-1);
    if (!last) return 0;
    let first = last;
    for (let index = this.samples.length - 1; index >= 0 && last.at - this.samples[index].at <= ms; index -= 1) {
      first = this.samples[index];
    }
    return last.at === first.at ? 0 : Math.max(0, ((last[name] - first[name]) * 1000) / (last.at - first.at));
  }

  /** The most messages a second in any half second that is still in sight. */
  peak(name) {
    return 2 * Math.max(0, ...this.slots(name, 500).values());
  }

  /** The counter `name` as a count in each slot of `ms`, on slots that stand still: Map of slot number -> count. */
  slots(name, ms) {
    const slots = new Map();
    for (let index = 1; index < this.samples.length; index += 1) {
      const [before, after] = [this.samples[index - 1], this.samples[index]];
      const grown = after[name] - before[name];
      if (grown <= 0 || after.at - before.at > 4000) continue; // a gap is a reload: its growth was not seen happening
      const slot = Math.floor(after.at / ms);
      slots.set(slot, (slots.get(slot) ?? 0) + grown);
    }
    return slots;
  }
}

/** Keeps the histories of this tab for a reload. */
export function keepHistories(histories) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(histories));
  } catch {
    // a chart that starts anew after a reload is all that is lost
  }
}

/** The histories that a reload left: `{ photos, jobs }`. */
export function takeHistories() {
  const histories = { photos: new History(), jobs: new History() };
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    for (const [name, history] of Object.entries(histories)) Object.assign(history, kept?.[name]);
  } catch {
    // as above
  }
  sessionStorage.removeItem(KEY);
  return histories;
}
