// Bundles the entries of the package, those its exports name: `node bundle.mjs <folder of the package>`.
// The main ones, and the ports that they load when needed, share files. Every other entry is one file; it imports "posthaste" where
// it needs the engine, so that there is one copy of that.
// Runs in tests/, where esbuild is installed.
import { createRequire } from "node:module";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { entriesOf } from "./entries.mjs";
import { ownNames } from "./names.mjs";

const require = createRequire(path.resolve("package.json"));
const { build } = require("esbuild");
const { minify } = require("terser");
const folder = process.argv[2];

/** What the entry "posthaste" is on any platform, and what it loads. */
const MAIN = new Set(["index", "slim", "workerd", "edge-light", "ports"]);

const options = {
  outbase: path.join(folder, "src"),
  outdir: path.join(folder, "dist"),
  external: ["posthaste", "node:*", "cloudflare:*", "*.wasm", "*.wasm?module"],
  bundle: true,
  minify: true,
  mangleProps: ownNames(folder),
  format: "esm",
  platform: "neutral",
  target: "es2022",
  legalComments: "none",
  // What the glue does for code that we have not: to warn of old ways to call it, to make objects disposable.
  drop: ["console"],
  define: { "Symbol.dispose": "undefined" },
  write: false,
};
const entries = entriesOf(folder);
const files = (names) => names.map((entry) => path.join(folder, "src", `${entry}.ts`));
// The cache gives names that are shortened the same short names everywhere.
const shared = await build({
  ...options,
  entryPoints: files(entries.filter((entry) => MAIN.has(entry))),
  splitting: true,
  chunkNames: "made-[hash]",
  mangleCache: {},
});
const apart = await build({ ...options, entryPoints: files(entries.filter((entry) => !MAIN.has(entry))), mangleCache: shared.mangleCache });

/** Two files are shared: the one that imports the other has the engine, the other is what ports need as well. */
const made = shared.outputFiles.filter(({ path: file }) => path.basename(file).startsWith("made-"));
const names = new Map(made.map(({ path: file, text }) => [path.basename(file), text.includes('from"./made-') ? "engine.js" : "shared.js"]));
if ([...names.values()].sort().join() !== "engine.js,shared.js")
  throw new Error(`the main entries share ${[...names.keys()]}: two files were meant`);

const texts = new Map([...shared.outputFiles, ...apart.outputFiles].map(({ path: file, text }) => {
  const named = (string) => string.replace(/\bmade-\w+\.js\b/g, (name) => names.get(name));
  return [named(path.relative(options.outdir, file)), named(text)];
}));

/** Replaces what is there once; `into` may be a function of what was found. */
function once(name, wanted, into) {
  const found = texts.get(name).match(new RegExp(wanted, "g")) ?? [];
  if (found.length !== 1) throw new Error(`${wanted} is in ${name} ${found.length} times`);
  texts.set(name, texts.get(name).replace(wanted, into));
}

// The part that is loaded when it is needed imports nothing, but is given what it shares with the engine: a file that is loaded later
// and imports one that was loaded at once is more than some bundlers can do for workers (Parcel 2).
const PART = "./ports-part.js";
once("ports.js", /^import\{([^}]*)\}from"\.\/shared\.js";/, (_, list) => `export default function({${list.replaceAll(" as ", ":")}}){`);
once("ports.js", /export\{(\w+) as ports\};?\s*$/, (_, name) => `return ${name}}`);
texts.set(path.basename(PART), texts.get("ports.js"));
texts.set("ports.js", `import*as shared from"./shared.js";import part from"${PART}";export const ports=part(shared);`);
once("engine.js", /\bimport\("\.\/ports\.js"\)/, `import("${PART}").then(part=>part.default($shared))`);
texts.set("engine.js", `import*as $shared from"./shared.js";${texts.get("engine.js")}`);

for (const [name, text] of texts) {
  // It finds another thirtieth, gzipped.
  const { code } = await minify(text, { module: true, ecma: 2022 });
  const file = path.join(options.outdir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, code);
}
copyFileSync(path.join(folder, "wasm", "posthaste_bg.wasm"), path.join(folder, "dist", "posthaste.wasm"));
