/**
 * One process at a time has the journal of a folder. Who has it has a file there, `lock.<pid>.<process>.<random>`, and
 * touches it every second.
 *
 * Everyone makes a file of a name that nobody else ever has, and looks then who else has one. Of two who ask at a time at
 * least one sees the other, and a file is only removed by whoever made it, or for one who is dead: nobody can take a lock
 * away from the wrong one. Pids are used again, so the name tells the process apart: by boot, pid namespace and start, where
 * the system says these (Linux). Of a process that can't be seen from here (in another container, on another machine),
 * and of another thread of this one, only the touch of its file tells that it lives.
 */

import { closeSync, existsSync, openSync, readFileSync, readdirSync, readlinkSync, statSync, unlinkSync, utimesSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { checksum } from "./layout";

const TOUCH_MS = 1_000;
/** One whose file is not touched for so long is dead. */
const DEAD_MS = 10_000;
/** Whoever is closing it, or asking at the same time, gets so many chances to go away. */
const TRIES = 8;
const PAUSE_MS = 20;
/** Where to see whether it lives took so long, that was chance enough. */
const PATIENCE_MS = 500;
const NAME = /^lock\.(\d+)\.([0-9a-f]+)-(\d+)\.[0-9a-z]+$/;

/** The locks of this process, to be removed when it ends. */
const held = new Set<string>();
let listens = false;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function said(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** The state of a process, and when it began, in ticks since the machine did; undefined where the system does not say. */
function processOf(pid: number): { state: string; start: string } | undefined {
  // The name, in brackets, may hold anything.
  const stat = said(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.length > 19 ? { state: fields[0], start: fields[19] } : undefined;
}

/** The boot and the namespace in which a pid means a process; where the system does not say them, the machine. */
function world(): string {
  const boot = said(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  const pids = said(() => readlinkSync("/proc/self/ns/pid"));
  return checksum(Buffer.from(`${hostname()} ${boot} ${pids}`)).toString(16);
}

interface Holder {
  file: string;
  pid: number;
  world: string;
  start: string;
}

function others(folder: string, own: string): Holder[] {
  return readdirSync(folder).flatMap((name) => {
    const [, pid, world, start] = NAME.exec(name) ?? [];
    return pid === undefined || name === own ? [] : [{ file: path.join(folder, name), pid: Number(pid), world, start }];
  });
}

/** Whether a process of this world lives. */
function lives({ pid, start }: Holder): boolean {
  const known = processOf(pid);
  // One that is dead but not yet waited for by its parent has its pid still.
  if (known && start !== "0") return known.start === start && !"ZX".includes(known.state);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

const touched = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Whether someone touches that file. `own` was made just now, by the same clock. */
async function isTouched({ file }: Holder, own: string): Promise<boolean> {
  const before = touched(file);
  if (Math.abs(touched(own) - before) > DEAD_MS) return false;
  for (let waited = 0; waited < DEAD_MS; waited += TOUCH_MS / 4) {
    await pause(TOUCH_MS / 4);
    const now = touched(file);
    if (now !== before) return now !== 0;
  }
  return false;
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // It is gone already.
  }
}

export class Lock {
  private readonly touching: ReturnType<typeof setInterval>;

  private constructor(private readonly file: string) {
    held.add(file);
    this.touching = setInterval(() => {
      // It may be gone: then whoever writes next will see.
      said(() => String(utimesSync(file, new Date(), new Date())));
    }, TOUCH_MS);
    (this.touching as { unref?(): void }).unref?.();
    if (listens) return;
    listens = true;
    process.on("exit", () => held.forEach(remove));
  }

  /** Rejects with `NoModificationAllowedError` when another process has the journal of that folder. */
  static async take(folder: string): Promise<Lock> {
    const [here, began] = [world(), performance.now()];
    for (let tries = 1;; tries += 1) {
      const name = `lock.${process.pid}.${here}-${processOf(process.pid)?.start ?? 0}.${Math.random().toString(36).slice(2)}`;
      const file = path.join(folder, name);
      closeSync(openSync(file, "wx"));
      const lock = new Lock(file);
      let living: Holder | undefined;
      try {
        living = await livingOf(others(folder, name), here, file);
      } catch (error) {
        lock.release();
        throw error;
      }
      if (!living) return lock;
      lock.release();
      if (tries === TRIES || performance.now() - began > PATIENCE_MS) throw refusal(folder, living);
      await pause(PAUSE_MS * (1 + Math.random()));
    }
  }

  /** False: someone took it for dead, or the folder is gone. */
  get holds(): boolean {
    return existsSync(this.file);
  }

  release(): void {
    clearInterval(this.touching);
    held.delete(this.file);
    remove(this.file);
  }
}

function isLiving(holder: Holder, here: string, own: string): boolean | Promise<boolean> {
  if (holder.world !== here) return isTouched(holder, own);
  if (!lives(holder)) return false;
  // Of a thread of this process nobody hears that it was terminated: its file is touched no more.
  return holder.pid !== process.pid || held.has(holder.file) || isTouched(holder, own);
}

/** One of these who lives. The files of those who do not are removed. */
async function livingOf(holders: Holder[], here: string, own: string): Promise<Holder | undefined> {
  for (const holder of holders) {
    if (await isLiving(holder, here, own)) return holder;
    remove(holder.file);
  }
  return undefined;
}

function refusal(folder: string, { file, pid, world: where }: Holder): DOMException {
  const who = pid === process.pid && where === world()
    ? `another thread, or another copy of posthaste, of this process (${pid})`
    : `the process ${pid}${where === world() ? "" : ", of another container or machine,"}`;
  return new DOMException(
    `the queues in ${folder} are open in ${who}: one process at a time can have them. End it, or let it serve them (its lock is ${
      path.basename(file)
    })`,
    "NoModificationAllowedError",
  );
}
