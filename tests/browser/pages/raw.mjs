/** The database as it lies in the browser, read and written behind posthaste's back, for tests of damage and of newer versions. */

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Runs `work` on the journal in one transaction of its own connection. */
async function journal(work) {
  const database = await settled(indexedDB.open("posthaste"));
  try {
    const transaction = database.transaction("journal", "readwrite");
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const value = await work(transaction.objectStore("journal"));
    await done;
    return value;
  } finally {
    database.close();
  }
}

/** A database beside the journal, to see what the platform itself does: puts what `make` makes, and answers what went wrong, if anything. */
export async function rawStore() {
  const opening = indexedDB.open("raw");
  opening.onupgradeneeded = () => opening.result.createObjectStore("values", { autoIncrement: true });
  const database = await settled(opening);
  return async (make) => {
    try {
      await settled(database.transaction("values", "readwrite").objectStore("values").put(make()));
      return undefined;
    } catch (error) {
      return error;
    }
  };
}

/** Every [key, value], in key order. */
export const readJournal = () =>
  journal(async (store) => {
    const [keys, values] = await Promise.all([settled(store.getAllKeys()), settled(store.getAll())]);
    return keys.map((key, at) => [key, values[at]]);
  });

/** Puts a value; without a key the generator gives the next number. */
export const writeJournal = (value, key) => journal((store) => settled(key === undefined ? store.put(value) : store.put(value, key)));

export const removeFromJournal = (key) => journal((store) => settled(store.delete(key)));

/** The bytes with the checksum that every format ends with: XXH32 of all before it, little endian, seed 0. */
export function seal(body) {
  const sealed = new Uint8Array(body.length + 4);
  sealed.set(body);
  new DataView(sealed.buffer).setUint32(body.length, xxh32(body), true);
  return sealed;
}

function xxh32(bytes) {
  const [p1, p2, p3, p4, p5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const turn = (value, by) => (value << by) | (value >>> (32 - by));
  let at = 0;
  let hash;
  if (bytes.length >= 16) {
    const lanes = [(p1 + p2) | 0, p2, 0, -p1];
    for (; at + 16 <= bytes.length; at += 16) {
      lanes.forEach((lane, n) => {
        lanes[n] = Math.imul(turn((lane + Math.imul(view.getUint32(at + 4 * n, true), p2)) | 0, 13), p1);
      });
    }
    hash = turn(lanes[0], 1) + turn(lanes[1], 7) + turn(lanes[2], 12) + turn(lanes[3], 18);
  } else {
    hash = p5;
  }
  hash = (hash + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4) hash = Math.imul(turn((hash + Math.imul(view.getUint32(at, true), p3)) | 0, 17), p4);
  for (; at < bytes.length; at += 1) hash = Math.imul(turn((hash + Math.imul(bytes[at], p5)) | 0, 11), p1);
  hash = Math.imul(hash ^ (hash >>> 15), p2);
  hash = Math.imul(hash ^ (hash >>> 13), p3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
