// Weighs the built package: `node size.mjs <folder of the package> <file for the table>`. Fails beyond the budget.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync, constants } from "node:zlib";

const [folder, table] = process.argv.slice(2);
/** Bytes at most, after gzip and after brotli. They are to come down before a release: 50,000 after brotli for all that index.js brings. */
const budget = {
  wasm: { gzip: 60_500, brotli: 53_600 },
  javascript: { gzip: 43_900, brotli: 38_700 },
  all: { gzip: 102_500, brotli: 96_500 },
};

const { default: inlined } = await import(pathToFileURL(path.join(folder, "wasm", "inline.js")));
const read = (name) => readFileSync(path.join(folder, "dist", name));
/** JavaScript alone: the wasm is weighed by itself. */
const script = (name) => Buffer.from(read(name).toString().replace(inlined, ""));

const rows = [
  ["posthaste.wasm", read("posthaste.wasm"), budget.wasm],
  ["index.js without it", script("index.js"), budget.javascript],
  ["slim.js", script("slim.js"), budget.javascript],
  ["index.js with it", read("index.js"), budget.all],
].map(([name, bytes, limit]) => ({
  name,
  raw: bytes.length,
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length,
  limit,
}));

const line = (name, ...cells) => name.padEnd(22) + cells.map((cell) => String(cell ?? "").padStart(9)).join("");
const lines = [line("bytes", "raw", "gzip", "at most", "brotli", "at most")];
let fits = true;
for (const { name, raw, gzip, brotli, limit } of rows) {
  const over = Math.max(gzip - limit.gzip, brotli - limit.brotli);
  fits &&= over <= 0;
  lines.push(line(name, raw, gzip, limit.gzip, brotli, limit.brotli) + (over > 0 ? `  too big by ${over}` : ""));
}
writeFileSync(table, `${lines.join("\n")}\n`);
console.log(lines.join("\n"));
if (!fits) process.exitCode = 1;
