/** One step: its record and bodies as values, and the commit that brings them under the next number. */

import { serializer } from "../bodies/serializer";
import { headersBetween } from "../bodies/headers";
import type { Append } from "../contract/store";
import { lengthsOf, newName, type Database } from "./database";
import { tooLarge, tooMany } from "./errors";
import { ROW_BYTES_MAX, rowValue, type Row } from "./layout";

/** The most of one step, and so of one message: in the several commits of its parts, some seconds of a disk. */
const STEP_BYTES_MAX = 64 << 20;

export const { write, read } = serializer();

/** A row, and the parts that do not lie in it. */
interface Packed {
  row: Row;
  parts: Uint8Array[];
}

/** Commits the step. The record's number. */
export async function append(database: Database, step: Append): Promise<number> {
  const { row, parts } = pack(step);
  const draft = database.fits(row.lengths) ? undefined : await database.draft(row.name, parts);
  const head = await database.move("appending a step", (head, commit) => {
    const last = head.last + 1;
    commit.set(database.layout.record(last), rowValue(row));
    if (draft) {
      commit.check(draft.check);
      commit.delete(draft.check.key);
    } else {
      database.put(commit, row.name, parts);
    }
    return { ...head, last };
  });
  return head?.last ?? 0;
}

/** Throws `DataCloneError`, `MessageTooLargeError`. */
function pack(step: Append): Packed {
  // The view may be of the engine's own memory, and a clone of a view is a clone of all it looks into.
  const record = step.record.slice();
  const apart = step.chunk >= 0 ? chunksOf(step) : [];
  const own = step.chunk < 0 && step.bodies.length ? write(step) : undefined;
  const bytes = [record, own, ...apart].reduce((sum, part) => sum + (part?.length ?? 0), 0);
  if (bytes > STEP_BYTES_MAX) throw tooLarge(bytes, STEP_BYTES_MAX);

  const room = ROW_BYTES_MAX - (apart.length ? 4 * (apart.length + 2) : 0);
  if (room < 0) throw tooMany(apart.length, ROW_BYTES_MAX / 4 - 2);
  const bodiesInside = own !== undefined && record.length + own.length <= room;
  const recordInside = record.length <= room;
  const row: Row = {
    record: recordInside ? record : undefined,
    bodies: bodiesInside ? own : undefined,
    name: "",
    lengths: new Uint32Array(),
  };
  if (recordInside && !apart.length && (bodiesInside || !own)) return { row, parts: [] };
  const parts = [recordInside ? NOTHING : record, bodiesInside ? NOTHING : own ?? NOTHING, ...apart];
  return { row: { ...row, name: newName(), lengths: lengthsOf(parts) }, parts };
}

const NOTHING = new Uint8Array();

function chunksOf({ bodies, headers, chunk }: Append): Uint8Array[] {
  const size = 2 ** chunk;
  const chunks: Uint8Array[] = [];
  for (let first = 0; first < bodies.length; first += size) {
    chunks.push(
      write({ bodies: bodies.slice(first, first + size), headers: headersBetween(headers, first, Math.min(size, bodies.length - first)) }),
    );
  }
  return chunks;
}

/** What a body is refused for, or undefined. */
export function refusal(body: unknown): unknown {
  try {
    const { length } = write({ bodies: [body] });
    return length > STEP_BYTES_MAX ? tooLarge(length, STEP_BYTES_MAX) : undefined;
  } catch (error) {
    return error;
  }
}
