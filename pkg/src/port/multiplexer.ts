/** Many ends at one port. What they say at one moment goes in one message: a message costs far more than what is in it. */

import type { EventPort, Transferable } from "../contract/platform";
import { turned } from "../schedule/macrotask";

/** What our messages begin with: a port may carry the application's own, which are left alone. */
const MARK = "posthaste";

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
  frame: Float64Array | undefined;
  texts: readonly string[];
  values: readonly unknown[];
  transfer: readonly Transferable[];
  failed: (error: unknown) => void;
}

const open = new WeakMap<EventPort, Multiplexer>();

export class Multiplexer {
  private readonly stations = new Set<Station>();
  private said: Said[] = [];
  private gathering = false;

  private constructor(private readonly port: EventPort) {
    port.addEventListener("message", this.heard);
    port.addEventListener("close", this.gone);
    // A message port waits to be started; a worker does not.
    port.start?.();
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
    this.port.removeEventListener?.("message", this.heard);
    this.port.removeEventListener?.("close", this.gone);
    if (open.get(this.port) === this) open.delete(this.port);
  }

  /** `failed` hears why it can't be posted. */
  post(
    session: number,
    frame: Float64Array | undefined,
    texts: readonly string[],
    values: readonly unknown[],
    transfer: readonly Transferable[],
    failed: (error: unknown) => void,
  ): void {
    const said = { session, frame, texts, values, transfer, failed };
    if (values.every(arrives)) {
      this.said.push(said);
      return this.gather();
    }
    // What the other side can't have takes its whole message with it: that goes alone, and after what was said before.
    this.deliver();
    this.send([said]);
  }

  /** Somebody says something now: the others join in. */
  gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    for (const station of this.stations) guarded(() => station.join());
    this.gathering = false;
    this.deliver();
  }

  private deliver(): void {
    const { said } = this;
    this.said = [];
    if (said.length) this.send(said);
  }

  private send(said: Said[]): void {
    const message: unknown[] = [MARK];
    const transfers: Transferable[] = [];
    for (const { session, frame, texts, values, transfer } of said) {
      message.push(session, frame, texts, values);
      if (transfer.length) transfers.push(...transfer);
    }
    try {
      this.port.postMessage(message, transfers);
    } catch (error) {
      for (const { failed } of said) failed(error);
    }
  }

  private readonly heard = ({ data }: { data: unknown }): void => {
    if (!Array.isArray(data) || data[0] !== MARK) return;
    turned();
    for (let at = 1; at < data.length; at += 4) {
      for (const station of this.stations) guarded(() => station.arrived(data[at], data[at + 1], data[at + 2], data[at + 3]));
    }
  };

  private readonly gone = (): void => {
    for (const station of this.stations) station.gone();
  };
}

/** Whether a value can be had wherever a message arrives. */
function arrives(value: unknown): boolean {
  return typeof value === "string" || value instanceof ArrayBuffer;
}

/** What one end fails with is no other's business: it is told as an error that nobody caught. */
function guarded(work: () => void): void {
  try {
    work();
  } catch (error) {
    void Promise.reject(error);
  }
}
