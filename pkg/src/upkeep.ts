/** Keeping a journal short, and telling trouble that passes from trouble that does not. */

import { numbers } from "./crossing";
import type { Peer } from "./engine";
import type { Store } from "./store";

/** Writes a snapshot and deletes what it makes superfluous. `current`: the peer is still the one to be told when that is done. */
export async function clean(peer: Peer, write: Store["snapshot"], current: () => boolean): Promise<void> {
  const bytes = peer.snapshot();
  let written = false;
  try {
    written = await write(peer.base, peer.floor(), bytes, [...numbers(peer.drained())], [...numbers(peer.deadParts())]);
  } catch {
    // It only saves room and time; the next one will do.
  }
  if (current()) peer.snapshotWritten(written);
}

/** Errors that opening the store again does not mend. */
export function isFinal(error: unknown): boolean {
  const name = (error as Error)?.name;
  return name === "VersionError" || name === "CorruptionError";
}

/** Whether the replica is sound after this error: a trap leaves it half changed, and a full storage wants all asked for dropped. */
export function canGoOn(error: unknown): boolean {
  return !(error instanceof WebAssembly.RuntimeError) && (error as Error)?.name !== "QuotaExceededError";
}
