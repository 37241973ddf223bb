/** Many ends at one port. What they say at one moment goes in one message: a message costs far more than what is in it. */

import { Link } from "./engine";
import type { EventPort, Transferable } from "./platform";
import { turned } from "./turn";

/** One end. */
export interface Station {
  /** A frame for some session at this port; of what kind these are is not checked yet. */
  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void;
  /** The platform says that the other side is gone. */
  gone(): void;
  /** Others post now: what this end would say soon may go along. */
  join(): void;
}

interface Said {
  session: number;
  frame: Uint8Array | undefined;
  texts: readonly string[];
  values: readonly unknown[];
  transfer: readonly Transferable[];
}

const open = new WeakMap<EventPort, Multiplexer>();

export class Multiplexer {
  private readonly stations = new Set<Station>();
  private readonly link: Link;
  private said: Said[] = [];
  private gathering = false;

  private constructor(private readonly port: EventPort) {
    this.link = new Link(port, (message: unknown[]) => this.heard(message), () => this.gone());
  }

  /** The one at this port, which this station joins. */
  static at(port: EventPort, station: Station): Multiplexer {
    const known = open.get(port) ?? new Multiplexer(port);
    open.set(port, known);
    known.stations.add(station);
    return known;
  }

  leave(station: Station): void {
    this.stations.delete(station);
    if (this.stations.size) return;
    this.link.close();
    if (open.get(this.port) === this) open.delete(this.port);
  }

  post(session: number, frame: Uint8Array | undefined, texts: readonly string[], values: readonly unknown[], transfer: readonly Transferable[]): void {
    this.said.push({ session, frame, texts, values, transfer });
    this.gather();
  }

  /** Somebody says something now: the others join in. */
  gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    try {
      for (const station of this.stations) station.join();
    } finally {
      this.gathering = false;
      this.deliver();
    }
  }

  private deliver(): void {
    const { said } = this;
    if (!said.length) return;
    this.said = [];
    try {
      this.send(said);
    } catch (error) {
      if (said.length === 1) throw error;
      // One of them can't be cloned, or moved: it harms no other.
      const errors = said.map((one) => thrown(() => this.send([one])));
      throw errors.find((error) => error !== undefined) ?? error;
    }
  }

  private send(said: Said[]): void {
    const message: unknown[] = [this.link.mark];
    const transfers: Transferable[] = [];
    for (const { session, frame, texts, values, transfer } of said) {
      message.push(session, frame, texts, values);
      if (transfer.length) transfers.push(...transfer);
    }
    this.link.post(message, transfers);
  }

  private heard(message: unknown[]): void {
    turned();
    for (let at = 1; at < message.length; at += 4) {
      for (const station of this.stations) station.arrived(message[at], message[at + 1], message[at + 2], message[at + 3]);
    }
  }

  private gone(): void {
    for (const station of [...this.stations]) station.gone();
  }
}

function thrown(work: () => void): unknown {
  try {
    return void work();
  } catch (error) {
    return error;
  }
}
