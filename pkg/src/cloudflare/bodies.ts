/** Bodies as bytes: those in an object's SQLite, and one by one those that a Worker and the object pass to each other. */

import { CorruptionError } from "posthaste";
import { portable } from "../bodies/runtime";
import { serializer } from "../bodies/serializer";

export const { write, read } = serializer({ ...portable, corrupt: (message, cause) => new CorruptionError(message, { cause }) });

/** Throws `DataCloneError` for what a structured clone can't hold either. */
export const encode = (body: unknown): Uint8Array<ArrayBuffer> => write({ bodies: [body] });

/** Throws `CorruptionError` for what `encode` did not write. */
export function decode(bytes: Uint8Array): unknown {
  const { bodies } = read(bytes);
  if (bodies.length !== 1) throw new CorruptionError(`a body is not what posthaste wrote: there are ${bodies.length}`);
  return bodies[0];
}
