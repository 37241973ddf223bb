/** Ports of every kind as one: something to post to, with listeners. */

import { show } from "../contract/errors";
import type { EmitterPort, EventPort } from "../contract/platform";
import { soon } from "../schedule/microtask";

/** The port that options name: messages are kept where the host keeps them. */
export function portOf({ port, storage }: { port?: unknown; storage?: unknown }): EventPort {
  const target = portOption(port, "port");
  if (storage !== undefined) throw new TypeError(`storage ${show(storage)} is the host's business: leave it out beside a port`);
  return target;
}

type Listener = (event: { data: unknown }) => void;

/** The port as it is where it has listeners; Node's `Worker`, which emits, in a coat. Throws for what is no port. */
export function portOption(port: unknown, what: string): EventPort {
  const { postMessage, addEventListener, on } = (port ?? {}) as Partial<EventPort & EmitterPort>;
  if (typeof postMessage === "function") {
    if (typeof addEventListener === "function") return port as EventPort;
    if (typeof on === "function") return emitting(port as EmitterPort);
  }
  throw new TypeError(`${what} must be a MessagePort, a Worker or a worker's own scope, not ${show(port)}`);
}

const coats = new WeakMap<EmitterPort, EventPort>();

/** The same coat each time. */
function emitting(port: EmitterPort): EventPort {
  const coat = coats.get(port) ?? new Emitting(port);
  coats.set(port, coat);
  return coat;
}

class Emitting implements EventPort {
  private readonly listeners = new Map<unknown, (value: unknown) => void>();

  constructor(private readonly port: EmitterPort & { off?(event: string, listener: unknown): void }) {}

  postMessage(message: unknown, transfer: never): void {
    this.port.postMessage(message, transfer);
  }

  addEventListener(type: string, listener: Listener): void {
    const heard = (data: unknown): void => listener({ data });
    this.listeners.set(listener, heard);
    this.port.on(type === "close" ? "exit" : type, heard);
    // A worker that has ended says so no more.
    if (type === "close" && (this.port as { threadId?: number }).threadId === -1) soon(() => heard(undefined));
  }

  removeEventListener(type: string, listener: Listener): void {
    this.port.off?.(type === "close" ? "exit" : type, this.listeners.get(listener));
    this.listeners.delete(listener);
  }
}
