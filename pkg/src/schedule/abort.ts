/**
 * Waits that an AbortSignal ends. One long-lived signal may be given to many calls: it has one listener of this package at a
 * time, however many of them are under way, and none once they are over.
 */

import type { Stop } from "./cancellation";

/** Those who wait at one signal, and its listener. */
interface Waiting {
  readonly told: Set<() => void>;
  readonly listener: () => void;
}

const signals = new WeakMap<AbortSignal, Waiting>();

/** Calls `aborted` with the signal's reason when it aborts, unless the function that is returned was called before. */
export function onAbort(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const known = signals.get(signal) ?? listen(signal);
  const tell = (): void => aborted(signal.reason);
  known.told.add(tell);
  return () => {
    if (!known.told.delete(tell) || known.told.size) return;
    signal.removeEventListener("abort", known.listener);
    if (signals.get(signal) === known) signals.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const told = new Set<() => void>();
  const listener = (): void => {
    signals.delete(signal);
    for (const tell of [...told]) tell();
  };
  signal.addEventListener("abort", listener, { once: true });
  const made = { told, listener };
  signals.set(signal, made);
  return made;
}

/** What `work` ends with, or the signal's reason where that comes first. */
export function abortable<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  return signal ? unless(signal, [], work) : work;
}

/** As `abortable`; the reason of any of these stops counts, too. */
export function unless<T>(signal: AbortSignal | undefined, stops: readonly (Stop | undefined)[], work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = (reason: unknown): void => {
      over();
      reject(reason);
    };
    const off = signal && onAbort(signal, stopped);
    for (const stop of stops) stop?.add(stopped);
    const over = (): void => {
      off?.();
      for (const stop of stops) stop?.delete(stopped);
    };
    if (signal?.aborted) stopped(signal.reason);
    for (const stop of stops) if (stop?.come) stopped(stop.reason);
    void work.then(resolve, reject).finally(over);
  });
}
