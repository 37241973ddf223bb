// Which names of properties the bundles may shorten: those that only the package's own sources know.
// A name stays that a platform declares, that the module reads or writes, or that names.txt lists: the names that users type and
// those that other versions of the package read.
import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const { resolve } = createRequire(path.resolve("package.json"));
const compiler = `@typescript/typescript-${process.platform}-${process.arch}`;

/** Where platforms are declared: packages of tests/package.json, and the declarations in each. */
const PLATFORMS = [
  [compiler, /^lib[\\/]lib\..*\.d\.ts$/],
  ["@types/node", /\.d\.ts$/],
  ["@cloudflare/workers-types", /^index\.d\.ts$/],
];
/** What is declared, parameters too: rather one too many. */
const DECLARED = /([\w$]+)["']?\??\s*[:(<]/g;
/** Properties that the glue reads and writes for Rust. What begins with an underscore is its own. */
const BY_GLUE = /\.([a-zA-Z$][\w$]*)/g;
/** What is read and written by name: by the module, or in the sources themselves. */
const QUOTED = /"([a-zA-Z]\w*)"/g;
/** Exports of the ring's module, which has no glue. */
const BY_RING = /\bextern "C" fn (\w+)/g;
/** What a source says of an object that others made: `as { name: type }`. */
const BY_OTHERS = /\bas (\{.*)/g;
/** They are no properties, and would become some. */
const EXPORTED = /\bexport (?:abstract |async )?(?:class|const|function|let) (\w+)/g;
const ANY = /(?<![\w$])([a-zA-Z_$][\w$]*)/g;

const files = (folder, wanted) =>
  readdirSync(folder, { recursive: true }).filter((name) => wanted.test(name)).map((name) => path.join(folder, name));

/** What a pattern finds in files, comments aside. Nothing is found only where something has moved. */
function names(pattern, ...from) {
  const texts = from.map((file) => readFileSync(file, "utf8").replace(/\/\*[^]*?\*\/|\/\/.*/g, ""));
  const found = texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name));
  if (!found.length) throw new Error(`no names like ${pattern} in ${from.join(", ") || "any file"}`);
  return found;
}

/** The names that names.txt lists. */
export function contracts() {
  const lines = readFileSync(new URL("names.txt", import.meta.url), "utf8").split("\n");
  return lines.filter((line) => !line.startsWith("#")).flatMap((line) => line.split(" ").filter(Boolean));
}

/** A regular expression for those names in the package's sources, in `folder`, that are only its own. */
export function ownNames(folder) {
  const sources = path.join(folder, "src");
  const [all, glue] = [files(sources, /\.ts$/), path.join(folder, "wasm", "posthaste.js")];
  const known = new Set([
    "__proto__",
    ...PLATFORMS.flatMap(([name, wanted]) => names(DECLARED, ...files(path.dirname(resolve(`${name}/package.json`)), wanted))),
    ...contracts(),
    ...names(BY_GLUE, glue),
    ...names(QUOTED, ...files(path.join(folder, "..", "src", "web"), /\.rs$/), ...all),
    ...names(BY_RING, path.join(folder, "..", "src", "ring", "src", "wasm.rs")),
    ...names(BY_OTHERS, ...all).flatMap((said) => [...said.matchAll(DECLARED)].map(([, name]) => name)),
    ...names(EXPORTED, ...all),
  ]);
  const own = [...new Set(names(ANY, glue, ...all))].filter((name) => !known.has(name)).sort();
  return new RegExp(`^(?:${own.join("|").replaceAll("$", "\\$")})$`);
}
