// Acks for those who have none of their own: the receiver posts back how many messages it has had, now and then, and the
// sender keeps at most a window of them on the way. Cheaper than an ack a message, so it favours them.

export class Acks {
  count = 0;
  #wanted = Infinity;
  #reached;

  heard(count) {
    this.count = count;
    if (count >= this.#wanted) {
      this.#wanted = Infinity;
      this.#reached();
    }
  }

  /** Resolves when so many messages were acked. */
  reach(count) {
    if (this.count >= count) return undefined;
    return new Promise((resolve) => {
      this.#wanted = count;
      this.#reached = resolve;
    });
  }
}

/** Sends messages one by one, with at most `window` of them on the way. A promise that `post` answers is awaited. */
export async function sendInWindow(acks, window, count, make, post) {
  acks.count = 0;
  for (let number = 0; number < count; number++) {
    if (number - acks.count >= window) await acks.reach(number - window / 2);
    const posted = post(make(number));
    if (posted) await posted;
  }
  await acks.reach(count);
}

/** Takes messages as they come, and posts back the count. */
export class Taker {
  constructor({ ackEach }, take, ack) {
    this.ackEach = ackEach;
    this.take = take;
    this.ack = ack;
  }

  begin(count) {
    this.had = 0;
    this.expected = count;
  }

  message(body) {
    this.take(body);
    this.had += 1;
    if (this.had % this.ackEach === 0 || this.had === this.expected) this.ack(this.had);
  }
}
