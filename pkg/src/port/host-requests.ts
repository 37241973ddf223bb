/** What a client asks of its host's queue beside sending and receiving. */

import { STATES } from "../engine/codes";
import type { LocalBacking } from "../journal/local";
import { Stop } from "../schedule/cancellation";
import { CANCEL, METRICS, PAUSE, PEEK, PURGE, REDRIVE } from "./frame";

/** What changes the queue. */
export const ADMIN: readonly number[] = [PURGE, PAUSE, REDRIVE, CANCEL];

/** The answer: a number, or a value that goes along. `to`: the queue to redrive to, where one is named. */
export async function requested(backing: LocalBacking, kind: number, a: number, b: number, to: string | undefined): Promise<unknown> {
  switch (kind) {
    case METRICS:
      return backing.metrics();
    case PEEK:
      return backing.peek(a, STATES[b - 1]);
    case CANCEL:
      return Number(await backing.cancel(a, b));
    case PURGE:
      return backing.purge();
    case PAUSE:
      await backing.pause(a === 1);
      return 1;
    case REDRIVE:
      return backing.redrive(to, a, b, new Stop());
    default:
      await backing.flushed();
      return 1;
  }
}
