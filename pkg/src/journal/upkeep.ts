/** Keeping a journal short, and telling trouble that passes from trouble that does not. */

import { BASE, DEAD_PARTS, DRAINED, FLOOR, SNAPSHOT_OVER } from "../engine/codes";
import type { Peer } from "../engine/peer";
import { StorageLostError } from "../contract/errors";
import { messageOf } from "../contract/foreign";
import type { Store, Tail } from "../contract/store";

/** Failures in a row after which the store is opened again at once; then it is, after each of these waits; then the queue ends. */
export const RECOVERIES_MAX = 3;
const WAITS_MS = [250, 500, 1000, 2000, 4000];
/** A store that is silent for so long is opened again: browsers have been seen to forget a transaction. */
export const PATIENCE_MS = 30_000;
export const SILENT = `the storage did not answer for ${PATIENCE_MS / 1000} s`;
/** A full storage may have room again. */
const FULL_MS = 1000;

/** Writes a snapshot and deletes what it makes superfluous. `current`: the peer is still the one to be told when that is done. */
export async function clean(peer: Peer, write: Store["snapshot"], current: () => boolean): Promise<void> {
  if (peer.status(BASE) === 0) return;
  peer.snapshot();
  const bytes = peer.bytes();
  let written = false;
  try {
    const [floor] = peer.numbers(FLOOR);
    written = await write(peer.status(BASE), floor, bytes, [...peer.numbers(DRAINED)], [...peer.numbers(DEAD_PARTS)]);
  } catch {
    // It only saves room and time; the next one will do.
  }
  if (current()) peer.command(SNAPSHOT_OVER, 0, 0, Number(written));
}

/** Errors that opening the store again does not mend. */
export function isFinal(error: unknown): boolean {
  const name = (error as Error)?.name;
  return name === "VersionError" || name === "CorruptionError";
}

/**
 * Whether the replica is sound after this error: a trap leaves it half changed, it is none of another storage, and a full one wants all
 * asked for dropped.
 */
export function canGoOn(error: unknown): boolean {
  return !(error instanceof WebAssembly.RuntimeError || error instanceof StorageLostError) &&
    (error as Error)?.name !== "QuotaExceededError";
}

/** That record was written or read, and is not there: the storage is older than what was read of it. */
export const putBack = (number: number): StorageLostError =>
  new StorageLostError(`an older copy of the storage was put in its place: it has not record ${number}, which was there`, true);

/**
 * What came after record `base`, out of what was read from it on; that itself stays for as long as it is not in a snapshot. `last`: what
 * was read or written under that number, if that is known: others may have written over where an older copy ended.
 */
export function after(tail: Tail, base: number, last: Uint8Array | undefined): Tail {
  // From its first record on a journal is told with its snapshot, however old: the replica never goes back to one.
  if (base === 0 || (tail.snapshot && tail.snapshot.number >= base)) return tail;
  const at = tail.numbers.indexOf(base);
  const there = tail.records[at];
  if (!there || (last && (last.length !== there.length || last.some((byte, at) => byte !== there[at])))) throw putBack(base);
  return { birth: tail.birth, numbers: tail.numbers.slice(at + 1), records: tail.records.slice(at + 1) };
}

/** Waits before the store is opened again, after so many failures in a row. Throws `StorageLostError` when they were too many. */
export async function pause(failures: number, error: unknown): Promise<void> {
  const late = failures - RECOVERIES_MAX - 1;
  if (late >= WAITS_MS.length) {
    throw new StorageLostError(
      `the storage failed ${failures} times in a row, at last with: ${messageOf(error)}. Open the queue again once it works`,
      false,
      { cause: error },
    );
  }
  const wait = (error as Error)?.name === "QuotaExceededError" ? FULL_MS : WAITS_MS[late];
  if (wait !== undefined) await new Promise((resolve) => setTimeout(resolve, wait));
}
