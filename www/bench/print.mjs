// Draws the results of the benchmarks as text tables.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const number = (value) => whole.format(value);
export const times = (value) => `${value < 20 ? value.toFixed(2) : number(value)}x`;
const kind = (counted) =>
  `${number(counted.transactions)} transactions (${number(counted.writes)} to write), ${number(counted.requests)} requests`;

/** Rows of cells under a head; all but the first column to the right. */
export function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) =>
    row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ").trimEnd();
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

export function printDurable(result) {
  const rows = result.rows.map((row) => [
    row.title,
    number(row.posthaste),
    number(row.dexie),
    times(row.ratio),
    `${times(row.least)} to ${times(row.most)}`,
    row.goal ? times(row.goal) : "",
    row.goal ? (row.reached ? "pass" : "SHORT") : "",
  ]);
  console.log(
    `\nIndexedDB, messages a second: posthaste against Dexie ${result.dexie}, median of ${result.rounds} interleaved rounds, both "relaxed"\n`,
  );
  console.log(table(["", "posthaste", "Dexie", "ratio", "within rounds", "goal", ""], rows));
  if (result.counts) printCounts(result.counts);
}

function printCounts({ concurrent, one, hundred, receiveOne, openings }) {
  console.log("\nAsked of IndexedDB (counted)\n");
  console.log(`10,000 sends at once:     ${kind(concurrent)}`);
  console.log(
    `one awaited send:         ${kind(one)}: ${one.transactions === 1 && one.requests === 1 ? "pass" : "SHORT (must be 1 and 1)"}`,
  );
  console.log(`100 awaited sends:        ${kind(hundred)}`);
  console.log(`one received and acked:   ${kind(receiveOne)}`);
  for (const { shape, waiting, values, bodies, requests, openedMs, firstMs } of openings) {
    console.log(
      `opening ${number(waiting)} messages ${shape}, receiving the first: ${number(requests)} requests, ` +
        `${number(values)} values with ${number(bodies)} bodies read; open after ${openedMs.toFixed(0)} ms, received after ${
          firstMs.toFixed(0)
        } ms`,
    );
  }
}

export function printMemory(result) {
  const ns = (value) => `${number(value)} ns`;
  const bytes = (value) => (value === undefined ? "not told" : `${value.toFixed(1)} B`);
  const rows = result.rows.map((row) => [
    row.shape,
    ns(row.throughNs),
    ns(row.throughArrayNs),
    times(row.throughNs / row.throughArrayNs),
    ns(row.fillNs),
    ns(row.drainNs),
    bytes(row.wasmPerMessage),
    bytes(row.heapPerMessage),
  ]);
  console.log(`\nMemory queue, ${number(result.count)} messages of ${result.bodyBytes} bytes, a message`);
  console.log("(array: structuredClone into an array, no ids, leases or acks; wasm and heap: while all are waiting)\n");
  console.log(table(["sent in", "through", "array", "ratio", "sent, all waiting", "received and acked", "wasm", "heap"], rows));
}
