/** Opens the queue that the context at the other end of a port serves. */

import type { PolicyOptions } from "../contract/options";
import type { EventPort } from "../contract/platform";
import type { Clock } from "../contract/types";
import { ClientBacking } from "./client";

/** Resolves when the host has welcomed us. */
export async function connect(
  name: string,
  port: EventPort,
  clock: Clock,
  policy: PolicyOptions,
  signal: AbortSignal | undefined,
): Promise<ClientBacking> {
  const backing = new ClientBacking(name, port, clock, policy);
  await backing.open(policy, signal);
  return backing;
}
