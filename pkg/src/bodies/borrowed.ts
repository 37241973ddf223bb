/** Bodies that lie in shared memory, for as long as someone needs them there. */

import { platformError } from "../contract/errors";
import { Bytes, ownCopy } from "./pack";

export class LentBytes extends Bytes {
  /** Messages that still need their bodies. */
  private needed: number;
  /** Leases whose holders look into the memory itself. */
  private lookers = 0;
  /** Leases whose holders may still want a copy. */
  private keepers = 0;
  /** The memory these bytes lie in now is their own. */
  private own = false;
  private over = false;

  /** `done`: called once, when the memory may be written over. */
  constructor(
    form: Bytes["form"],
    memory: Uint8Array,
    count: number,
    length: number,
    lengths: ArrayLike<number> | undefined,
    private readonly done: () => void,
  ) {
    super(form, memory, count, length, lengths);
    this.needed = count;
  }

  override body(place: number, lend: boolean): unknown {
    if (this.over && !this.own)
      throw platformError("InvalidStateError", "a borrowed body can be read until its message is settled, not after");
    return super.body(place, lend);
  }

  /** The memory that was lent is still needed. */
  get holds(): boolean {
    return !this.over;
  }

  /** So many messages need their bodies no more. */
  gone(count: number): void {
    this.needed -= count;
    this.end();
  }

  /** A lease begins; `lend`: its holder looks into the memory itself. */
  hold(lend: boolean): void {
    if (lend) this.lookers += 1;
    else this.keepers += 1;
  }

  letGo(lend: boolean): void {
    if (lend) this.lookers -= 1;
    else this.keepers -= 1;
    this.end();
  }

  /** Who still needs the bytes gets them elsewhere: the memory is needed. */
  detach(): void {
    if (this.own || this.over || this.lookers) return;
    this.memory = ownCopy(this.memory, 0, this.place(this.count));
    this.own = true;
    this.end();
  }

  private end(): void {
    if (this.over || this.lookers || ((this.needed > 0 || this.keepers > 0) && !this.own)) return;
    this.over = true;
    this.done();
  }
}
