/** What others throw or give may be anything, a revoked proxy or an object whose getters throw: it is only looked at here. */

import { NOTE_BYTES_MAX } from "../engine/codes";
import { show } from "./errors";

/** A text property of a value; undefined where there is none. */
function textOf(value: unknown, property: "name" | "message"): string | undefined {
  try {
    const text = (value as Partial<Error> | null | undefined)?.[property];
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

/** An error's name: "Error" where it has none. */
export function nameOf(error: unknown): string {
  return textOf(error, "name") ?? "Error";
}

/** What an error says; of what is no error, a short text that shows it. */
export function messageOf(error: unknown): string {
  return textOf(error, "message") ?? show(error);
}

/** What is kept of an error that failed a message. */
export function noteOf(error: unknown): string {
  return bounded(textOf(error, "message") === undefined ? show(error) : `${nameOf(error)}: ${messageOf(error)}`);
}

/** As much of a text as a note may hold, cut at a character. */
export function bounded(text: string): string {
  let bytes = 0;
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
    if (bytes > NOTE_BYTES_MAX) return text.slice(0, at);
    at += code < 0x1_0000 ? 1 : 2;
  }
  return text;
}
