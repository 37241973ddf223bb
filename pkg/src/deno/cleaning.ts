/** Replacing old records by a snapshot, and deleting what nobody needs any more. */

import { newName, type Database } from "./database";
import { PARTS_BYTES_MAX, areLengths } from "./layout";
import type { KvKey } from "./platform";
import { rows } from "./reading";

/** Parts that became nobody's in this time belong to someone who died. */
const DRAFT_MS = 3_600_000;
/** Of ranges in one value. */
const RANGES_MAX = 4096;

/** Writes a snapshot after record `number`; false: there is one as new. */
export async function replace(database: Database, number: number, floor: number, snapshot: Uint8Array, ranges: number[]): Promise<boolean> {
  if ((await database.head()).number >= number) return false;
  if (snapshot.length > PARTS_BYTES_MAX) return false;
  const { layout } = database;
  const bytes = snapshot.slice();
  const name = newName();
  const draft = database.fits([bytes.length]) ? undefined : await database.draft(name, [bytes]);
  const head = await database.move("writing a snapshot", (head, commit) => {
    if (head.number >= number) return undefined;
    if (draft) {
      commit.check(draft.check);
      commit.delete(draft.check.key);
    } else {
      database.put(commit, name, [bytes]);
    }
    // Whoever deletes may die over it: another one goes on.
    commit.set(layout.doomed(number), [head.name, head.bytes, Float64Array.from(ranges.slice(0, RANGES_MAX))]);
    return { ...head, number, floor: Math.max(head.floor, floor), name, bytes: bytes.length };
  });
  if (!head && draft) await database.remove([...database.partKeys(name, [bytes.length]), draft.check.key]);
  if (!head) return false;
  try {
    await sweep(database);
  } catch {
    // The snapshot stands. What is left is swept after the next.
  }
  return true;
}

/** Deletes what is doomed, and drafts whose writers died. */
async function sweep(database: Database): Promise<void> {
  const { layout } = database;
  const { floor } = await database.head();
  for (const { key, value } of await database.list(layout.allDoomed())) {
    const [name, bytes, ranges] = Array.isArray(value) ? (value as unknown[]) : [];
    const keys: KvKey[] = [];
    const lengths = Uint32Array.of(Number(bytes));
    if (typeof name === "string" && name && areLengths(lengths)) keys.push(...database.partKeys(name, lengths));
    if (ranges instanceof Float64Array) {
      for (let at = 0; at + 1 < ranges.length; at += 2) {
        const [first, last] = ranges.subarray(at, at + 2);
        if (first >= 1 && first <= last && last <= floor) keys.push(...(await keysOf(database, first, last)));
      }
    }
    await database.remove([...keys, key]);
  }
  for (const { key, value } of await database.list(layout.drafts())) {
    const [time, lengths] = Array.isArray(value) ? (value as unknown[]) : [];
    const name = key[key.length - 1];
    if (Math.abs(Date.now() - Number(time)) < DRAFT_MS || typeof name !== "string") continue;
    // First, so that its writer, if it lives after all, does not make the rest someone's.
    await database.remove([key, ...(areLengths(lengths) ? database.partKeys(name, lengths) : [])]);
  }
}

/** The keys of records and their parts. A record comes after its parts: what it says of them is needed until they are gone. */
async function keysOf(database: Database, first: number, last: number): Promise<KvKey[]> {
  const found = await rows(database, first, last);
  return found.flatMap(([number, { name, lengths }]) => [...(name ? database.partKeys(name, lengths) : []), database.layout.record(number)]);
}
