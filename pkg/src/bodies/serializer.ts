/** Bodies as bytes (format.ts), for stores that hand bytes on. One that writes them where they are to lie has a `Writer` of its own. */

import type { Bodies } from "../contract/store";
import { readBodies } from "./reader";
import { portable, type Runtime } from "./runtime";
import { Writer } from "./writer";

export interface Serializer {
  /** Throws `DataCloneError` for a body that can't be written. */
  write(bodies: Bodies): Uint8Array<ArrayBuffer>;
  /** Throws `CorruptionError` for what is none of that. */
  read(bytes: Uint8Array): Bodies;
}

export function serializer(): Serializer;
export function serializer<Memory extends Uint8Array>(runtime: Runtime<Memory>): Serializer;
export function serializer(runtime: Runtime = portable): Serializer {
  let idle: Writer | undefined;
  return {
    write({ bodies, headers }) {
      // A getter in a body may write another.
      const writer = idle ?? new Writer(runtime);
      idle = undefined;
      try {
        writer.bodies(bodies, headers);
        return new Uint8Array(writer.bytes.subarray(0, writer.length));
      } finally {
        idle = writer.renew();
      }
    },
    read: (bytes) => readBodies(bytes as Uint8Array<ArrayBuffer>, runtime),
  };
}
