/** Timers in Deno. */

import type { DenoScope } from "./platform";

/** A timer that does not keep the program from ending. */
export function letEnd(timer: unknown): void {
  if (typeof timer === "number") (globalThis as DenoScope).Deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
}
