// Bundles the entries of the package, those its exports name: `node bundle.mjs <folder of the package>`.
// The main ones, and the ports that they load when needed, share files. Every other entry is one file; it imports "posthaste" where
// it needs the engine, so that there is one copy of that.
// Runs in tests/, where esbuild is installed.
import { createRequire } from "node:module";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  plugins: [{
    name: "rings",
    // They are a file of their own, which all load from where it lies.
    setup: (made) => made.onResolve({ filter: /^\.\.\/rings$/ }, () => ({ path: "./rings.js", external: true })),
  }],
};
const entries = entriesOf(folder);
const files = (names) => names.map((entry) => path.join(folder, "src", `${entry}.ts`));
/** The entry `ports` as if it needed all that the others do: what they share is one file then, and not one more that ports need, too. */
const withEngine = {
  name: "ports with the engine",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]ports\.ts$/ }, ({ path: file }) => ({
      contents: `${readFileSync(file, "utf8")} export * from "./exports"; export { openQueue } from "./queue/open";`,
      loader: "ts",
    }));
  },
};
// The cache gives names that are shortened the same short names everywhere. What every entry exports, the errors, is a file of its own:
// who imports one of those needs no engine.
const shared = await build({
  ...options,
  entryPoints: files([...entries.filter((entry) => MAIN.has(entry)), "exports"]),
  splitting: true,
  chunkNames: "made-[hash]",
  plugins: [...options.plugins, withEngine],
  mangleCache: {},
});
const others = [...entries.filter((entry) => !MAIN.has(entry)), "rings"];
const apart = await build({ ...options, entryPoints: files(others), mangleCache: shared.mangleCache });

/** Two files are shared: the errors, and the engine, which imports them. */
const made = shared.outputFiles.filter(({ path: file }) => path.basename(file).startsWith("made-"));
const names = new Map(made.map(({ path: file, text }) => [path.basename(file), text.includes('from"./made-') ? "engine.js" : "errors.js"]));
if ([...names.values()].sort().join() !== "engine.js,errors.js")
  throw new Error(`the main entries share ${[...names.keys()]}: two files were meant`);

const texts = new Map([...shared.outputFiles, ...apart.outputFiles].map(({ path: file, text }) => {
  const named = (string) => string.replace(/\bmade-\w+\.js\b/g, (name) => names.get(name));
  return [named(path.relative(options.outdir, file)), named(text)];
}));
texts.delete("exports.js");

/** Replaces what is there once; `into` may be a function of what was found. */
function once(name, wanted, into) {
  const found = texts.get(name).match(new RegExp(wanted, "g")) ?? [];
  if (found.length !== 1) throw new Error(`${wanted} is in ${name} ${found.length} times`);
  texts.set(name, texts.get(name).replace(wanted, into));
}

/** The names of a list of imports or exports, as pairs: before and after `as`. */
const pairs = (list) => list.split(",").map((one) => one.split(" as ")).map(([one, other = one]) => [one, other]);

// The part that is loaded when it is needed imports nothing, but is given what it shares with the engine: a file that is loaded later
// and imports one that was loaded at once is more than some bundlers can do for workers (Parcel 2).
const PART = "./ports-part.js";
const given = new Map();
once("ports.js", /^((?:import\{[^}]*\}from"[^"]*";)+)([^]*)export\{[^}]*\b(\w+) as ports\};?\s*$/, (_, imports, code, ports) => {
  const used = new Set(code.match(/[\w$]+/g));
  for (const [, list, file] of imports.matchAll(/\{([^}]*)\}from"\.\/(\w+)\.js"/g))
    given.set(file, pairs(list).filter(([, name]) => used.has(name)));
  const taken = ["engine", "errors"].map((file) => `{${given.get(file).map((pair) => pair.join(":"))}}`);
  return `export default function(${taken}){${code}return ${ports}}`;
});
texts.set(path.basename(PART), texts.get("ports.js"));
texts.set("ports.js",
  `import*as errors from"./errors.js";import{shared}from"./engine.js";import part from"${PART}";export const ports=part(shared(),errors);`);
once("engine.js", /\bimport\("\.\/ports\.js"\)/, `import("${PART}").then(part=>part.default(shared(),$errors))`);
// What ports alone are given need not be exported.
once("engine.js", /export\{([^}]*)\};?\s*$/, (_, list) => {
  const inside = new Map(pairs(list).map(([name, exported]) => [exported, name]));
  const imports = [...texts.values()].flatMap((text) => [...text.matchAll(/\bimport\{([^}]*)\}from"\.\/engine\.js"/g)]);
  const exported = new Set(imports.flatMap(([, names]) => pairs(names).map(([name]) => name)).filter((name) => inside.has(name)));
  const all = given.get("engine").map(([name]) => `${name}:${inside.get(name)}`);
  return `function shared(){return{${all}}}export{${[...exported].map((name) => `${inside.get(name)} as ${name}`)},shared};`;
});
texts.set("engine.js", `import*as $errors from"./errors.js";${texts.get("engine.js")}`);

// A file that an earlier build made, and this one does not, is not part of the package.
for (const old of existsSync(options.outdir) ? readdirSync(options.outdir, { recursive: true }) : [])
  if (old.endsWith(".js") && !texts.has(old)) rmSync(path.join(options.outdir, old));

for (const [name, text] of texts) {
  // It finds another thirtieth, gzipped.
  const { code } = await minify(text, { module: true, ecma: 2022, compress: { passes: 3, inline: 1 } });
  const file = path.join(options.outdir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, code);
}
copyFileSync(path.join(folder, "wasm", "posthaste_bg.wasm"), path.join(folder, "dist", "posthaste.wasm"));
