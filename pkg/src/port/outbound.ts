/** The sends of a client: those that wait for credit, their rows, and those whose answers are on their way. */

import { BATCH, BATCH_PART, WITHDRAWN } from "../engine/codes";
import { headersBetween } from "../bodies/headers";
import { Line } from "../schedule/fifo";
import type { Segment } from "../bodies/pack";
import type { Outgoing } from "../journal/sends";
import type { Beside } from "./attachments";
import { packed } from "./bodies";
import { Credit } from "./credit";
import { FrameError, KEYED, SEND, SIZED, type Draft } from "./frame";

/** Bytes of the bodies of one frame; more go with the next. */
const FRAME_BYTES = 1 << 20;

/** One send, from when it may go to the answer of its last message. */
interface Flight {
  readonly token: number;
  readonly outgoing: Outgoing;
  /** Messages whose answer has come. */
  answered: number;
  /** The frame with which the first went. */
  frame: number;
  /** Its sender called it off when a part was under way: what is left here does not go. */
  calledOff: boolean;
}

export class Outbound {
  readonly credit = new Credit();
  private readonly flights = new Map<number, Flight>();
  /** Those with messages that have not gone, oldest first. */
  private waiting = new Line<Flight>();

  /** Sends wait for credit. */
  get isBlocked(): boolean {
    return this.waiting.first !== undefined;
  }

  get isIdle(): boolean {
    return this.flights.size === 0;
  }

  add(token: number, outgoing: Outgoing): void {
    const flight = { token, outgoing, answered: 0, frame: Infinity, calledOff: false };
    outgoing.ownToken = token;
    this.flights.set(token, flight);
    this.waiting.add(flight);
  }

  /** Puts what may go into the frame that is being made, which has that number. */
  load(draft: Draft, beside: Beside, frame: number): void {
    const { waiting } = this;
    let room = FRAME_BYTES;
    for (let flight; room > 0 && !draft.isFull && (flight = waiting.first);) {
      const { outgoing } = flight;
      const count = this.going(outgoing, room);
      if (count === 0 && outgoing.unposted > 0) return;
      const isBatch = outgoing.whole()[0] === BATCH;
      flight.frame = Math.min(flight.frame, frame);
      room -= this.depart(flight, count, draft, beside);
      if (outgoing.unposted > 0) return;
      waiting.delete(flight);
      // The parts of a batch go with its first.
      for (let part; isBatch && (part = waiting.first)?.outgoing.whole()[0] === BATCH_PART;) {
        waiting.delete(part);
        part.frame = frame;
        room -= this.depart(part, part.outgoing.unposted, draft, beside);
      }
    }
  }

  /** How many messages of a send may go. */
  private going(outgoing: Outgoing, room: number): number {
    const { unposted, posted } = outgoing;
    const [kind, more, moreBytes] = outgoing.whole();
    if (kind === BATCH) return this.credit.holds(unposted + more, outgoing.bytesOf(posted, unposted) + moreBytes) ? unposted : 0;
    const fits = this.credit.fits(unposted, (place) => outgoing.sizeAt(posted + place));
    let count = 0;
    while (count < fits && (room -= outgoing.sizeAt(posted + count)) >= 0) count += 1;
    // One message may be larger than a frame is meant to be.
    return Math.max(count, Math.min(1, fits));
  }

  /** A send as the pieces its bodies lie in; answers how many bytes go. */
  private depart({ token, outgoing }: Flight, count: number, draft: Draft, beside: Beside): number {
    const { posted, key, terms: { delayMs, expiresMs } } = outgoing;
    const [kind, more, moreBytes] = outgoing.whole();
    const segments: Segment[] = [];
    outgoing.addSegments(count, segments);
    const headers = {};
    const some = outgoing.addHeaders(count, headers, 0);
    const bytes = outgoing.bytesOf(posted, count);
    let [left, leftBytes, place] = [more + count, moreBytes + bytes, 0];
    for (const segment of segments) {
      const own = some ? headersBetween(headers, place, segment.count) : undefined;
      const first = posted + place;
      const alike = outgoing.areAlike(first, segment.count);
      for (let at = 0; !alike && at < segment.count; at += 1) draft.length(outgoing.sizeAt(first + at));
      left -= segment.count;
      leftBytes -= outgoing.bytesOf(first, segment.count);
      // Of a batch the first piece speaks for the others.
      const [piece, follow, followBytes] = kind !== BATCH ? [kind, 0, 0] : place > 0 ? [BATCH_PART, 0, 0] : [BATCH, left, leftBytes];
      const flags = piece + (key === undefined ? 0 : KEYED) + (alike ? 0 : SIZED);
      draft.row(SEND, token, segment.count, alike ? outgoing.sizeAt(first) : 0, delayMs, expiresMs, flags, follow, followBytes,
        packed(segment, own !== undefined, draft));
      if (key !== undefined) draft.texts.push(key);
      beside.addBodies(segment);
      if (own) beside.addValue(own);
      place += segment.count;
    }
    outgoing.post(count);
    this.credit.take(count, bytes);
    return bytes;
  }

  /** The next `count` messages of a send have their answer. Their sender, where it is to be told. */
  answered(token: number, count: number): Outgoing | undefined {
    const flight = this.flights.get(token);
    if (!flight) return undefined;
    const { outgoing, answered } = flight;
    if (answered + count > outgoing.posted) throw new FrameError("more answers than messages");
    this.credit.giveBack(count, outgoing.bytesOf(answered, count));
    flight.answered += count;
    return outgoing.left > 0 ? outgoing : undefined;
  }

  /** After its sender was told of an answer. */
  told(token: number): void {
    const flight = this.flights.get(token);
    if (!flight) return;
    const { outgoing, answered, calledOff } = flight;
    if (answered < outgoing.posted) return;
    if (calledOff && outgoing.left > 0) outgoing.refused(WITHDRAWN, outgoing.left);
    if (outgoing.unposted === 0 || calledOff) this.flights.delete(token);
  }

  /** Nothing more comes of a send that failed, and the rest of it need not go. Its sender. */
  failed(token: number): Outgoing | undefined {
    const flight = this.flights.get(token);
    if (!flight) return undefined;
    const { outgoing, answered } = flight;
    const flying = outgoing.posted - answered;
    this.credit.giveBack(flying, outgoing.bytesOf(answered, flying));
    this.remove(flight);
    return outgoing;
  }

  private remove(flight: Flight): void {
    this.flights.delete(flight.token);
    this.waiting.delete(flight);
  }

  /** Calls a send off. True: none of it has gone; else the token by which the host can be asked for what has. Undefined: it is not here. */
  callOff(outgoing: Outgoing): true | number | undefined {
    const flight = this.flights.get(outgoing.ownToken ?? -1);
    if (flight?.outgoing !== outgoing) return undefined;
    if (outgoing.posted === 0) {
      this.remove(flight);
      return true;
    }
    flight.calledOff = true;
    this.waiting.delete(flight);
    return flight.token;
  }

  /** Some have gone, and may take effect at the host. */
  get someGone(): boolean {
    for (const { outgoing, answered } of this.flights.values()) if (answered < outgoing.posted) return true;
    return false;
  }

  /** The senders of all that is here, which leave. `heard`: the last frame that the host may have heard; `gone`: whether a part of it may be there. */
  *end(heard: number): Iterable<{ outgoing: Outgoing; gone: boolean }> {
    const flights = [...this.flights.values()];
    this.flights.clear();
    this.waiting = new Line();
    for (const { outgoing, answered, frame } of flights) yield { outgoing, gone: answered < outgoing.posted && frame <= heard };
  }

  /** Those that belong to `owner`, or go to it. */
  of(owner: unknown): Outgoing[] {
    return [...this.flights.values()].map(({ outgoing }) => outgoing).filter((outgoing) =>
      outgoing.owner === owner || outgoing.handle === owner
    );
  }
}
