/** What is to be done once what runs now is over. */

const over = Promise.resolve();

/** In this turn of the event loop still. Browsers make far more of `queueMicrotask`, whose callback they guard, than of a promise. */
export function soon(work: () => void): void {
  void over.then(work);
}
