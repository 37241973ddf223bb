/** What can be asked of whoever has a queue's journal: an engine here, a host at the other end of a port, an object. Answers come by token. */
export interface Commands {
  /** `leaseMs` 0: the queue's visibility timeout. `ahead`: who gets it may give it back, or tells before it hands it out. */
  receive(token: number, queue: number, max: number, leaseMs: number, wait: boolean, now: number, ahead?: boolean): void;
  settle(
    token: number,
    queue: number,
    kind: number,
    number: number,
    index: number,
    count: number,
    grant: number,
    arg: number,
    text?: string,
  ): void;
}

/** What more an engine is asked for here. */
export interface EngineCommands extends Commands {
  /**
   * `size`: estimated bytes of each message; `sizes` where they are not alike. `kind`: AS_MANY_AS_FIT, BATCH (`more`
   * messages follow as its parts), or BATCH_PART.
   */
  send(
    token: number,
    queue: number,
    count: number,
    size: number,
    sizes: Float64Array | undefined,
    delayMs: number,
    expiresMs: number,
    kind: number,
    more: number,
    key: string | undefined,
    moreBytes: number,
  ): void;
  /** Forgets a send that is still pending; false: too late. */
  unsend(token: number): boolean;
  /** Leaves pairs of token and count: whose bodies go with what was decided. */
  sends(): number;
  abandoned(): void;
}
