/** What Node's Buffer does for the serializer: texts of any length become bytes, and bytes texts, in one call. */

import type { Runtime } from "../bodies/runtime";
import { named } from "./errors";

export const buffers: Runtime<Buffer> = {
  memory: (length) => Buffer.allocUnsafeSlow(length),
  shortWrite: 24,
  shortRead: 12,

  writeLatin1(bytes, at, text) {
    if (/[^\0-\xff]/.test(text)) return false;
    bytes.write(text, at, "latin1");
    return true;
  },

  writeUtf16(bytes, at, text) {
    bytes.write(text, at, "utf16le");
  },

  readLatin1: (bytes, start, end) => bytes.toString("latin1", start, end),
  readUtf16: (bytes, start, end) => bytes.toString("utf16le", start, end),
  corrupt: (message, cause) => named("CorruptionError", message, cause),
};
