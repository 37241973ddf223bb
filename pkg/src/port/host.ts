/** A host: the end of a port at which a queue is served, for every client that says hello there. */

import { disposable } from "../contract/dispose";
import { closedError } from "../contract/errors";
import type { Serving } from "../contract/types";
import { isFirst } from "./frame";
import { Multiplexer, type Speaker, type Station } from "./multiplexer";
import * as presence from "./presence";
import type { Place } from "./registry";
import { ServedClient } from "./host-client";

/** To no session: someone begins to serve here. It does not matter whether that arrives. */
const NOBODY: Speaker = { session: 0, posted() {}, failed() {} };

/** Serves one queue at one port. */
export class PortServing implements Serving, Station {
  private readonly target: Multiplexer;
  private readonly clients = new Map<number, ServedClient>();
  private presence: presence.Release | undefined;
  /** The name of its lock, once that is held, where there are any. */
  private readonly lock: Promise<string>;
  private closing: Promise<void> | undefined;

  constructor(private readonly place: Place) {
    this.target = Multiplexer.at(place.target, this);
    this.lock = new Promise((settled) => {
      const name = `posthaste:host:${Math.random().toString(36).slice(2)}`;
      this.presence = presence.hold(name, () => settled(name));
    });
    this.target.post(NOBODY, undefined, [place.backing.handle.name], [], []);
  }

  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    if (typeof session !== "number" || session === 0) return;
    const along = [Array.isArray(texts) ? texts : [], Array.isArray(values) ? values : []] as const;
    const known = this.clients.get(session);
    if (known) return known.arrived(frame, ...along);
    const { backing, allow, agree } = this.place;
    // Only who says hello to this queue is one of ours: a later frame may bring its name as well, for another queue at this port.
    if (this.closing || along[0][0] !== backing.handle.name || !isFirst(frame)) return;
    const client = new ServedClient(backing, this.target, session, allow, () => this.clients.delete(session));
    this.clients.set(session, client);
    client.greet(frame, along[0] as string[], agree, this.lock);
  }

  join(): void {
    for (const client of this.clients.values()) client.join();
  }

  /** The platform says that the other side of the port is gone, with all clients there. */
  gone(): void {
    for (const client of [...this.clients.values()]) client.end();
    void this.close();
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    for (const client of [...this.clients.values()]) client.dismiss(closedError(this.place.backing.handle.name));
    this.target.leave(this);
    this.presence?.();
    this.place.over();
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

disposable(PortServing.prototype, (serving) => serving.close());
