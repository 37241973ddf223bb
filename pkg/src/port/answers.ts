/** A host's answers, told to who asked at this end. */

import * as border from "../engine/codes";
import type { Asker, Onlooker } from "../engine/effects";
import type { Leases } from "../delivery/leases";
import type { Outgoing } from "../journal/sends";
import type { Along } from "./bodies";
import { errorBeside } from "./errors";
import * as frame from "./frame";
import { FrameError, WIDTH, type Frame } from "./frame";
import type { Inbound } from "./inbound";
import type { Outbound } from "./outbound";
import type { Shelf } from "./arrived-bodies";

const LAGS = 8;

/** The client, as far as answers concern it. */
interface Client {
  readonly asked: ReadonlyMap<number, Asker>;
  readonly outbound: Outbound;
  readonly inbound: Inbound;
  readonly shelf: Shelf;
  readonly leases: Leases;
  readonly over: boolean;
  /** Who asked under that token, which is free then. */
  take(token: number): Asker | undefined;
  everyOnlooker(tell: (onlooker: Onlooker) => void): void;
  welcomed(visibilityMs: number, durability: number, messages: number, bytes: number, along: Along): void;
  forbidden(): unknown;
  /** The host closes the port, and says why. */
  dismissed(error: unknown): void;
}

export class Answers {
  /** The number of the last frame heard. */
  heard = 0;
  /** The last of our frames that the host has heard, as far as is known. */
  hostHeard = 0;
  /** The host wants a word. */
  pinged = false;
  /** Messages, bytes, and when the oldest was sent (-1: there is none). */
  backlog: ArrayLike<number> = [0, 0, -1];

  /**
   * How far the clock here was ahead of the host's, each with the time that a frame took: the least is the nearest. One is noted each
   * way there and back: who was blocked hears many frames at once that are all late.
   */
  private readonly lags: number[] = [];
  /** Once the host has heard this frame of ours, its word is noted anew. */
  private answered = 0;

  constructor(private readonly client: Client) {}

  /** Tells what a frame says. `said`: the number of our last; `now`: the time here. Throws `FrameError` for one that is out of its order. */
  tellAll({ number, heard, time, rows }: Frame, along: Along, said: number, now: number): void {
    if (number !== this.heard + 1 || heard > said) throw new FrameError("order");
    [this.heard, this.hostHeard] = [number, heard];
    const { lags } = this;
    if (heard >= this.answered) {
      this.answered = said + 1;
      if (lags.unshift(Infinity) > LAGS) lags.pop();
    }
    lags[0] = Math.min(lags[0], now - time);
    // Leases are counted by the host's clock.
    const ahead = Math.min(...lags);
    for (let at = 0; at < rows.length && !this.client.over; at += WIDTH) this.tell(rows, at, along, ahead);
  }

  private tell(rows: Float64Array, at: number, along: Along, ahead: number): void {
    const [kind, token, a, b, c, d] = rows.subarray(at, at + 6);
    switch (kind) {
      case border.SENT:
        return this.tellSender(token, c, (outgoing) => outgoing.sent(a, b, c));
      case border.REFUSED:
        return this.tellSender(token, b, (outgoing) => outgoing.refused(a, b));
      case border.DUPLICATE:
        return this.tellSender(token, 1, (outgoing) => outgoing.duplicate(a, b));
      case border.DELIVERED: {
        const { parcel, headers } = along.bodies(c, rows[at + 9]);
        this.client.shelf.add(a, b, c, d, parcel, headers);
        return this.client.inbound.delivered(token, {
          number: a,
          index: b,
          count: c,
          grant: d,
          until: rows[at + 6] + ahead,
          attempts: rows[at + 7],
          sent: rows[at + 8],
          chunk: -1,
        });
      }
      case border.RECEIVED:
        return this.client.inbound.received(token);
      case border.LOST:
        return this.client.asked.get(token)?.lost?.(a, b, c);
      case border.DONE:
        return this.client.take(token)?.done?.(a);
      case border.LEASE_LOST:
        this.client.inbound.lost(a, b, c, d);
        return this.client.leases.lost(a, b, c, d);
      default:
        this.tellMore(kind, [token, a, b, c, d], along);
    }
  }

  private tellSender(token: number, count: number, tell: (outgoing: Outgoing) => void): void {
    const outgoing = this.client.outbound.answered(token, count);
    if (outgoing) tell(outgoing);
    this.client.outbound.told(token);
  }

  /** What is no effect of the engine on who asked. */
  private tellMore(kind: number, [a, b, c, d, e]: number[], along: Along): void {
    switch (kind) {
      case border.DEAD: {
        const reason = along.nextText();
        return this.client.everyOnlooker((onlooker) => onlooker.dead(b, c, d, reason));
      }
      case border.DROPPED:
        return this.client.everyOnlooker((onlooker) => onlooker.dropped(b, c, d, e));
      case border.QUEUE_GONE:
        return this.client.everyOnlooker((onlooker) => onlooker.gone());
      case frame.VALUE: {
        // What goes along is taken off though nobody waits for it any more.
        const value = along.nextValue();
        return this.client.take(a)?.value?.(value);
      }
      case frame.FAILED:
        return this.failed(a, b === frame.FORBIDDEN ? this.client.forbidden() : errorBeside(along, b === frame.OUTCOME_UNKNOWN), c);
      case frame.BACKLOG: {
        const changed = this.backlog[0] !== a;
        this.backlog = [a, b, c];
        if (changed) this.client.everyOnlooker((onlooker) => onlooker.depth(a));
        return;
      }
      case frame.STORAGE: {
        const error = errorBeside(along, false);
        return this.client.everyOnlooker((onlooker) => onlooker.storage(frame.STATES_OF_STORAGE[a], a === 0 ? undefined : error));
      }
      case frame.CLOSED:
        return this.client.dismissed(errorBeside(along, false));
      case frame.PING:
        this.pinged = true;
        return;
      default:
        this.client.welcomed(a, b, c, d, along);
    }
  }

  private failed(token: number, error: unknown, count: number): void {
    if (count > 0) return this.tellSender(token, count, (outgoing) => outgoing.failNext(count, error));
    this.client.outbound.failed(token)?.fail(error);
    this.client.inbound.failed(token);
    this.client.take(token)?.fail(error);
  }
}
