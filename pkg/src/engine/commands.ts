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
