/** Errors as values and back. */

import { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, QueueFullError, StorageLostError } from "posthaste";
import type { Refusal } from "./calls";

const OURS = { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, QueueFullError };
const LANGUAGE = { TypeError, RangeError, Error };

export function refusalOf(error: unknown): Refusal {
  const { name, message, outcomeUnknown } = (error ?? {}) as Partial<StorageLostError>;
  return { name: String(name ?? "Error"), message: String(message ?? error), ...(outcomeUnknown === true && { outcomeUnknown }) };
}

export function errorOf({ name, message, outcomeUnknown }: Refusal): Error {
  if (name === "StorageLostError") return new StorageLostError(message, outcomeUnknown);
  const ours = Object.entries(OURS).find(([known]) => known === name)?.[1];
  if (ours) return new ours(message);
  const language = Object.entries(LANGUAGE).find(([known]) => known === name)?.[1];
  return language ? new language(message) : new DOMException(message, name);
}
