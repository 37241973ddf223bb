/** Seeded randomness: the same numbers on every machine. */

/** Mixes a number and a text or number into 32 bits. */
export function mix(seed, salt) {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const words = typeof salt === "string" ? [...salt].map((letter) => letter.codePointAt(0)) : [salt];
  for (const word of words) {
    state = Math.imul(state ^ (word >>> 0), 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
    state ^= state >>> 16;
  }
  return state >>> 0;
}

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** 32 bits. */
  bits() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let word = this.state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  }

  /** At least 0, less than 1. */
  fraction() {
    return this.bits() / 2 ** 32;
  }

  /** A whole number, from `first` to `last`. */
  whole(first, last) {
    return first + Math.floor(this.fraction() * (last - first + 1));
  }

  chance(share) {
    return this.fraction() < share;
  }

  pick(list) {
    return list[Math.floor(this.fraction() * list.length)];
  }

  /** One of the keys of `weights`, each as often as its weight says. */
  weighted(weights) {
    let sum = 0;
    for (const name in weights) sum += weights[name];
    let at = this.fraction() * sum;
    for (const name in weights) {
      at -= weights[name];
      if (at < 0) return name;
    }
    return Object.keys(weights).at(-1);
  }
}
