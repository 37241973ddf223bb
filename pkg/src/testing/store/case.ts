/** What the cases of stores share: a store to work on, steps to write, and the end of it. */

import type { Append, StorageDriver, Store } from "../../contract/store";
import { bounded, ok, same } from "../check";
import type { StoreCase } from "../types";

/** Bytes that tell which they are: no two of different `seed` are alike. */
export function bytes(seed: number, length = 24): Uint8Array {
  const made = new Uint8Array(length);
  let state = (seed + 1) * 2_654_435_761;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    made[at] = state >>> 24;
  }
  return made;
}

/** A step with a record of its own. */
export function step(seed: number, bodies: unknown[] = [], chunk = -1, headers?: Append["headers"]): Append {
  return { record: bytes(seed), bodies, chunk, ...(headers && { headers }) };
}

/** Appends without reading; the number. */
export async function put(store: Store, given: Append, strict = false): Promise<number> {
  const number = await bounded(store.append(0, () => given, strict), "the append");
  ok(Number.isSafeInteger(number) && number >= 1, `a number is a whole number from 1, not ${number}`);
  return number;
}

/** Appends so many records, one by one. */
export async function fill(store: Store, count: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let at = 0; at < count; at += 1) numbers.push(await put(store, step(at, [at])));
  return numbers;
}

/** The bodies at one key. */
export async function bodiesAt(store: Store, number: number, part: number): Promise<unknown[] | undefined> {
  const values = await bounded(store.values([number, part]), "the values");
  same(values.length, 1, "values answers one value a key");
  return values[0]?.bodies;
}

/** What a case has to work with. */
export interface World {
  driver: StorageDriver;
  store: Store;
  /** Another store of the same driver. */
  open(driver?: StorageDriver): Promise<Store>;
  make(): Promise<StorageDriver>;
}

function made(name: string, body: (world: World) => Promise<void>): StoreCase {
  return {
    name,
    async run(make) {
      const open: Store[] = [];
      const driver = await make();
      const opened = async (of = driver): Promise<Store> => {
        const store = await bounded(of.open(), "the store opens");
        open.push(store);
        return store;
      };
      try {
        await body({ driver, store: await opened(), open: opened, make });
      } finally {
        for (const store of open) store.close();
      }
    },
  };
}

/** A case of one store on a new storage. Whatever it opens is closed at its end. */
export const storeCase = made;

/** A case of several stores that work beside each other. */
export const peersCase = (name: string, body: (world: World) => Promise<void>): StoreCase => ({ ...made(name, body), peers: true });
