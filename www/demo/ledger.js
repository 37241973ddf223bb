// The page's own durable book: for each file how often it was worked on, acked and shown, and its result. It is what the
// integrity line and the tests count by, and what makes showing a result idempotent.

const NAME = "posthaste-demo";
let opening;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("files", { keyPath: "id" });
      database.createObjectStore("results", { keyPath: "id" }).createIndex("at", "at");
      database.createObjectStore("marks");
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** Runs `work(store, ...)` on the named stores in one transaction; resolves with what `work`'s holder has at commit. */
async function within(names, mode, work) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, mode);
    const answer = {};
    transaction.oncomplete = () => resolve(answer.value);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error ?? new DOMException("the ledger's transaction was aborted", "AbortError"));
    work(names.map((name) => transaction.objectStore(name)), answer);
  });
}

const blank = (id) => ({ id, name: "", size: 0, runs: 0, acks: 0, results: 0 });

/** Changes the row of file `id`, made where it is missing. */
function change(files, id, alter) {
  const request = files.get(id);
  request.onsuccess = () => {
    const row = request.result ?? blank(id);
    alter(row);
    files.put(row);
  };
}

/** Hands out `count` numbers in a row, never the same twice, over all tabs. Returns the first. */
export function reserveOrdinals(series, count) {
  return within(["marks"], "readwrite", ([marks], answer) => {
    const request = marks.get(series);
    request.onsuccess = () => {
      answer.value = (request.result ?? 0) + 1;
      marks.put((request.result ?? 0) + count, series);
    };
  });
}

/** Notes files whose send was accepted: `[{ id, name, size }]`. */
export function noteSent(sent) {
  return within(["files"], "readwrite", ([files]) => {
    for (const { id, name, size } of sent) change(files, id, (row) => Object.assign(row, { name, size }));
  });
}

/** Notes that a worker did the work on file `id`, whether or not it gets to ack it. */
export function noteRun({ id, name, size }) {
  return within(["files"], "readwrite", ([files]) =>
    change(files, id, (row) => {
      Object.assign(row, { name, size });
      row.runs += 1;
    }));
}

/** Notes that the ack of file `id` was confirmed by the queue. */
export function noteAck(id) {
  return within(["files"], "readwrite", ([files]) =>
    change(files, id, (row) => {
      row.acks += 1;
    }));
}

/** Keeps a result under its file's message id. Resolves true when it is the first one, false for a duplicate. */
export function keepResult(result) {
  return within(["files", "results"], "readwrite", ([files, results], answer) => {
    const request = results.getKey(result.id);
    request.onsuccess = () => {
      answer.value = request.result === undefined;
      if (answer.value) results.put(result);
      change(files, result.id, (row) => {
        Object.assign(row, { name: result.name, size: result.size });
        row.results += 1;
      });
    };
  });
}

/** Every file's row: `{ id, name, size, runs, acks, results }`. */
export function readFiles() {
  return within(["files"], "readonly", ([files], answer) => {
    const request = files.getAll();
    request.onsuccess = () => {
      answer.value = request.result;
    };
  });
}

/** The newest `max` results, newest first, and how many there are in all. */
export function readResults(max) {
  return within(["results"], "readonly", ([results], answer) => {
    const value = { total: 0, newest: [] };
    answer.value = value;
    const count = results.count();
    count.onsuccess = () => {
      value.total = count.result;
    };
    const cursor = results.index("at").openCursor(null, "prev");
    cursor.onsuccess = () => {
      if (!cursor.result || value.newest.length >= max) return;
      value.newest.push(cursor.result.value);
      cursor.result.continue();
    };
  });
}

/** The result of file `id`, or undefined. */
export function readResult(id) {
  return within(["results"], "readonly", ([results], answer) => {
    const request = results.get(id);
    request.onsuccess = () => {
      answer.value = request.result;
    };
  });
}

/** Forgets everything. */
export function clearLedger() {
  return within(["files", "results", "marks"], "readwrite", (stores) => {
    for (const store of stores) store.clear();
  });
}
