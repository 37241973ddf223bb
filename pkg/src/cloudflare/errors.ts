/** Errors as values and back. */

import { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, QueueFullError, StorageLostError } from "posthaste";
import { messageOf, nameOf } from "../contract/foreign";
import type { Refusal } from "./rpc";

const OURS = { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, QueueFullError };
const LANGUAGE = { TypeError, RangeError, Error };

export function refusalOf(error: unknown): Refusal {
  const outcomeUnknown = (error as Partial<StorageLostError> | undefined)?.outcomeUnknown === true;
  return { name: nameOf(error), message: messageOf(error), ...(outcomeUnknown && { outcomeUnknown }) };
}

export function errorOf({ name, message, outcomeUnknown }: Refusal): Error {
  if (name === "StorageLostError") return new StorageLostError(message, outcomeUnknown);
  const ours = Object.entries(OURS).find(([known]) => known === name)?.[1];
  if (ours) return new ours(message);
  const language = Object.entries(LANGUAGE).find(([known]) => known === name)?.[1];
  return language ? new language(message) : new DOMException(message, name);
}
