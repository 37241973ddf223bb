/** Opens the queue that the context at the other end of a port serves. */

import { platformError, show } from "../contract/errors";
import type { PolicyOptions } from "../contract/options";
import type { EventPort } from "../contract/platform";
import type { Clock } from "../contract/types";
import { abortable } from "../schedule/cancellation";
import { soon } from "../schedule/microtask";
import { ClientBacking } from "./client";
import { HELLO, POLICY, type Draft } from "./frame";
import * as presence from "./presence";
import { canShare } from "./transport";

/** How long to wait for a host before nobody serves the queue, and how often to ask. */
const WELCOME_MS = 10_000;
const HELLO_MS = 250;
/** Numbers of a policy that fit into a row of their own; the others go before, with the hello. */
const POLICY_FIRST = 9;

/** Resolves when the host has welcomed us. */
export async function connect(
  name: string,
  port: EventPort,
  clock: Clock,
  policy: PolicyOptions,
  signal: AbortSignal | undefined,
): Promise<ClientBacking> {
  const backing = new ClientBacking(name, port, clock, policy);
  const timers: unknown[] = [];
  try {
    await abortable(signal, new Promise<void>((resolve, reject) => greet(backing, policy, timers, resolve, reject)));
    return backing;
  } catch (error) {
    backing.end(error);
    throw error;
  } finally {
    backing.begin(undefined);
    timers.forEach((timer) => clearTimeout(timer as number));
  }
}

/** Says hello once our own lock is held, and again and again: who serves may not have listened yet. */
function greet(
  backing: ClientBacking,
  policy: PolicyOptions,
  timers: unknown[],
  resolve: () => void,
  reject: (error: unknown) => void,
): void {
  const says = `nobody serves the queue ${show(backing.name)} at this port: no answer for ${WELCOME_MS / 1000} s`;
  const lock = `posthaste:client:${backing.session}`;
  backing.begin({ resolve, reject, again: () => undefined });
  timers.push(setTimeout(() => reject(platformError("TimeoutError", says)), WELCOME_MS));
  // Where there are none it begins at once, and has no lock yet.
  backing.own = presence.hold(lock, () =>
    soon(() => {
      // Its host may have gone meanwhile.
      if (backing.closed) return reject(backing.closed);
      const again = backing.hello((draft) => hello(draft, policy, [backing.name, backing.own ? lock : ""]));
      backing.begin({ resolve, reject, again });
      const ask = (): void => {
        again();
        timers.push(setTimeout(ask, HELLO_MS));
      };
      ask();
    }));
}

/** Adds the rows of a hello; answers the texts that go along. */
function hello(draft: Draft, { given, numbers, deadLetterQueue, givenDeadLetterQueue }: PolicyOptions, texts: string[]): string[] {
  const policy = Array.from(numbers, (number, at) => (given[at] ? number : NaN));
  const letters = !givenDeadLetterQueue ? 0 : deadLetterQueue === undefined ? 2 : 1;
  draft.row(HELLO, canShare() ? 1 : 0, letters, ...policy.slice(POLICY_FIRST));
  draft.row(POLICY, ...policy.slice(0, POLICY_FIRST));
  return letters === 1 ? [...texts, deadLetterQueue!] : texts;
}
