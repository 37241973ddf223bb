/** Errors between the ends of a port: an `Error` loses its name and its properties on the way through structured clone, texts do not. */

import { PosthasteError, StorageLostError, isOurs, platformError, publicError } from "../contract/errors";
import { messageOf, nameOf } from "../contract/foreign";
import type { Along } from "./bodies";

/** Name, code and message of an error. */
export function textsOf(error: unknown): [string, string, string] {
  return [nameOf(error), isOurs(error) ? error.code : "", error === undefined ? "" : messageOf(error)];
}

/** An error that happened at the other end, as it would have been here. `unknown`: whether what failed took place is not known. */
export function errorBeside(along: Along, unknown: boolean): unknown {
  const [name, code, message] = [along.nextText(), along.nextText(), along.nextText()];
  if (name === "StorageLostError") return new StorageLostError(message, unknown);
  if (code) return publicError(new PosthasteError(name, code, message));
  if (name === "TypeError") return new TypeError(message);
  if (name === "RangeError") return new RangeError(message);
  return new DOMException(message, name);
}

const ONE_VERSION = "speaks another version of the wire format: use one version of posthaste at both ends of the port";

/** The other end, `who`, has another version. */
export function versionError(who: string): DOMException {
  return platformError("VersionError", `${who} ${ONE_VERSION}`);
}

/** What a client is told whose hello is no frame of ours; other errors as they are. */
export function helloError(error: Error): Error {
  if (error.name === "VersionError") return versionError("the host");
  return error.name === "FrameError" ? platformError("DataError", `the hello of a client makes no sense: ${error.message}`) : error;
}
