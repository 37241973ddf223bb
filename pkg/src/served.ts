/** Messages that a client sent, on their way into the queue. */

import type { LocalBacking } from "./local";
import type { Parcel, Segment } from "./parcel";
import { Outgoing, type Terms } from "./send";
import type { HeadersByIndex } from "./store";
import * as wire from "./wire";

/** The client that sent them, which is told what becomes of them. */
interface Sender {
  readonly backing: LocalBacking;
  readonly outgoing: Set<ServedOutgoing>;
  /** The last piece of each send. */
  readonly pieces: Map<number, ServedOutgoing>;
  answer(kind: number, a: number, b: number, c: number, d: number): void;
  failed(token: number, error: unknown, place?: number, count?: number): void;
}

export class ServedOutgoing extends Outgoing {
  /** Where the bodies lie in the parcel, once some were taken out. */
  private places: number[] | undefined;
  /** The pieces of one send are answered in their order: what waits for the piece before, and who waits for this. */
  private kept: (() => void)[] = [];
  private before: ServedOutgoing | undefined;
  private after: ServedOutgoing | undefined;

  constructor(private readonly client: Sender, readonly token: number, terms: Terms, private readonly kind: [number, number, number], size: number, sizes: Uint32Array | undefined, parcel: Parcel, headers: HeadersByIndex | undefined) {
    super(client, client.backing.handle, terms);
    this.before = client.pieces.get(token);
    if (this.before) this.before.after = this;
    client.pieces.set(token, this);
    this.parcels.push(parcel);
    this.count = parcel.count;
    this.size = size;
    if (sizes) this.sizes = Array.from(sizes);
    if (headers) this.headers = Array.from({ length: parcel.count }, (_, at) => headers[at]);
  }

  override whole(): [number, number, number] {
    return this.kind;
  }

  /** The client has encoded it. */
  override get key(): string | undefined {
    return this.terms.key;
  }

  sent(number: number, index: number, count: number): void {
    this.told(count, () => this.client.answer(wire.SENT, this.token, number, index, count));
  }

  duplicate(number: number, index: number): void {
    this.told(1, () => this.client.answer(wire.DUPLICATE, this.token, number, index, 1));
  }

  refused(why: number, count: number): void {
    this.told(count, () => this.client.answer(wire.REFUSED, this.token, 0, why, count));
  }

  /** A batch fails as a whole; else the other pieces have their own ends. */
  fail(error: unknown): void {
    const { left } = this;
    this.told(left, () => this.client.failed(this.token, error, 0, this.kind[0] === 0 ? left : 0));
  }

  private told(count: number, tell: () => void): void {
    this.end(count);
    if (this.before) this.kept.push(tell);
    else tell();
    this.settled();
  }

  /** The others go on, where it is not a batch. */
  without(errors: unknown[]): void {
    if (this.kind[0] !== 0) return this.fail(errors.find((error) => error !== undefined));
    this.places ??= Array.from({ length: this.count }, (_, place) => place);
    for (let at = errors.length - 1; at >= 0; at -= 1) {
      if (errors[at] === undefined) continue;
      for (const list of [this.places, this.headers, this.sizes]) list?.splice(this.over + at, 1);
      this.count -= 1;
      this.told(0, () => this.client.failed(this.token, errors[at], at, 1));
    }
    this.settled();
  }

  override addSegments(count: number, segments: Segment[]): void {
    if (!this.places) return super.addSegments(count, segments);
    const [parcel] = this.parcels;
    const places = this.places.slice(this.over, this.over + count);
    for (let at = 0; at < places.length; ) {
      const from = at;
      do at += 1;
      while (places[at] === places[at - 1] + 1);
      segments.push({ parcel, from: places[from], count: at - from });
    }
  }

  private settled(): void {
    if (this.left > 0 || this.before || !this.client.outgoing.delete(this)) return;
    if (this.client.pieces.get(this.token) === this) this.client.pieces.delete(this.token);
    this.after?.first();
  }

  /** The piece before has all its answers. */
  private first(): void {
    this.before = undefined;
    for (const tell of this.kept.splice(0)) tell();
    this.settled();
  }
}
