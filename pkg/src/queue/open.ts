/** Opening queues: one journal a storage and context, shared by every queue opened there. */

import type { Backing } from "../journal/backend";
import { BACKLOG, METRICS, REMOVE } from "../engine/codes";
import type { Handle } from "../engine/effects";
import { loadEngine } from "../engine/load";
import { IndexedDbStore, databaseExists } from "../journal/indexeddb";
import { notSupported, platformError, publicError, show } from "../contract/errors";
import type { Journal } from "../journal/journal";
import { LocalBacking } from "../journal/local";
import { MemoryJournal } from "../journal/memory";
import { object, openingOptions, queueName, storageOption, systemClock, type CheckedStorage,
  type PolicyOptions } from "../contract/options";
import { agree } from "../contract/policy";
import { portOf } from "../port/event-port";
import { loadPorts, loadWith } from "../port/registry";
import { OpenedQueue } from "./queue";
import { servingOf } from "./serve";
import type { StorageDriver, Store } from "../contract/store";
import { StoredJournal } from "../journal/durable";
import type { Clock, Queue, QueueInfo, QueueOptions, StorageOption, Topic, TopicOptions } from "../contract/types";

const DATABASE = "posthaste";
/** Each time others have deleted what was made. */
const TRIES = 8;

/** A driver of the package's own whose queues are kept elsewhere: it says itself what is behind one. */
type Elsewhere = StorageDriver & { "~backing"?: () => Promise<Backing> };

interface Opened {
  journal: Promise<Journal>;
  users: number;
  storage: CheckedStorage;
  clock: Clock;
}

const opened = new Set<Opened>();

loadWith(() => import("../ports"));

async function openStore(storage: "indexeddb" | StorageDriver): Promise<Store> {
  if (storage !== "indexeddb") return storage.open();
  if (!globalThis.indexedDB)
    throw platformError("NotSupportedError",
      `storage "indexeddb" needs IndexedDB, which is not here: Node and Bun have fileStorage of posthaste/node, Deno has posthaste/deno, Workers have posthaste/cloudflare`);
  try {
    return await IndexedDbStore.open(DATABASE);
  } catch (error) {
    throw publicError(error);
  }
}

async function openJournal(storage: CheckedStorage, clock: Clock): Promise<Journal> {
  await loadEngine();
  if (storage === "memory") return new MemoryJournal(clock);
  const journal = new StoredJournal(await openStore(storage), clock, () => openStore(storage));
  await journal.fresh();
  return journal;
}

function entryOf(storage: CheckedStorage, clock: Clock): Opened {
  for (const entry of opened) if (entry.storage === storage && entry.clock === clock) return entry;
  const entry = { journal: openJournal(storage, clock), users: 0, storage, clock };
  opened.add(entry);
  return entry;
}

/** Whether there are messages in it. */
function holds(journal: Journal): boolean {
  return journal.names().some((name) => backlogOf(journal, name) > 0);
}

/** How many messages are in it. */
function backlogOf({ peer }: Journal, name: string): number {
  return peer.numbers(BACKLOG, peer.queue(name))[0];
}

/** The journal of that storage; whoever asks must give it back. */
async function borrow(storage: CheckedStorage, clock = systemClock): Promise<{ journal: Journal; release: () => Promise<void> }> {
  const entry = entryOf(storage, clock);
  entry.users += 1;
  const release = async (): Promise<void> => {
    entry.users -= 1;
    const journal = await entry.journal;
    // What is in memory outlives the last one who has it open. A clock of its own would never be asked for again: with it goes what is empty.
    const stays = entry.users > 0 || (storage === "memory" && (clock === systemClock || holds(journal)));
    if (!stays && opened.delete(entry)) await journal.close();
  };
  try {
    const journal = await entry.journal;
    if (!journal.closed) return { journal, release };
    opened.delete(entry);
  } catch (error) {
    opened.delete(entry);
    throw publicError(error);
  }
  return borrow(storage, clock);
}

/** Opens the queue `name`, and makes it where it is new. */
export async function openQueue<Body = unknown>(name: string, options: QueueOptions<Body> = {}): Promise<Queue<Body>> {
  const { storage, policy, signal } = openingOptions(name, options);
  if (options.port !== undefined) return openClient<Body>(name, options, policy, signal);
  const elsewhere = (storage as Elsewhere)["~backing"];
  if (elsewhere) return new OpenedQueue<Body>(name, await elsewhere(), options) as Queue<Body>;
  const { journal, release } = await borrow(storage, options.clock);
  try {
    signal?.throwIfAborted();
    const handle = await handleOf(journal, name, policy);
    signal?.throwIfAborted();
    if (options.durability === "strict" && journal instanceof StoredJournal) journal.strict = true;
    const backing = new LocalBacking(journal, handle, consumingLock(storage, name), release);
    return new OpenedQueue<Body>(name, backing, options, servingOf(backing)) as Queue<Body>;
  } catch (error) {
    await release();
    throw publicError(error);
  }
}

/** The queue that the context at the other end of the port serves. */
async function openClient<Body>(
  name: string,
  options: QueueOptions<Body>,
  policy: PolicyOptions,
  signal: AbortSignal | undefined,
): Promise<Queue<Body>> {
  const port = portOf(options);
  const { connect } = await loadPorts();
  const backing = await connect(name, port, options.clock ?? systemClock, policy, signal);
  return new OpenedQueue<Body>(name, backing, options) as Queue<Body>;
}

async function handleOf(journal: Journal, name: string, policy: PolicyOptions): Promise<Handle> {
  await journal.fresh();
  // Whoever deletes it meanwhile, or another one that makes it: what is there now counts, and from here on nothing is awaited.
  const { deadLetterQueue } = policy;
  const explicit = policy.givenDeadLetterQueue || Array.from(policy.given).some(Boolean);
  let id = journal.peer.queue(name);
  for (let tries = 0; id < 0 || (explicit && journal.isKeeper(id)); tries += 1) {
    if (tries === TRIES)
      throw platformError("InvalidStateError", `the queue ${show(name)} can't be made: it is not there after ${TRIES} tries`);
    if (id < 0) await journal.create(name, policy.numbers, deadLetterQueue);
    else await journal.adopt(id, name, policy.numbers, deadLetterQueue);
    id = journal.peer.queue(name);
  }
  const current = [...journal.policyOf(id)];
  agree(name, current, journal.lettersOf(id), (at) => (policy.given[at] ? policy.numbers[at] : NaN),
    policy.givenDeadLetterQueue ? policy.deadLetterQueue ?? null : undefined);
  const known = journal.handles.get(name);
  if (known) {
    [known.policy, known.deadLetterQueue] = [current, journal.lettersOf(id)];
    journal.opened(known, id);
    return known;
  }
  const handle: Handle = {
    name,
    id,
    policy: current,
    packs: journal.kind === "memory",
    deadLetterQueue: journal.lettersOf(id),
    onlookers: new Set(),
    ready: undefined,
  };
  journal.opened(handle, id);
  return handle;
}

const lockName = (name: string): string => `posthaste:consume:${DATABASE}:${name}`;

/** While a context receives from a durable queue it holds a shared lock, so that others do not delete the queue under it. */
function consumingLock(storage: CheckedStorage, name: string): { hold: () => void; release: () => void } {
  const locks = storage === "indexeddb" && typeof navigator !== "undefined" ? navigator.locks : undefined;
  let end: (() => void) | undefined;
  return {
    hold() {
      if (!locks || end) return;
      const held = new Promise<void>((resolve) => (end = resolve));
      locks.request(lockName(name), { mode: "shared" }, () => held).catch(() => undefined);
    },
    release() {
      end?.();
      end = undefined;
    },
  };
}

/** In memory, queues with a clock of their own have a journal of their own; elsewhere any journal of the storage has all of them. */
function clocksOf(storage: CheckedStorage): Clock[] {
  const clocks = [...opened].filter((entry) => entry.storage === storage).map(({ clock }) => clock);
  return storage === "memory" ? [...new Set([systemClock, ...clocks])] : [clocks[0] ?? systemClock];
}

/** Names, storage and depth of every queue kept in this storage. */
export async function listQueues(options: { storage?: StorageOption } = {}): Promise<QueueInfo[]> {
  object("options", options);
  const storage = storageOption(options.storage);
  await loadEngine();
  if (storage === "indexeddb" && !(await databaseExists(DATABASE))) return [];
  const infos: QueueInfo[] = [];
  for (const clock of clocksOf(storage)) {
    const { journal, release } = await borrow(storage, clock);
    try {
      await journal.fresh();
      for (const name of journal.names())
        infos.push({ name, kind: "queue", storage: journal.kind, backlogCount: backlogOf(journal, name) });
    } finally {
      await release();
    }
  }
  return infos;
}

/**
 * Deletes a queue and everything in it; in memory, every queue of that name, whatever its clock. Rejects with `InvalidStateError` while
 * a context consumes it, unless `force`.
 */
export async function deleteQueue(name: string, options: { storage?: StorageOption; force?: boolean } = {}): Promise<void> {
  queueName(name);
  object("options", options);
  const storage = storageOption(options.storage);
  let found = options.force === true;
  let kind = "";
  for (const clock of clocksOf(storage)) {
    const { journal, release } = await borrow(storage, clock);
    ({ kind } = journal);
    try {
      found = (await removeFrom(journal, name, options.force === true)) || found;
    } finally {
      await release();
    }
  }
  if (!found) throw platformError("NotFoundError", `there is no queue ${show(name)} in storage ${show(kind)}`);
}

/** False: there is no such queue. */
async function removeFrom(journal: Journal, name: string, force: boolean): Promise<boolean> {
  const remove = async (consumed: () => boolean): Promise<boolean> => {
    await journal.fresh();
    const id = journal.peer.queue(name);
    if (id < 0) return false;
    const { leased } = journal.peer.show(METRICS, id, journal.now()) as { leased: number };
    if (!force && (leased > 0 || consumed())) {
      throw platformError("InvalidStateError",
        `the queue ${show(name)} is being consumed: stop its consumers first, or pass { force: true }`);
    }
    await journal.request((peer, token) => peer.command(REMOVE, token, id));
    return true;
  };
  const locks = typeof navigator === "undefined" || journal.kind !== "indexeddb" ? undefined : navigator.locks;
  if (force || !locks) return remove(() => [...(journal.handles.get(name)?.onlookers ?? [])].some((onlooker) => onlooker.consuming));
  // Held until the queue is gone: who begins to consume it meanwhile waits, and finds it gone.
  return locks.request(lockName(name), { ifAvailable: true }, (lock) => remove(() => !lock));
}

/** Topics come in a later version. */
export function openTopic<Body = unknown>(_name: string, _options?: TopicOptions<Body>): Promise<Topic<Body>> {
  return Promise.reject(notSupported("openTopic"));
}
