/** Work that is done in the order in which it came, though what it needs comes as it likes. */

export class InOrder {
  /** Ends with the last of it. */
  private last: Promise<void> | undefined;

  /** Works on what is loaded once what was added before is done; the promise of that, where it is not at once. */
  add<Loaded>(loading: Loaded | Promise<Loaded>, work: (loaded: Loaded) => void): Promise<void> | undefined {
    const { last: before } = this;
    if (!before && !(loading instanceof Promise)) return void work(loading);
    const mine = Promise.all([loading, before]).then(([loaded]) => work(loaded));
    const after = mine.catch(() => undefined).then(() => {
      if (this.last === after) this.last = undefined;
    });
    this.last = after;
    return mine;
  }
}
