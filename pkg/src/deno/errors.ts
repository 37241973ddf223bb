/** Errors by name, as a store tells them. */

export function named(name: "CorruptionError" | "VersionError" | "StorageLostError" | "MessageTooLargeError", message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

export function tooLarge(bytes: number, most: number): Error {
  return named("MessageTooLargeError", `${bytes} bytes do not fit: what is sent in one step may have ${most} bytes in Deno KV`);
}

export function tooMany(parts: number, most: number): Error {
  return named("MessageTooLargeError", `${parts} parts of bodies do not fit: what is sent in one step may have ${most} parts in Deno KV`);
}
