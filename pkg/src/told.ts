/** Errors on their way through a port, where an `Error` loses its name and code. */

import { PosthasteError, StorageLostError, isOurs, platformError, publicError } from "./errors";
import { messageOf, nameOf } from "./foreign";
import type { Along } from "./wire";

/** An error that happened at the other end, as it would have been here. */
export function remoteError(along: Along, unknown: boolean): unknown {
  const [name, code, message] = [along.nextText(), along.nextText(), along.nextText()];
  if (name === "StorageLostError") return new StorageLostError(message, unknown);
  if (code) return publicError(new PosthasteError(name, code, message));
  if (name === "TypeError") return new TypeError(message);
  if (name === "RangeError") return new RangeError(message);
  return new DOMException(message, name);
}

/** Name, code and message of an error: an `Error` loses them on its way through a port. */
export function textsOf(error: unknown): [string, string, string] {
  const code = isOurs(error) ? error.code : "";
  return [nameOf(error), code, error === undefined ? "" : messageOf(error)];
}

/** What a client is told whose hello is no frame of ours; other errors as they are. */
export function frameError(error: Error): Error {
  if (error.name !== "FrameError") return error;
  if (error.message !== "version") return platformError("DataError", `the hello of a client makes no sense: ${error.message}`);
  return versionError("host");
}

/** `side`: who speaks it. */
export function versionError(side: string): DOMException {
  return platformError("VersionError", `the ${side} speaks another version of the wire format: use one version of posthaste at both ends of the port`);
}
