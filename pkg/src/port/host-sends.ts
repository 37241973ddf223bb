/** Messages that a client sent, on their way into the queue. */

import { AS_MANY_AS_FIT, DUPLICATE, REFUSED, SENT } from "../engine/codes";
import type { LocalBacking } from "../journal/local";
import { Values, valuesOf, type Parcel } from "../bodies/pack";
import { Outgoing } from "../journal/sends";
import type { Terms } from "../contract/options";
import type { HeadersByIndex } from "../contract/store";
import type { Credit } from "./credit";

/** The client that sent them, which is told what becomes of them. */
interface Sender {
  readonly backing: LocalBacking;
  readonly credit: Credit;
  /** The pieces of each send that are not over, in their order. */
  readonly outgoing: Map<number, ServedOutgoing[]>;
  answer(kind: number, ...fields: number[]): void;
  /** `count`: only so many, the next that have no answer; 0: all. */
  failed(token: number, error: unknown, count: number): void;
}

/** A piece of a send: neighbours whose bodies lie in one parcel. Pieces are answered in their order, whatever becomes of them first. */
export class ServedOutgoing extends Outgoing {
  /** Messages that were taken out because no store can hold them, by the place before which they were, in their order. */
  private unstorable: { place: number; size: number; error: unknown }[] = [];
  /** Answers that wait for the piece before. */
  private kept: (() => void)[] = [];

  constructor(
    private readonly client: Sender,
    readonly token: number,
    terms: Terms,
    private readonly kind: [number, number, number],
    size: number,
    sizes: ArrayLike<number> | undefined,
    parcel: Parcel,
    headers: HeadersByIndex | undefined,
  ) {
    super(client, client.backing.handle, terms);
    this.parcels.push(parcel);
    this.count = parcel.count;
    this.size = size;
    if (sizes) this.sizes = Array.from(sizes);
    if (headers) this.headers = Array.from({ length: parcel.count }, (_, at) => headers[at]);
    const pieces = client.outgoing.get(token);
    if (pieces) pieces.push(this);
    else client.outgoing.set(token, [this]);
  }

  override whole(): [number, number, number] {
    return this.kind;
  }

  /** The client has encoded it. */
  override get key(): string | undefined {
    return this.terms.key;
  }

  sent(number: number, index: number, count: number): void {
    this.inRuns(count, (told, run) => this.client.answer(SENT, this.token, number, index + told, run));
  }

  duplicate(number: number, index: number): void {
    this.inRuns(1, () => this.client.answer(DUPLICATE, this.token, number, index));
  }

  refused(why: number, count: number): void {
    this.inRuns(count, (_, run) => this.client.answer(REFUSED, this.token, why, run));
  }

  /** A batch fails as a whole; else the other pieces have their own ends. */
  fail(error: unknown): void {
    const count = this.left + this.unstorable.length;
    for (const { size } of this.unstorable.splice(0)) this.client.credit.giveBack(1, size);
    this.tell(() => this.client.failed(this.token, error, this.kind[0] === AS_MANY_AS_FIT ? count : 0));
    this.ended(this.left);
    this.passed();
  }

  /** Of a batch all fail; else those alone that can't be stored, each when it is its turn to be told. */
  without(errors: unknown[]): void {
    if (this.kind[0] !== AS_MANY_AS_FIT) return this.fail(errors.find((error) => error !== undefined));
    const first = this.over;
    const places = errors.flatMap((error, place) => (error === undefined ? [] : [place]));
    const more = places.map((place, before) => ({ place: first + place - before, size: this.sizeAt(first + place), error: errors[place] }));
    this.unstorable = [...this.unstorable, ...more].sort((a, b) => a.place - b.place);
    const bodies = valuesOf(this.parcels.map((parcel) => ({ parcel, from: 0, count: parcel.count })));
    this.parcels.splice(0, Infinity, new Values(bodies));
    this.remove(places.map((place) => first + place));
    this.passed();
  }

  /** Tells of the next `count` in runs, with those between that can't be stored. */
  private inRuns(count: number, tell: (told: number, run: number) => void): void {
    for (let told = 0; told < count;) {
      const next = this.unstorable[0];
      const from = told;
      const run = next ? Math.min(count - told, next.place - this.over) : count - told;
      this.tell(() => tell(from, run));
      this.ended(run);
      told += run;
      this.passed();
    }
  }

  private ended(count: number): void {
    this.client.credit.giveBack(count, this.bytesOf(this.over, count));
    this.end(count);
  }

  /** Tells of those that can't be stored whose turn it is. */
  private passed(): void {
    while (this.unstorable[0]?.place === this.over) {
      const { size, error } = this.unstorable.shift()!;
      this.client.credit.giveBack(1, size);
      this.tell(() => this.client.failed(this.token, error, 1));
    }
    this.settled();
  }

  private get pieces(): ServedOutgoing[] {
    return this.client.outgoing.get(this.token) ?? [];
  }

  private tell(tell: () => void): void {
    if (this.pieces[0] === this) tell();
    else this.kept.push(tell);
  }

  /** Where all of it is told, the next piece's turn has come. */
  private settled(): void {
    const { pieces } = this;
    if (this.left > 0 || pieces[0] !== this) return;
    pieces.shift();
    if (!pieces.length) this.client.outgoing.delete(this.token);
    else pieces[0].first();
  }

  /** The piece before has all its answers. */
  private first(): void {
    for (const tell of this.kept.splice(0)) tell();
    this.settled();
  }
}
