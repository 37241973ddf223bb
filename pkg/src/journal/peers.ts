/**
 * Which peers of a journal live. Each shows that it does before it leases anything, under a name that nobody else ever has.
 * Whoever sees that another is gone ends its leases by a record: the record decides, not what was seen.
 */

import type { Presence } from "../contract/store";

/** A name tells, by the multiple of this that it begins at, what there is to know of whoever leases under it. */
const KIND = 2 ** 51;
/** From here on others can see whether it lives, and its sudden end counts as an attempt at what it had handed out. */
const SEEN = 2 * KIND;
/** As that, but its platform ends it when it likes: that is no failure of a handler. */
const FLEETING = 3 * KIND;
/** Others watched at a time: more are looked for when there is room. */
const WATCHED_MAX = 64;

const named = (kind: number): number => kind + 1 + Math.floor(Math.random() * (KIND - 1));

export class Living {
  /** The names under which this context is to be seen, and how to hide each. */
  private readonly shown = new Map<number, () => void>();
  private readonly watched = new Map<number, () => void>();
  /** Left, and perhaps to come back. */
  private away = false;
  private over = false;
  private readonly stopHearing: (() => void) | undefined;

  /** `bury`: ends the leases of one that is gone. `leave`: this context ends in good order. `back`: it went on after all. */
  constructor(
    private readonly presence: Presence | undefined,
    private readonly bury: (peer: number, counted: () => boolean) => Promise<unknown>,
    leave: () => void,
    back: () => void,
  ) {
    this.stopHearing = presence?.onLeave(
      () => {
        if (this.away) return;
        // First: it is there at once, and what follows may be cut short.
        if (this.shown.size) presence.note?.([...this.shown.keys()]);
        try {
          leave();
        } catch {
          // It was cut short before, in the middle: whoever buries this peer does it instead.
        }
        this.away = true;
        this.hide();
      },
      () => {
        if (!this.away) return;
        this.away = false;
        back();
      },
    );
  }

  /**
   * A name to lease under, once others can see that its bearer lives, and the leases of those in `others` who do not have ended.
   * Undefined: not now.
   */
  async show(others: ArrayLike<number>): Promise<number | undefined> {
    const { presence } = this;
    for (;;) {
      if (this.away || this.over) return undefined;
      if (!presence) return named(0);
      const name = named(presence.fleeting ? FLEETING : SEEN);
      const hide = await presence.show(name).catch(() => undefined);
      if (this.away || this.over) return hide?.() as undefined;
      if (!hide) return named(0);
      this.shown.set(name, hide);
      const dead = await Promise.all(
        visible(others).map(async (other) => ((await presence.lives(other).catch(() => true)) ? undefined : this.end(other))),
      );
      await Promise.all(dead);
      // Left and back meanwhile, it is hidden again: another name it is.
      if (this.shown.has(name)) return name;
    }
  }

  /** Watches those who hold leases. */
  look(others: () => ArrayLike<number>): void {
    const { presence, watched } = this;
    if (!presence || !this.shown.size) return;
    for (const other of visible(others())) {
      if (watched.size >= WATCHED_MAX) return;
      if (watched.has(other)) continue;
      const stop = presence.watch(other, () => {
        // Until its leases have ended it is not watched anew: each look would find it gone, and end them once more.
        const mine = (): boolean => watched.get(other) === stop;
        if (mine()) void this.end(other).then(() => mine() && watched.delete(other));
      });
      watched.set(other, stop);
    }
  }

  private end(other: number): Promise<unknown> {
    return this.bury(other, () => other < FLEETING && !this.presence?.noted?.(other)).catch(() => undefined);
  }

  private hide(): void {
    for (const hide of this.shown.values()) hide();
    this.shown.clear();
    for (const stop of this.watched.values()) stop();
    this.watched.clear();
  }

  close(): void {
    this.over = true;
    this.stopHearing?.();
    this.hide();
  }
}

/** Those of whom it can be known whether they live. */
const visible = (others: ArrayLike<number>): number[] => Array.from(others).filter((other) => other >= SEEN);
