/** What a host asks of a frame as a whole, before it carries out any of it. */

import { AS_MANY_AS_FIT, BATCH, BATCH_PART } from "../engine/codes";
import type { Credit } from "./credit";
import { FrameError, HELLO, KEYED, RECEIVE, REDRIVE, SEND, SETTLE, SIZED, WIDTH, type Frame } from "./frame";

/** Receives one client may have waiting. */
const RECEIVES_MAX = 1 << 14;

/** Throws `FrameError` unless a frame as a whole keeps to what it must: to what is beside it, whole batches, its sender's credit, and how many receives wait. */
export function checkOrders({ rows, lengths }: Frame, texts: number, values: number, credit: Credit, waiting: number): void {
  const beside = { texts: 0, values: 0, lengths: 0 };
  let [batch, units, messages, bytes, singles, receives] = [0, 0, 0, 0, 0, waiting];
  for (let at = 0; at < rows.length; at += WIDTH) {
    addBeside(rows, at, beside);
    receives += rows[at] === RECEIVE ? 1 : 0;
    if (rows[at] !== SEND) continue;
    const [count, flags, more] = [rows[at + 2], rows[at + 6], rows[at + 7]];
    const kind = flags & 3;
    if (kind > BATCH_PART || (flags & KEYED && count > 1) || (kind === BATCH_PART ? batch < count : batch > 0))
      throw new FrameError("send");
    batch = kind === BATCH_PART ? batch - count : kind === BATCH ? more : 0;
    units += kind === BATCH_PART ? 0 : 1;
    singles += kind === AS_MANY_AS_FIT ? count : 0;
    messages += count;
    const own = flags & SIZED ? beside.lengths - besideBodies(rows, at) - count : -1;
    if (own < 0) bytes += count * rows[at + 3];
    else for (let place = own; place < own + count; place += 1) bytes += lengths[place];
  }
  if (beside.texts !== texts || beside.values !== values || beside.lengths !== lengths.length) throw new FrameError("what goes along");
  if (batch > 0) throw new FrameError("batch");
  // One message, or one batch, may be as large as it is.
  const single = credit.isIdle && units === 1 && singles <= 1;
  if (messages > 0 && !single && !credit.allows(messages, bytes)) throw new FrameError("credit");
  if (receives > RECEIVES_MAX) throw new FrameError("receives");
}

/** How many of a frame's lengths belong to the bodies of a send. */
function besideBodies(rows: Float64Array, at: number): number {
  const [count, form] = [rows[at + 2], rows[at + 9]];
  return (form & 3) > 1 && form < 8 ? count : 0;
}

/** Counts what goes along with an order. */
function addBeside(rows: Float64Array, at: number, beside: { texts: number; values: number; lengths: number }): void {
  const kind = rows[at];
  if (kind === SETTLE) beside.texts += rows[at + 8];
  else if (kind === REDRIVE) beside.texts += rows[at + 4];
  else if (kind === HELLO) beside.texts += rows[at + 2] === 1 ? 3 : 2;
  if (kind !== SEND) return;
  const [flags, form] = [rows[at + 6], rows[at + 9]];
  beside.texts += flags & KEYED ? 1 : 0;
  beside.values += form & 4 ? 2 : 1;
  beside.lengths += (flags & SIZED ? rows[at + 2] : 0) + besideBodies(rows, at);
}
