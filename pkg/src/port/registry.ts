/**
 * Ports are a part of their own, which the default entry loads when they are first needed. Where `import()` is not allowed (service
 * workers, a page whose policy forbids it), an application imports "posthaste/ports" itself, and they are there from the start.
 */

import type { Backing } from "../journal/backend";
import { disposable } from "../contract/dispose";
import { platformError, show } from "../contract/errors";
import { messageOf } from "../contract/foreign";
import type { LocalBacking } from "../journal/local";
import type { PolicyOptions } from "../contract/options";
import type { EventPort } from "../contract/platform";
import type { Clock, Serving } from "../contract/types";

/** What a client may do, as bits. */
export const ALLOW = { send: 1, receive: 2, admin: 4 };

/** Throws where a client names another policy than the queue has: its numbers, and the dead-letter queue (null: none is to be). */
export type Agree = (policy: Float64Array, letters: string | undefined | null) => void;

/** A queue is served there. */
export interface Place {
  backing: LocalBacking;
  target: EventPort;
  /** Bits of `ALLOW`. */
  allow: number;
  agree: Agree;
  /** It has ended. */
  over: () => void;
}

export interface Ports {
  serve(place: Place): Serving;
  /** Resolves when the host has welcomed it. */
  connect(name: string, port: EventPort, clock: Clock, policy: PolicyOptions, signal: AbortSignal | undefined): Promise<Backing>;
}

let ports: Ports | undefined;
let load: (() => Promise<unknown>) | undefined;
let loading: Promise<unknown> | undefined;
/** The names of the queues that are served at each port: a client asks for a name. */
const served = new WeakMap<EventPort, Set<string>>();

/** Ports are here. */
export function register(those: Ports): void {
  ports = those;
}

/** How they are loaded where nobody has imported them. */
export function loadWith(loader: () => Promise<unknown>): void {
  load ??= loader;
}

export async function loadPorts(): Promise<Ports> {
  try {
    // Once, however many ask: each load would make its own.
    if (!ports) await (loading ??= load?.());
    return ports!;
  } catch (error) {
    loading = undefined;
    throw platformError("NotSupportedError",
      `ports can't be loaded here: import "posthaste/ports" beside "posthaste" (${messageOf(error)})`);
  }
}

/**
 * Serves at once where ports are here, and else when they are. `failed` hears why they can't be. Throws `InvalidStateError` where a queue of
 * that name is served at the port already, by whichever object.
 */
export function serve(given: Place, failed: (error: unknown) => void): Serving {
  const { target, backing } = given;
  const { name } = backing.handle;
  const names = served.get(target) ?? new Set();
  if (names.has(name)) throw platformError("InvalidStateError", `the queue ${show(name)} is served at this port already`);
  const over = (): void => {
    names.delete(name);
    given.over();
  };
  const place = { ...given, over };
  const serving = ports ? ports.serve(place) : new LateServing(place, failed);
  served.set(target, names.add(name));
  return serving;
}

/** A serving that begins when ports are loaded. Who says hello before is not heard: clients say it again. */
class LateServing implements Serving {
  private serving: Serving | undefined;
  private ended = false;
  declare [Symbol.asyncDispose]: () => Promise<void>;

  constructor(private readonly place: Place, failed: (error: unknown) => void) {
    place.target.addEventListener("close", this.gone);
    const begin = async (): Promise<void> => {
      const { serve } = await loadPorts();
      this.forget();
      if (!this.ended) this.serving = serve(place);
    };
    begin().catch((error) => {
      this.gone();
      failed(error);
    });
  }

  private readonly gone = (): void => {
    void this.close();
  };

  private forget(): void {
    this.place.target.removeEventListener?.("close", this.gone);
  }

  async close(): Promise<void> {
    if (this.serving) return this.serving.close();
    if (this.ended) return;
    this.ended = true;
    this.forget();
    this.place.over();
  }
}

disposable(LateServing.prototype, (serving) => serving.close());
