/** The errors of posthaste: the platform's names where the platform has one, ours with a stable `code` where not. */

/** An error of posthaste's own. `code` is stable; the message is for people. */
export class PosthasteError extends Error {
  readonly code: string;
  constructor(name: string, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.code = code;
  }
}

/** The queue is full and its overflow policy is "reject". */
export class QueueFullError extends PosthasteError {
  constructor(message: string) {
    super("QueueFullError", "ERR_QUEUE_FULL", message);
  }
}

/** The message is not this receiver's any more: its lease ran out, or was taken away by a purge. */
export class LeaseLostError extends PosthasteError {
  constructor(message: string) {
    super("LeaseLostError", "ERR_LEASE_LOST", message);
  }
}

/** The message can never fit. */
export class MessageTooLargeError extends PosthasteError {
  constructor(message: string) {
    super("MessageTooLargeError", "ERR_MESSAGE_TOO_LARGE", message);
  }
}

/** The storage under the queue is gone; `outcomeUnknown` is true where the operation may have taken place. */
export class StorageLostError extends PosthasteError {
  readonly outcomeUnknown: boolean;
  constructor(message: string, outcomeUnknown = false, options?: ErrorOptions) {
    super("StorageLostError", "ERR_STORAGE_LOST", message, options);
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** The queue was made with another policy. */
export class PolicyMismatchError extends PosthasteError {
  constructor(message: string) {
    super("PolicyMismatchError", "ERR_POLICY_MISMATCH", message);
  }
}

/** What is in the storage is not what posthaste wrote. */
export class CorruptionError extends PosthasteError {
  constructor(message: string, options?: ErrorOptions) {
    super("CorruptionError", "ERR_CORRUPTION", message, options);
  }
}

/** An error by the platform's name for it. */
export function platformError(name: string, message: string): DOMException {
  return new DOMException(message, name);
}

export function closedError(queue: string): DOMException {
  return platformError("InvalidStateError", `the queue ${show(queue)} is closed`);
}

export function notSupported(what: string): DOMException {
  return platformError("NotSupportedError", `${what} is not supported in this version of posthaste`);
}

/** Whether it is an error of posthaste's own; false of what can't be looked at. */
export function isOurs(error: unknown): error is PosthasteError {
  try {
    return error instanceof PosthasteError;
  } catch {
    return false;
  }
}

/** Gives errors from the engine and the stores their public classes. */
export function publicError(error: unknown): unknown {
  try {
    return known(error);
  } catch {
    // It can't even be looked at.
    return error;
  }
}

function known(error: unknown): unknown {
  const { name, message } = (error ?? {}) as Error;
  if (error instanceof PosthasteError || error instanceof DOMException) return error;
  if (name === "CorruptionError") return new CorruptionError(message, { cause: error });
  if (name === "MessageTooLargeError") return new MessageTooLargeError(message);
  if (name === "VersionError") return platformError("VersionError", message);
  if (name === "StorageLostError") return new StorageLostError(message, false, { cause: error });
  return error;
}

const SHOWN_MAX = 80;
const SHOWN_DEPTH = 4;

/** A value as text for an error message: short, whatever it is and however large. To look at it may throw. */
export function show(value: unknown): string {
  let text: string;
  try {
    text = shown(value, SHOWN_DEPTH);
  } catch {
    text = `a value of type ${typeof value}`;
  }
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 3)}...` : text;
}

/** The beginning of a value, much as JSON says it. */
function shown(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, SHOWN_MAX));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value).slice(0, SHOWN_MAX + 1);
  if (depth === 0) return "...";
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return shown(toJSON.call(value), depth - 1);
  if (ArrayBuffer.isView(value)) return `${Object.prototype.toString.call(value)} of ${value.byteLength} bytes`;
  const list = Array.isArray(value);
  let text = "";
  for (const name in value) {
    if (text.length > SHOWN_MAX) break;
    const item = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    if (item === undefined && !list) continue;
    text += `${text && ","}${list ? "" : `${shown(name, 0)}:`}${shown(item, depth - 1)}`;
  }
  return list ? `[${text}]` : `{${text}}`;
}

/** What was asked of a journal whose storage was lost meanwhile. */
export const lostUnderWay = (cause: unknown, outcomeUnknown: boolean): StorageLostError =>
  new StorageLostError("the storage was lost while this was under way", outcomeUnknown, { cause });

/** The storage does not take a body. */
export function unstorable(error: Error): unknown {
  if (error.name !== "DataCloneError") return publicError(error);
  return platformError(error.name, `the storage can't hold the body: it can be cloned, but not stored: ${error.message}`);
}
