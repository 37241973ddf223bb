/** The end of a port, without the engine and its wasm: for contexts that use only queues which another context serves. */

import { platformError } from "./contract/errors";
import { systemClock, openingOptions } from "./contract/options";
import { portOf } from "./port/event-port";
import { connect } from "./port/opening";
import { OpenedQueue } from "./queue/queue";
import type { Port } from "./contract/platform";
import type { Queue, QueueOptions } from "./contract/types";

/** Opens the queue `name` that the context at the other end of `port` serves. As `openQueue` of "posthaste" with a port. */
export async function openQueue<Body = unknown>(name: string, options: QueueOptions<Body> & { port: Port }): Promise<Queue<Body>> {
  const { policy, signal } = openingOptions(name, options ?? {});
  if (options?.port === undefined)
    throw platformError("NotSupportedError",
      'posthaste/client has no queues of its own: name the port of the context that serves this one, or import "posthaste"');
  const backing = await connect(name, portOf(options), options.clock ?? systemClock, policy, signal);
  return new OpenedQueue<Body>(name, backing, options) as Queue<Body>;
}

export * from "./exports";
