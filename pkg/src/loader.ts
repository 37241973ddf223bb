/** Bodies of delivered messages: read in one go, from values that hold many, and remembered while they are being used up. */

import type { Delivery } from "./effects";
import type { Bodies, Store } from "./store";

const VALUES_MAX = 16;

/** A body that was handed out: the receiver may change it, so the next delivery reads it again. */
const TAKEN = Symbol();

export interface Loaded {
  body: unknown;
  headers: Readonly<Record<string, string>> | undefined;
}

interface Wanted {
  number: number;
  part: number;
  place: number;
}

export class Loader {
  private readonly values = new Map<string, Bodies>();
  /** What to do when a lease is lost, by grant and message. */
  private readonly watched = new Map<string, () => void>();

  constructor(private readonly store: () => Store) {}

  /** The bodies of these deliveries, in order. A body that is missing is `undefined` in the answer. */
  async load(deliveries: Delivery[]): Promise<(Loaded | undefined)[]> {
    const wanted = deliveries.flatMap(places);
    const found = wanted.map((place) => this.take(place));
    const missing = [...new Set(wanted.filter((_, at) => !found[at]).map(key))];
    if (!missing.length) return found;
    const keys = missing.flatMap((name) => name.split("/").map(Number));
    const values = await this.store().values(keys);
    missing.forEach((name, at) => this.remember(name, values[at]));
    const loaded = wanted.map((place, at) => found[at] ?? this.take(place));
    this.trim();
    return loaded;
  }

  private take({ number, part, place }: Wanted): Loaded | undefined {
    const value = this.values.get(`${number}/${part}`);
    if (!value || place >= value.bodies.length || value.bodies[place] === TAKEN) return undefined;
    const body = value.bodies[place];
    value.bodies[place] = TAKEN;
    return { body, headers: value.headers?.[place] };
  }

  private remember(name: string, value: Bodies | undefined): void {
    this.values.delete(name);
    if (value) this.values.set(name, value);
  }

  private trim(): void {
    for (const [name, { bodies }] of this.values) {
      if (this.values.size > VALUES_MAX || bodies.every((body) => body === TAKEN)) this.values.delete(name);
    }
  }

  clear(): void {
    this.values.clear();
  }

  /** Calls back once when the lease of this message is lost. */
  watch(number: number, index: number, grant: number, lost: () => void): () => void {
    const name = `${number}-${index}-${grant}`;
    this.watched.set(name, lost);
    return () => void this.watched.delete(name);
  }

  leaseLost(number: number, index: number, count: number, grant: number): void {
    if (!this.watched.size) return;
    for (let at = index; at < index + count; at += 1) {
      const name = `${number}-${at}-${grant}`;
      const lost = this.watched.get(name);
      this.watched.delete(name);
      lost?.();
    }
  }
}

function places({ number, index, count, chunk }: Delivery): Wanted[] {
  return Array.from({ length: count }, (_, at) => {
    const whole = index + at;
    return chunk < 0 ? { number, part: -1, place: whole } : { number, part: whole >> chunk, place: whole & ((1 << chunk) - 1) };
  });
}

function key({ number, part }: Wanted): string {
  return `${number}/${part}`;
}
