// Weighs the built package: `node size.mjs <folder of the package> <file for the table> <README> [--update]`. Fails beyond the
// budget, and where the README's table says other kilobytes; --update writes that.
// An entry is weighed with every file that it loads at once, each compressed by itself, as a server sends them.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync, constants } from "node:zlib";

const [folder, table, readme, update] = process.argv.slice(2);
/** Bytes at most, after gzip and after brotli. They are to come down before a release: posthaste to 50,000 after brotli, its client to 11,000, its ports to 9,000. */
const budget = {
  wasm: { gzip: 55_800, brotli: 49_650 },
  scripts: { gzip: 30_800, brotli: 27_500 },
  all: { gzip: 84_100, brotli: 80_500 },
  client: { gzip: 25_650, brotli: 23_100 },
  ports: { gzip: 14_250, brotli: 12_920 },
  rings: { gzip: 3_810, brotli: 3_450 },
};

const { default: inlined } = await import(pathToFileURL(path.join(folder, "wasm", "inline.js")));
const read = (name) => readFileSync(path.join(folder, "dist", name), "utf8");
const IMPORT = /\b(?:from|import)\s*"\.\/([^"]+)"/g;

/** The files that are loaded with one, itself first. */
function loaded(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, next] of read(name).matchAll(IMPORT)) loaded(next, found);
  return found;
}

function weigh(...texts) {
  const sum = (weight) => texts.map((text) => weight(text)).reduce((one, other) => one + other, 0);
  return {
    raw: sum((text) => text.length),
    gzip: sum((text) => gzipSync(text, { level: 9 }).length),
    brotli: sum((text) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length),
  };
}

const beside = new Set(loaded("index.js"));
const rows = [
  ["posthaste.wasm", [readFileSync(path.join(folder, "dist", "posthaste.wasm"))], budget.wasm],
  ["posthaste without it", [...beside].map((name) => read(name).replace(inlined, "")), budget.scripts],
  ["posthaste/slim", [...loaded("slim.js")].map(read), budget.scripts],
  ["posthaste", [...beside].map(read), budget.all],
  ["posthaste/ports, beside", [...loaded("ports.js")].filter((name) => !beside.has(name)).map(read), budget.ports],
  ["posthaste/client", [...loaded("client.js")].map(read), budget.client],
  // What ports and the client load where both sides can share memory.
  ["rings", [read("rings.js")], budget.rings],
].map(([name, texts, limit]) => ({ name, limit, ...weigh(...texts) }));

const line = (name, ...cells) => name.padEnd(24) + cells.map((cell) => String(cell ?? "").padStart(9)).join("");
const lines = [line("bytes", "raw", "gzip", "at most", "brotli", "at most")];
let fits = true;
for (const { name, raw, gzip, brotli, limit } of rows) {
  const over = Math.max(gzip - limit.gzip, brotli - limit.brotli);
  fits &&= over <= 0;
  lines.push(line(name, raw, gzip, limit.gzip, brotli, limit.brotli) + (over > 0 ? `  too big by ${over}` : ""));
}

/** The README's table, between its marks, in whole kilobytes, rounded up. */
const MARKS = /(?<=<!-- sizes[^>]*-->\n)[^]*(?=<!-- end of sizes -->)/;
const kilobytes = (bytes) => `${Math.ceil(bytes / 1000)} KB`;
const told = ["posthaste", "posthaste/slim", "posthaste.wasm", "posthaste/ports, beside", "posthaste/client"].map((name) => {
  const { gzip, brotli } = rows.find((row) => row.name === name);
  return `| \`${name.replace(", beside", "`, beside the first")}${name.includes(",") ? "" : "`"} | ${kilobytes(brotli)} | ${
    kilobytes(gzip)
  } |`;
});
const tableOfReadme = `${["| | brotli | gzip |", "|---|--:|--:|", ...told].join("\n")}\n`;
const text = readFileSync(readme, "utf8");
if (update) writeFileSync(readme, text.replace(MARKS, tableOfReadme));
else if (text.match(MARKS)?.[0] !== tableOfReadme) {
  lines.push("the README says other sizes: run `cargo xtask size --update`", tableOfReadme.trim());
  fits = false;
}
writeFileSync(table, `${lines.join("\n")}\n`);
console.log(lines.join("\n"));
if (!fits) process.exitCode = 1;
