/** Replacing old records by a snapshot, and deleting what nobody needs any more. */

import { newName, type Database } from "./database";
import { FIRST_CHUNK, PARTS_BYTES_MAX, areLengths, pieces } from "./layout";
import type { KvKey } from "./platform";
import { rows } from "./reading";

/** Parts that became nobody's in this time belong to someone who died. */
const DRAFT_MS = 3_600_000;
/** Of ranges, and of parts, in one value: 24 KiB and 32 KiB of the 64 it may have. What is left over stays until its record goes. */
const RANGES_MAX = 3_072;
const PARTS_MAX = 3 * 1_365;

/** Writes a snapshot after record `number`; false: there is one as new. */
export async function replace(
  database: Database,
  number: number,
  floor: number,
  snapshot: Uint8Array,
  ranges: number[],
  parts: number[],
): Promise<boolean> {
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
    const doomed = [head.name, head.bytes, Float64Array.from(ranges.slice(0, RANGES_MAX)), Float64Array.from(parts.slice(0, PARTS_MAX))];
    commit.set(layout.doomed(number), doomed);
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
  const { floor, number } = await database.head();
  for (const { key, value } of await database.list(layout.allDoomed())) {
    const [name, bytes, ranges, parts] = Array.isArray(value) ? (value as unknown[]) : [];
    const keys: KvKey[] = [];
    const lengths = Uint32Array.of(Number(bytes));
    if (typeof name === "string" && name && areLengths(lengths)) keys.push(...database.partKeys(name, lengths));
    if (ranges instanceof Float64Array) {
      for (let at = 0; at + 1 < ranges.length; at += 2) {
        const [first, last] = ranges.subarray(at, at + 2);
        if (first >= 1 && first <= last && last <= floor) keys.push(...(await keysOf(database, first, last)));
      }
    }
    if (parts instanceof Float64Array) {
      for (let at = 0; at + 2 < parts.length; at += 3) {
        const [record, first, last] = parts.subarray(at, at + 3);
        if (record >= 1 && record <= number && first >= 0) keys.push(...(await chunkKeys(database, record, first, last)));
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

/** The keys of chunks of a record's bodies, both ends included. The record stays, and goes on naming them. */
async function chunkKeys(database: Database, record: number, first: number, last: number): Promise<KvKey[]> {
  const found = await rows(database, record, record);
  return found.flatMap(([, { name, lengths }]) =>
    Array.from(lengths).flatMap((bytes, part) => {
      const chunk = part - FIRST_CHUNK;
      if (!name || chunk < first || chunk > last) return [];
      return Array.from({ length: pieces(bytes) }, (_, at) => database.layout.piece(name, part, at));
    })
  );
}

/** The keys of records and their parts. A record comes after its parts: what it says of them is needed until they are gone. */
async function keysOf(database: Database, first: number, last: number): Promise<KvKey[]> {
  const found = await rows(database, first, last);
  return found.flatMap((
    [number, { name, lengths }],
  ) => [...(name ? database.partKeys(name, lengths) : []), database.layout.record(number)]);
}
