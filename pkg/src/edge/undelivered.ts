/** The error that carries what could not be handed over. */

import { PosthasteError, show } from "../contract/errors";
import type { BufferedMessage, UndeliveredReport } from "./types";

/** Messages that could not be handed over, with the reason as `cause`. */
export class UndeliveredError<Body = unknown> extends PosthasteError implements UndeliveredReport<Body> {
  constructor(
    message: string,
    readonly messages: readonly BufferedMessage<Body>[],
    readonly attempts: number,
    readonly outcomeUnknown: boolean,
    cause: unknown,
  ) {
    super("UndeliveredError", "ERR_UNDELIVERED", message, { cause });
  }
}

export function reason(cause: unknown): string {
  const { name, message } = (cause ?? {}) as Partial<Error>;
  return typeof message === "string" ? `${name}: ${message}` : show(cause);
}

/** Throws what could not be handed over, as one error. */
export function throwAll(failures: UndeliveredError[]): void {
  if (!failures.length) return;
  if (failures.length === 1) throw failures[0];
  const messages = failures.flatMap((error) => error.messages);
  const { attempts, cause } = failures[failures.length - 1];
  const what = `${messages.length} messages in ${failures.length} batches could not be handed over, the last for this: ${reason(cause)}`;
  throw new UndeliveredError(what, messages, attempts, failures.some(({ outcomeUnknown }) => outcomeUnknown), cause);
}
