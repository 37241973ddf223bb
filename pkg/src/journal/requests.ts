/** Who asked the engine for what: askers by token, the sends that collect for the next step, and the word that comes back. */

import { ABANDON, DUPLICATE, UNSEND } from "../engine/codes";
import type { Peer } from "../engine/peer";
import { isLast, tellAsker, type Asker, type Handle } from "../engine/effects";
import type { Segment } from "../bodies/pack";
import type { Outgoing } from "./sends";
import type { HeadersByIndex } from "../contract/store";

/** The bodies of what an engine decided, in their order. */
export interface Load {
  segments: Segment[];
  count: number;
  /** By place among the bodies; undefined: none has any. */
  headers: HeadersByIndex | undefined;
}

export class Desk {
  private readonly askers = new Map<number, Asker>();
  /** Sends that no step has taken up; more may be added to them until then. */
  private readonly collecting = new Set<Outgoing>();
  /** Sends that are not over, by where they go. */
  private sends = new WeakMap<Handle, Set<Outgoing>>();
  private token = 0;
  /** Whose bodies the step under way has, as pairs of token and count: from its hand-over until it is known what became of it. */
  private inStep: readonly number[] | undefined;

  register(asker: Asker): number {
    do {
      this.token = (this.token + 1) >>> 0;
    } while (this.askers.has(this.token));
    this.askers.set(this.token, asker);
    return this.token;
  }

  collect(outgoing: Outgoing): void {
    this.collecting.add(outgoing);
    const { handle } = outgoing;
    const sends = this.sends.get(handle);
    if (sends) sends.add(outgoing);
    else this.sends.set(handle, new Set([outgoing]));
  }

  /** Nothing more is told to who asked. */
  private drop(token: number, asker: Asker | undefined): void {
    this.askers.delete(token);
    if ((asker as Outgoing | undefined)?.handle) this.forget(asker as Outgoing);
  }

  private forget(outgoing: Outgoing): void {
    this.sends.get(outgoing.handle)?.delete(outgoing);
  }

  /** Gives the sends that collected to the engine. Those to a queue that is being made anew wait. */
  load(peer: Peer): void {
    const { collecting } = this;
    for (const send of collecting) {
      if (send.handle.id < 0) continue;
      collecting.delete(send);
      send.departed = true;
      const { delayMs, expiresMs } = send.terms;
      const [kind, more] = send.whole();
      if (!send.left) this.forget(send);
      else peer.send(send.ownToken = this.register(send), send.handle.id, send.left, send.size, send.sizesLeft, delayMs, expiresMs, kind,
          more, send.key);
    }
  }

  /** The bodies of what was decided; the first `length` of these numbers say whose they are: pairs of token and count. */
  bodies(left: readonly number[], length: number): Load {
    const load: Load = { segments: [], count: 0, headers: undefined };
    const headers: HeadersByIndex = {};
    this.inStep = left.slice(0, length);
    for (let at = 0; at < length; at += 2) {
      const outgoing = this.askers.get(left[at]) as Outgoing;
      const count = left[at + 1];
      outgoing.addSegments(count, load.segments);
      if (outgoing.addHeaders(count, headers, load.count)) load.headers = headers;
      load.count += count;
    }
    return load;
  }

  /** Takes back a send that no step has taken up; false: too late. */
  recall(outgoing: Outgoing, peer: Peer): boolean {
    const { ownToken: token } = outgoing;
    if (this.collecting.delete(outgoing)) {
      this.forget(outgoing);
      return true;
    }
    if (token === undefined || this.askers.get(token) !== outgoing || !peer.command(UNSEND, token, 0)) return false;
    this.drop(token, outgoing);
    return true;
  }

  /** Fails the sends to that queue of that owner (or of all) which no step has taken up. */
  failSends(handle: Handle, owner: unknown, error: unknown, peer: Peer): void {
    for (const outgoing of [...(this.sends.get(handle) ?? [])]) {
      if ((outgoing.owner === owner || handle === owner) && outgoing.left && this.recall(outgoing, peer)) outgoing.fail(error);
    }
  }

  /**
   * The step under way was abandoned: takes its sends back out of the engine, each with the places of its bodies in the
   * record, for `judge` to fail them or parts of them. What is left of a send goes with a later step.
   */
  reconsider(peer: Peer, judge: (outgoing: Outgoing, from: number, count: number) => void): void {
    const sends = this.inStep ?? [];
    peer.command(ABANDON, 0, 0);
    this.known();
    let from = 0;
    for (let at = 0; at < sends.length; at += 2) {
      const [token, count] = [sends[at], sends[at + 1]];
      const outgoing = this.askers.get(token) as Outgoing | undefined;
      if (outgoing && peer.command(UNSEND, token, 0)) {
        this.askers.delete(token);
        judge(outgoing, from, count);
        if (outgoing.left) this.collecting.add(outgoing);
        else this.forget(outgoing);
      }
      from += count;
    }
  }

  /** It is known what became of the step that was under way, and who asked for it was told. */
  known(): void {
    this.inStep = undefined;
  }

  /** Fails everyone the engine works for; `unknown` tells those whose word may be in the step under way. */
  failAsked(error: unknown, unknown: unknown): void {
    const inStep = this.inStep && new Set(this.inStep.filter((_, at) => at % 2 === 0));
    const askers = [...this.askers];
    for (const [token, asker] of askers) this.drop(token, asker);
    this.known();
    // Of sends the step says which it has; of all else it may be any.
    for (const [token, asker] of askers)
      asker.fail(inStep && ((asker as Outgoing).departed === undefined || inStep.has(token)) ? unknown : error);
  }

  /** Whether that one is still to be answered. */
  awaits(token: number, asker: Asker): boolean {
    return this.askers.get(token) === asker;
  }

  /** Takes out who asked, for the caller to answer. */
  forgo(token: number): Asker | undefined {
    const asker = this.askers.get(token);
    this.drop(token, asker);
    return asker;
  }

  /** Fails everyone, for good. */
  failAll(error: unknown): void {
    const pending = [...this.collecting, ...this.askers.values()];
    this.collecting.clear();
    this.askers.clear();
    this.sends = new WeakMap();
    for (const asker of pending) asker.fail(error);
  }

  /** Tells an asker its row. */
  tell(rows: readonly number[], at: number): void {
    const token = rows[at + 1];
    const asker = this.askers.get(token);
    if (isLast(rows[at])) this.askers.delete(token);
    if (asker) tellAsker(asker, rows, at);
    if (rows[at] <= DUPLICATE && (asker as Outgoing | undefined)?.left === 0) this.drop(token, asker);
  }
}
