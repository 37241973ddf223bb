/**
 * Presence: each end of a port holds a Web Lock, and asks for the other's. Whoever gets it knows that the other is gone, a few
 * milliseconds after its worker, tab or renderer died, with no message and no heartbeat.
 */

import { manager } from "../journal/presence";

/** Lets the lock go, or stops asking for it. */
export type Release = () => void;

/** `granted`: called when it is held; `refused` where it never will be: a sandboxed frame has no right to locks. Undefined: there are no locks. */
function ask(name: string, granted: () => void, refused: () => void): Release | undefined {
  const locks = manager();
  if (!locks) return undefined;
  const asking = new AbortController();
  let release!: () => void;
  const until = new Promise<void>((over) => (release = over));
  const held = (): Promise<void> => {
    granted();
    return until;
  };
  locks.request(name, { signal: asking.signal }, held).catch(refused);
  return () => {
    release();
    asking.abort();
  };
}

/** Holds the lock `name`; `settled` is called when it is held, and where it never will be. */
export function hold(name: string, settled: () => void): Release | undefined {
  const release = ask(name, settled, settled);
  if (!release) settled();
  return release;
}

/** Calls `gone` once the lock `name`, which another holds, is free. */
export function watch(name: string, gone: () => void): Release | undefined {
  return ask(name, gone, () => undefined);
}

/** Whether someone who shares locks with this context holds the lock `name`: other origins have locks of their own. */
export async function isHeld(name: string): Promise<boolean> {
  try {
    const { held } = await manager()!.query();
    return held!.some((lock) => lock.name === name);
  } catch {
    return false;
  }
}
