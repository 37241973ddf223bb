/**
 * What IndexedDB does, as far as the Rust store builds on it: the same cases pass in Chromium, Firefox and WebKit, and in the
 * simulator's own. Each is given a context's globals and the assertions of `browser/pages/check.mjs`.
 */

let made = 0;
const fresh = () => `case ${(made += 1)}`;

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });

/** "complete" or "abort", and with which error. */
const ended = (transaction) =>
  new Promise((resolve) => {
    transaction.oncomplete = () => resolve("complete");
    transaction.onabort = () => resolve(`abort: ${transaction.error?.name ?? null}`);
  });

/** A connection to a database with one object store of generated keys. */
async function opened(world, name = fresh()) {
  const request = world.indexedDB.open(name);
  request.onupgradeneeded = () => request.result.createObjectStore("store", { autoIncrement: true });
  return settled(request);
}

function begin(database, mode = "readwrite") {
  const transaction = database.transaction("store", mode);
  return { transaction, store: transaction.objectStore("store") };
}

/** Makes requests in a transaction of their own; answers their results after its end. */
async function done(database, work, mode) {
  const { transaction, store } = begin(database, mode);
  const requests = work(store);
  const how = await ended(transaction);
  if (how !== "complete") throw new Error(how);
  return requests.map((request) => request.result);
}

const thrown = (call) => {
  try {
    return `nothing: ${call()}`;
  } catch (error) {
    return error.name;
  }
};

const keysAndRanges = {
  async "keys: numbers, dates, strings, bytes, arrays, each in its order"(world) {
    const database = await opened(world);
    const keys = [[], [1], [1, 0], [1, 2], [2], ["a"], new Uint8Array([1]).buffer, "", "a", "b", new Date(5), -Infinity, -3, 0, 1.5, 2,
      Infinity];
    await done(database, (store) => keys.map((key) => store.put(0, key)));
    const [found] = await done(database, (store) => [store.getAllKeys()]);
    const expected = [-Infinity, -3, 0, 1.5, 2, Infinity, new Date(5), "", "a", "b", new Uint8Array([1]).buffer, [], [1], [1, 0], [1, 2], [
      2,
    ], ["a"]];
    world.same(found, expected);
  },
  async "ranges: both ends, one, a limit, and what is no range"(world) {
    const { IDBKeyRange } = world;
    const database = await opened(world);
    await done(database, (store) => [1, 2, 3, 4, [1, 0], [1, 1], [2, 0], [3, 7]].map((key) => store.put(`at ${key}`, key)));
    const found = await done(database, (store) => [
      store.getAllKeys(IDBKeyRange.bound(2, 3)),
      store.getAll(IDBKeyRange.bound(2, Infinity), 2),
      store.getAllKeys(IDBKeyRange.bound([1], [2, []])),
      store.getAllKeys(3, 1),
      store.get(9),
      store.getKey(IDBKeyRange.lowerBound(2, true)),
      store.count(IDBKeyRange.upperBound(3, true)),
      store.getAll(IDBKeyRange.only(4)),
    ]);
    world.same(found, [[2, 3], ["at 2", "at 3"], [[1, 0], [1, 1], [2, 0]], [3], undefined, 3, 2, ["at 4"]]);
    world.same([thrown(() => IDBKeyRange.bound(2, 1)), thrown(() => IDBKeyRange.bound(1, {})), thrown(() => IDBKeyRange.only(NaN))],
      Array(3).fill("DataError"));
  },
  async "delete takes a whole range, and nothing beside it"(world) {
    const database = await opened(world);
    await done(database, (store) => [1, 2, 3, 4, [1, 0], [2, 0], [4, 0]].map((key) => store.put(0, key)));
    const range = world.IDBKeyRange;
    await done(database, (store) => [store.delete(range.bound(2, 3)), store.delete(range.bound([1], [2, []])), store.delete(77)]);
    world.same(await done(database, (store) => [store.getAllKeys()]), [[1, 4, [4, 0]]]);
  },
  async "generated keys go on after the largest, and are never given again"(world) {
    const database = await opened(world);
    const put = async (...keys) => done(database, (store) => keys.map((key) => store.put(0, key)));
    world.same(await put(undefined, undefined), [1, 2]);
    await done(database, (store) => [store.delete(2), store.delete(1)]);
    world.same(await put(undefined), [3], "after deletions");
    world.same(await put(-5, 0, 2, [99], "100", undefined), [-5, 0, 2, [99], "100", 4], "smaller numbers and other keys move nothing");
    world.same(await put(10.5, undefined), [10.5, 11], "after a larger number");
    await done(database, (store) => [store.clear()]);
    world.same(await put(undefined), [12], "after clear");
  },
  async "numbers of a transaction that was aborted are given again"(world) {
    const database = await opened(world);
    await done(database, (store) => [store.put(0)]);
    const { transaction, store } = begin(database);
    world.same(await settled(store.put(0)), 2);
    const end = ended(transaction);
    transaction.abort();
    await end;
    world.same(await done(database, (store) => [store.put(0)]), [2]);
  },
};

const values = {
  async "a value is copied at the call, and for each reader"(world) {
    const database = await opened(world);
    const value = { list: [1], bytes: new Uint8Array([1, 2, 3]) };
    await done(database, (store) => {
      const request = store.put(value, 1);
      value.list.push(2);
      value.bytes[0] = 9;
      return [request];
    });
    const [one, two] = await done(database, (store) => [store.get(1), store.get(1)]);
    world.same(one, { list: [1], bytes: new Uint8Array([1, 2, 3]) });
    one.list.push("mine");
    world.same(two.list, [1]);
  },
  async "what can't be cloned throws at the call, and the transaction goes on"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const names = [() => {}, Symbol("s"), { deep: [() => {}] }, new WeakMap()].map((value) => thrown(() => store.put(value)));
    world.same(names, Array(4).fill("DataCloneError"));
    world.same(thrown(() =>
      store.put({
        get broken() {
          throw new RangeError("mine");
        },
      })
    ), "RangeError");
    const put = store.put("fine");
    world.same(await ended(transaction), "complete");
    world.same(put.result, 1);
  },
  async "what a value's getter does can't use the transaction"(world) {
    const database = await opened(world);
    const { store } = begin(database);
    world.same(thrown(() =>
      store.put({
        get sly() {
          return store.put(1);
        },
      })
    ), "TransactionInactiveError");
  },
  async "what is no key throws at the call"(world) {
    const database = await opened(world);
    const { store } = begin(database);
    const cyclic = [];
    cyclic.push(cyclic);
    world.same([NaN, {}, true, cyclic, [undefined]].map((key) => thrown(() => store.put(0, key))), Array(5).fill("DataError"));
    world.same([thrown(() => store.get(undefined)), thrown(() => store.delete(null))], ["DataError", "DataError"]);
  },
};

const lives = {
  async "requests are answered in their order"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const heard = [];
    for (const request of [store.put("a"), store.get(1), store.delete(1), store.get(1), store.count()]) {
      request.onsuccess = () => heard.push(request.result);
    }
    transaction.oncomplete = () => heard.push("complete");
    await world.event(transaction, "complete");
    world.same(heard, [1, "a", undefined, undefined, 0, "complete"]);
  },
  async "before it is done a request has no result"(world) {
    const database = await opened(world);
    const request = begin(database).store.put(0);
    world.same([request.readyState, thrown(() => request.result), thrown(() => request.error)], ["pending", "InvalidStateError",
      "InvalidStateError"]);
    await settled(request);
    world.same([request.readyState, request.result, request.error], ["done", 1, null]);
  },
  async "a transaction lives while its requests' promises go on, and commits by itself"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const end = ended(transaction);
    await settled(store.put("a"));
    await Promise.resolve().then(() => {}).then(() => {});
    await settled(store.put("b"));
    world.same(await end, "complete");
    world.same([thrown(() => store.put("c")), thrown(() => transaction.objectStore("store"))], ["TransactionInactiveError",
      "InvalidStateError"]);
    world.same([thrown(() => transaction.abort()), thrown(() => transaction.commit())], ["InvalidStateError", "InvalidStateError"]);
  },
  async "in another task it is not active"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const end = ended(transaction);
    // Kept alive, but not in this task.
    let going = true;
    const keep = () => {
      if (going) store.get(1).onsuccess = keep;
    };
    keep();
    const name = await new Promise((resolve) => setTimeout(() => resolve(thrown(() => store.put(1)))));
    going = false;
    world.same([name, await end], ["TransactionInactiveError", "complete"]);
  },
  async "a transaction without requests completes"(world) {
    const database = await opened(world);
    world.same(await ended(begin(database).transaction), "complete");
    world.same(await ended(begin(database, "readonly").transaction), "complete");
  },
  async "commit: no more requests, and the answers come before the end"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const heard = [];
    store.put("a").onsuccess = () => heard.push("put");
    store.get(1).onsuccess = () => heard.push("get");
    transaction.commit();
    world.same([thrown(() => store.put("b")), thrown(() => transaction.abort()), thrown(() => transaction.commit())], [
      "TransactionInactiveError",
      "InvalidStateError",
      "InvalidStateError",
    ]);
    world.same([await ended(transaction), ...heard], ["complete", "put", "get"]);
  },
  async "abort: every request that has no answer gets an error, and nothing stays"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const heard = [];
    const first = store.put("a");
    first.onsuccess = () => {
      heard.push("first");
      for (const request of [store.put("b"), store.get(1)]) request.onerror = () => heard.push(request.error.name);
      transaction.abort();
    };
    const end = ended(transaction);
    world.same([await end, ...heard], ["abort: null", "first", "AbortError", "AbortError"]);
    world.same(await done(database, (store) => [store.count()]), [0]);
  },
  async "an error that nobody takes ends the transaction; it bubbles up"(world) {
    const database = await opened(world);
    await done(database, (store) => [store.put("there", 1)]);
    const { transaction, store } = begin(database);
    const heard = [];
    store.put("goes", 2);
    const add = store.add("twice", 1);
    add.onerror = () => heard.push("request");
    transaction.addEventListener("error", () => heard.push("transaction"));
    database.onerror = (event) => heard.push(event.target === add ? "database" : "odd");
    world.same([await ended(transaction), ...heard], ["abort: ConstraintError", "request", "transaction", "database"]);
    world.same(await done(database, (store) => [store.getAll()]), [["there"]]);
  },
  async "an error that is taken ends nothing"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    store.put("there", 1);
    const add = store.add("twice", 1);
    add.onerror = (event) => event.preventDefault();
    world.same(await ended(transaction), "complete");
    world.same([add.error.name, await done(database, (store) => [store.getAll()])], ["ConstraintError", [["there"]]]);
  },
  async "an error after commit was asked for undoes it"(world) {
    const database = await opened(world);
    await done(database, (store) => [store.put("there", 1)]);
    const { transaction, store } = begin(database);
    store.put("goes", 2);
    store.add("twice", 1);
    transaction.commit();
    const how = await ended(transaction);
    // Firefox does not say why; WebKit completes it, with the request failed.
    world.ok(how.startsWith("abort: ") || world.webkit, how);
  },
  async "modes, stores and durability are checked at the call"(world) {
    const database = await opened(world);
    const { store } = begin(database, "readonly");
    world.same([thrown(() => store.put(1)), thrown(() => store.delete(1)), thrown(() => store.clear())], Array(3).fill("ReadOnlyError"));
    world.same([thrown(() => database.transaction("none")), thrown(() => database.transaction([]))], ["NotFoundError",
      "InvalidAccessError"]);
    world.same([thrown(() => database.transaction("store", "versionchange")), thrown(() => database.createObjectStore("more"))], [
      "TypeError",
      "InvalidStateError",
    ]);
    const durability = (options) => database.transaction("store", "readwrite", options).durability;
    const found = [durability(), durability({ durability: "strict" }), durability({ durability: "relaxed" })];
    if (found[0] !== undefined) world.same(found, ["default", "strict", "relaxed"]);
  },
};

const neighbours = {
  async "writers of two connections take turns in the order they were made"(world) {
    const one = await opened(world);
    const two = await opened(world, one.name);
    const order = [];
    const increment = (database, what) => {
      const { transaction, store } = begin(database);
      const asked = store.get("n");
      asked.onsuccess = () => store.put((asked.result ?? 0) + 1, "n");
      return ended(transaction).then(() => order.push(what));
    };
    await Promise.all([increment(one, 1), increment(two, 2), increment(one, 3), increment(two, 4), increment(two, 5), increment(one, 6)]);
    world.same([order, await done(one, (store) => [store.get("n")])], [[1, 2, 3, 4, 5, 6], [6]]);
  },
  async "readers share; a writer waits for readers before it, and readers for a writer before them"(world) {
    const one = await opened(world);
    const two = await opened(world, one.name);
    const heard = [];
    const [early, beside] = [begin(one, "readonly"), begin(two, "readonly")];
    let held = true;
    const hold = () => {
      if (held) early.store.get(1).onsuccess = hold;
    };
    hold();
    const besides = settled(beside.store.count()).then((count) => heard.push(["beside", count]));
    const writer = begin(two);
    const wrote = settled(writer.store.put("w", 1)).then(() => heard.push("writer"));
    const late = settled(begin(one, "readonly").store.count()).then((count) => heard.push(["late", count]));
    await besides;
    await world.turn();
    heard.push("let go");
    held = false;
    await Promise.all([wrote, late]);
    world.same(heard, [["beside", 0], "let go", "writer", ["late", 1]]);
  },
  async "nobody sees what is not committed"(world) {
    const one = await opened(world);
    const two = await opened(world, one.name);
    const { transaction, store } = begin(one);
    const end = ended(transaction);
    await settled(store.put("goes", 1));
    const seen = done(two, (store) => [store.getAll()], "readonly");
    await settled(store.put("goes, too", 2));
    transaction.abort();
    world.same([await end, await seen], ["abort: null", [[]]]);
  },
};

const connections = {
  async "close lets what is under way end, and begins nothing more"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const put = store.put("a");
    database.close();
    world.same(thrown(() => database.transaction("store")), "InvalidStateError");
    put.onsuccess = () => store.put("b");
    world.same(await ended(transaction), "complete");
    world.same(await done(await opened(world, database.name), (store) => [store.getAll()]), [["a", "b"]]);
  },
  async "deleteDatabase asks others to close, and waits for none that does"(world) {
    const database = await opened(world);
    const heard = [];
    database.onversionchange = (event) => {
      heard.push([event.oldVersion, event.newVersion]);
      database.close();
    };
    const request = world.indexedDB.deleteDatabase(database.name);
    request.onblocked = () => heard.push("blocked");
    request.addEventListener("success", (event) => heard.push([event.oldVersion, event.newVersion]));
    world.same([await settled(request), heard], [undefined, [[1, null], [1, null]]]);
  },
  async "deleteDatabase is blocked by who stays"(world) {
    const database = await opened(world);
    const heard = [];
    database.onversionchange = () => heard.push("versionchange");
    const request = world.indexedDB.deleteDatabase(database.name);
    request.onblocked = (event) => {
      heard.push(`blocked ${event.oldVersion} ${event.newVersion}`);
      database.close();
    };
    await settled(request);
    world.same(heard, ["versionchange", "blocked 1 null"]);
  },
  async "deleteDatabase waits for what a closed connection has under way"(world) {
    const database = await opened(world);
    const { transaction, store } = begin(database);
    const heard = [];
    const end = ended(transaction).then((how) => heard.push(how));
    store.put("a").onsuccess = () => {
      store.put("b").onsuccess = () => store.put("c");
    };
    database.close();
    const deleted = settled(world.indexedDB.deleteDatabase(database.name)).then(() => heard.push("deleted"));
    await Promise.all([end, deleted]);
    world.same(heard, ["complete", "deleted"]);
  },
  async "what was deleted is made anew, with keys from 1"(world) {
    const database = await opened(world);
    await done(database, (store) => [store.put(0), store.put(0)]);
    database.close();
    await settled(world.indexedDB.deleteDatabase(database.name));
    await settled(world.indexedDB.deleteDatabase(`${database.name}, which never was`));
    const anew = await opened(world, database.name);
    world.same(await done(anew, (store) => [store.count(), store.put(0)]), [0, 1]);
  },
  async "what is asked of one database is done in the order it was asked"(world) {
    const database = await opened(world);
    database.close();
    const heard = [];
    const first = opened(world, database.name).then((own) => {
      heard.push("first");
      own.close();
    });
    const deleted = settled(world.indexedDB.deleteDatabase(database.name)).then(() => heard.push("deleted"));
    const second = world.indexedDB.open(database.name);
    second.onupgradeneeded = () => heard.push("made anew");
    await Promise.all([first, deleted, settled(second).then(() => heard.push("second"))]);
    world.same(heard, ["first", "deleted", "made anew", "second"]);
  },
  async "an upgrade asks others to close, and is blocked by who stays"(world) {
    const [one, two] = [await opened(world)];
    const heard = [];
    one.onversionchange = (event) => heard.push(["versionchange", event.oldVersion, event.newVersion]);
    const request = world.indexedDB.open(one.name, 3);
    request.onblocked = () => {
      heard.push("blocked");
      one.close();
    };
    request.onupgradeneeded = (event) => heard.push(["upgrade", event.oldVersion, event.newVersion, request.transaction.mode]);
    const upgraded = await settled(request);
    world.same(heard, [["versionchange", 1, 3], "blocked", ["upgrade", 1, 3, "versionchange"]]);
    world.same([upgraded.version, [...upgraded.objectStoreNames], request.transaction, two], [3, ["store"], null, undefined]);
    await world.fails(settled(world.indexedDB.open(one.name, 2)), "VersionError");
    const plain = await settled(world.indexedDB.open(one.name));
    world.same(plain.version, 3);
  },
  async "an upgrade that is aborted leaves nothing behind"(world) {
    const name = fresh();
    const request = world.indexedDB.open(name);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("store");
      request.transaction.abort();
    };
    await world.fails(settled(request), "AbortError");
    world.same(request.transaction, null);
    // WebKit lists it until it looks on the disk again.
    if (world.indexedDB.databases && !world.webkit)
      world.ok(!(await world.indexedDB.databases()).some((found) => found.name === name), "it is not listed");
    const again = world.indexedDB.open(name);
    again.onupgradeneeded = (event) => world.same([event.oldVersion, [...again.result.objectStoreNames]], [0, []]);
    await settled(again);
  },
  async "what an upgrade writes is there, and others wait for it"(world) {
    const name = fresh();
    const request = world.indexedDB.open(name);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore("store", { autoIncrement: true });
      store.put("header", 0);
      world.same([store.autoIncrement, store.keyPath, thrown(() => request.result.transaction("store"))], [true, null,
        "InvalidStateError"]);
    };
    const [made, second] = await Promise.all([settled(request), opened(world, name)]);
    world.same(await done(second, (store) => [store.get(0), store.put(0)]), ["header", 1]);
    made.close();
    const listed = await world.indexedDB.databases?.();
    if (listed) world.same(listed.filter((found) => found.name === name), [{ name, version: 1 }]);
  },
};

export const cases = { ...keysAndRanges, ...values, ...lives, ...neighbours, ...connections };
