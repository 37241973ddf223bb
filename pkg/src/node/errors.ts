/** Errors of files, by the names that the store's contract has for them. */

/** What is there was not written by posthaste, or was damaged since. */
export function corrupt(file: string, what: string, cause?: unknown): Error {
  const message = `${file} is damaged or no journal: ${what}. Put a copy of it from a backup in its place, or move it away to begin anew`;
  return named("CorruptionError", message, cause);
}

export function named(name: string, message: string, cause?: unknown): Error {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { name });
}

/** It can't be known whether the step is on the disk: whoever opens the journal again will see. */
export function unknown(error: Error): Error {
  return Object.assign(error, { outcomeUnknown: true });
}

/** What the system says of a file, by the platform's names where it has one. */
export function fileError(error: unknown, file: string): unknown {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  switch (code) {
    // EFBIG: the process may not write files as large as that.
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new DOMException(`there is no room for more in ${file}: ${message}`, "QuotaExceededError");
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new DOMException(`${file} may not be written: ${message}. Let this process read and write the folder and what is in it`,
        "NotAllowedError");
    case "ENOTDIR":
    case "EEXIST":
      return new DOMException(`a journal is kept in a folder, and ${file} is none or lies in none: ${message}`, "NotSupportedError");
    default:
      return error;
  }
}
