/** Reading the journal: what came since a number, by way of the snapshot where records were cleaned away, and bodies. */

import type { Bodies, Tail } from "../contract/store";
import { read } from "./append";
import type { Database } from "./database";
import { named } from "./errors";
import { FIRST_CHUNK, OWN_BODIES, RECORD, shown, type Head, type Row } from "./layout";

/** Each time others have cleaned away what was being read. */
const TRIES = 8;

/** Everything from number `from` on. */
export async function readTail(database: Database, from: number): Promise<Tail> {
  for (let tries = 1;; tries += 1) {
    const head = await database.head();
    const tail = await tailOf(database, head, from);
    if (tail) return tail;
    const now = await database.head();
    if (tries === TRIES || now.number === head.number) {
      throw named("CorruptionError",
        `the journal in Deno KV under ${shown(database.layout.prefix)} lacks some of what came from record ${from} on`);
    }
  }
}

/** undefined: some of it is missing. */
async function tailOf(database: Database, head: Head, from: number): Promise<Tail | undefined> {
  const tail: Tail = { numbers: [], records: [], birth: head.birth };
  let first = Math.max(1, from);
  if (head.number > 0 && (from <= 1 || from <= head.floor)) {
    const bytes = await database.part(head.name, 0, head.bytes);
    if (!bytes) return undefined;
    tail.snapshot = { number: head.number, bytes };
    first = head.number + 1;
  }
  if (first > head.last) return tail;
  for (const [number, row] of await rows(database, first, head.last)) {
    const record = row.record ?? (await database.part(row.name, RECORD, row.lengths[RECORD]));
    if (!record || number !== first + tail.numbers.length) return undefined;
    tail.numbers.push(number);
    tail.records.push(record);
  }
  return tail.numbers.length === head.last + 1 - first ? tail : undefined;
}

/** The rows of these records, as far as they are there. */
export async function rows(database: Database, first: number, last: number): Promise<[number, Row][]> {
  const { layout } = database;
  const found = first === last
    ? [await database.get(layout.record(first))]
    : await database.list(layout.record(first), layout.record(last + 1));
  return found.filter(({ value }) => value !== null).map((entry) => [layout.numberOf(entry.key), layout.rowOf(entry)]);
}

/** Values that hold bodies, by pairs of record number and part. */
export async function readValues(database: Database, keys: number[]): Promise<(Bodies | undefined)[]> {
  const numbers = [...new Set(keys.filter((_, at) => at % 2 === 0))].sort((a, b) => a - b);
  const found = new Map((await Promise.all(runs(numbers).map(([first, last]) => rows(database, first, last)))).flat());
  const pairs = Array.from({ length: keys.length / 2 }, (_, at) => [keys[2 * at], keys[2 * at + 1]]);
  return Promise.all(pairs.map(([number, part]) => readBodies(database, number, found.get(number), part)));
}

/** Numbers that follow each other, as first and last: they are read at once. */
function runs(numbers: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const run = found.at(-1);
    if (run && number === run[1] + 1) run[1] = number;
    else found.push([number, number]);
  }
  return found;
}

async function readBodies(database: Database, number: number, row: Row | undefined, part: number): Promise<Bodies | undefined> {
  const at = part < 0 ? OWN_BODIES : FIRST_CHUNK + part;
  const inside = part < 0 ? row?.bodies : undefined;
  const length = row?.lengths[at];
  if (!row || (!inside && !length)) return undefined;
  const bytes = inside ?? (await database.part(row.name, at, length!)) ?? NOTHING;
  try {
    return read(bytes);
  } catch {
    // What a snapshot stands for may be gone, and parts are deleted before their record.
    if (number <= (await database.head()).number) return undefined;
    throw database.layout.corrupt(database.layout.record(number));
  }
}

const NOTHING = new Uint8Array();
