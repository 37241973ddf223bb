// Counts what a page asks of IndexedDB, by standing in for the methods of its prototypes: how many transactions, how
// many requests, and how many values and message bodies came back. Install it before anything opens a database.

import { countBodies } from "./bodies.js";

const writing = ["put", "add", "delete", "clear"];
const reading = ["get", "getAll", "getKey", "getAllKeys", "getAllRecords", "count", "openCursor", "openKeyCursor"];

/** Zero of everything. `transactions` is all of them, `writes` those that may write. */
function nothing() {
  return { transactions: 0, writes: 0, requests: 0, byKind: {}, values: 0, bodies: 0 };
}

/** Starts to count. `during(work)` counts what one piece of work costs; `stop()` takes the counters out again. */
export function install() {
  let tally = nothing();
  let open = 0;
  let lastEnd = performance.now();
  const undo = [];

  const stand = (prototype, name, seen) => {
    const original = prototype[name];
    if (!original) return;
    prototype[name] = function(...args) {
      const result = original.apply(this, args);
      seen(result, args, name);
      return result;
    };
    undo.push(() => (prototype[name] = original));
  };

  stand(IDBDatabase.prototype, "transaction", (transaction, [, mode]) => {
    tally.transactions += 1;
    if (mode === "readwrite") tally.writes += 1;
    open += 1;
    const ended = () => {
      open -= 1;
      lastEnd = performance.now();
    };
    transaction.addEventListener("complete", ended);
    transaction.addEventListener("abort", ended);
  });
  const asked = (request, _args, name) => {
    tally.requests += 1;
    tally.byKind[name] = (tally.byKind[name] ?? 0) + 1;
    if (reading.includes(name)) request.addEventListener("success", () => came(tally, name, request.result));
  };
  for (const name of [...writing, ...reading]) stand(IDBObjectStore.prototype, name, asked);
  for (const name of reading) stand(IDBIndex.prototype, name, asked);
  for (const name of ["update", "delete", "continue", "advance", "continuePrimaryKey"]) {
    stand(IDBCursor.prototype, name, (_result, args, kind) => asked(undefined, args, `cursor.${kind}`));
  }

  return {
    /** What `work` asked for until it was done; what goes on behind it (cleaning up) is waited for, not counted. */
    async during(work) {
      await quiet(() => open === 0 && performance.now() - lastEnd > 150);
      tally = nothing();
      await work();
      const counted = tally;
      tally = nothing();
      return counted;
    },
    stop() {
      for (const back of undo.reverse()) back();
    },
  };
}

/** Counts the values that a read gave, and the bodies inside them. Keys are not values. */
function came(tally, name, result) {
  if (result === undefined || result === null || name.endsWith("Key") || name.endsWith("Keys") || name === "count") return;
  const values = name === "openCursor" ? [result.value] : name === "openKeyCursor" ? [] : name === "get" ? [result] : result;
  tally.values += values.length;
  for (const value of values) tally.bodies += countBodies(value);
}

async function quiet(is) {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 20));
}
