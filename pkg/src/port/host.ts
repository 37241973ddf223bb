/** A host: the end of a port at which a queue is served, for every client that says hello there. */

import { disposable } from "../dispose";
import { closedError } from "../errors";
import type { LocalBacking } from "../local";
import type { EventPort } from "../platform";
import type { Serving } from "../types";
import { isFirst } from "./frame";
import { Multiplexer, type Station } from "./multiplexer";
import * as presence from "./presence";
import { ServedClient, type Agree } from "./served-client";

/** Serves one queue at one port. */
export class PortServing implements Serving, Station {
  private readonly target: Multiplexer;
  private readonly clients = new Map<number, ServedClient>();
  private presence: presence.Release | undefined;
  /** The name of its lock, once that is held, where there are any. */
  private readonly lock: Promise<string>;
  private closing: Promise<void> | undefined;

  /** `agree` throws where a client names another policy than the queue has; `over` is called when it ends. */
  constructor(
    readonly backing: LocalBacking,
    readonly port: unknown,
    target: EventPort,
    private readonly allow: number,
    private readonly agree: Agree,
    private readonly over: () => void,
  ) {
    this.target = Multiplexer.at(target, this);
    this.lock = new Promise((settled) => {
      const name = `posthaste:host:${Math.random().toString(36).slice(2)}`;
      this.presence = presence.hold(name, () => settled(name));
    });
    this.target.post(0, undefined, [backing.handle.name], [], [], () => undefined);
  }

  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    if (typeof session !== "number" || session === 0) return;
    const along = [Array.isArray(texts) ? texts : [], Array.isArray(values) ? values : []] as const;
    const known = this.clients.get(session);
    if (known) return known.arrived(frame, ...along);
    // Only who says hello to this queue is one of ours: a later frame may bring its name as well, for another queue at this port.
    if (this.closing || along[0][0] !== this.backing.handle.name || !isFirst(frame)) return;
    const client = new ServedClient(this.backing, this.target, session, this.allow, () => this.clients.delete(session));
    this.clients.set(session, client);
    client.greet(frame, along[0] as string[], this.agree, this.lock);
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
    for (const client of [...this.clients.values()]) client.dismiss(closedError(this.backing.handle.name));
    this.target.leave(this);
    this.presence?.();
    this.over();
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

disposable(PortServing.prototype, (serving) => serving.close());
