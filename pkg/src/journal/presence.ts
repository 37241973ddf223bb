/**
 * Presence by Web Locks: a peer holds a lock of its name. It is free a few milliseconds after its worker, tab or renderer
 * died, with no message and no heartbeat; a page that is frozen holds it still. Locks and IndexedDB have the same borders:
 * whoever shares a database with a peer shares its locks.
 */

import type { Presence } from "../contract/store";

/** Where the locks do not answer for so long, nobody can see this peer. */
const PATIENCE_MS = 10_000;

interface Manager {
  request(name: string, options: { mode?: "shared"; signal?: AbortSignal }, held: () => unknown): Promise<unknown>;
  query(): Promise<{ held?: { name?: string; mode?: string }[] }>;
}

/** The platform's locks, where it has any. */
export const manager = (): Manager | undefined => (globalThis as { navigator?: { locks?: Manager } }).navigator?.locks;
/** In `localStorage`, which a page can still write to as it goes: the names of those that left in good order, the last of them. */
const NOTES = "posthaste:left";
const NOTES_MAX = 64;
const notes = (): string[] => localStorage.getItem(NOTES)?.split(" ") ?? [];
const lockName = (peer: number): string => `posthaste:peer:${peer}`;

export const presence: Presence = {
  fleeting: "ServiceWorkerGlobalScope" in globalThis,

  show: (peer) =>
    new Promise((resolve) => {
      let end!: () => void;
      const until = new Promise<void>((over) => (end = over));
      const unseen = (): void => {
        clearTimeout(timer);
        end();
        resolve(undefined);
      };
      const timer = setTimeout(unseen, PATIENCE_MS);
      const asked = manager()?.request(lockName(peer), {}, () => {
        clearTimeout(timer);
        resolve(end);
        return until;
      });
      // A frame in a sandbox has no right to locks.
      if (asked) asked.catch(unseen);
      else unseen();
    }),

  async lives(peer) {
    try {
      const { held } = await manager()!.query();
      // Whoever watches it may have its lock for a moment, shared.
      return held!.some(({ name, mode }) => name === lockName(peer) && mode === "exclusive");
    } catch {
      return true;
    }
  },

  watch(peer, gone) {
    const asking = new AbortController();
    manager()?.request(lockName(peer), { mode: "shared", signal: asking.signal }, gone).catch(() => undefined);
    return () => asking.abort();
  },

  note(peers) {
    try {
      localStorage.setItem(NOTES, [...new Set([...notes(), ...peers.map(String)])].slice(-NOTES_MAX).join(" "));
    } catch {
      // There is none here, or it is full: its end looks sudden.
    }
  },

  noted(peer) {
    try {
      return notes().includes(String(peer));
    } catch {
      return false;
    }
  },

  onLeave(leave, back) {
    if (typeof document === "undefined") return () => undefined;
    // Firefox has been seen to end one listener of a page that is closed in the middle of its work, and to call the next as ever.
    const again = (): void => leave();
    for (const one of [leave, again]) addEventListener("pagehide", one);
    addEventListener("pageshow", back);
    return () => {
      for (const one of [leave, again]) removeEventListener("pagehide", one);
      removeEventListener("pageshow", back);
    };
  },
};
