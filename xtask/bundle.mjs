// Bundles each entry of the package, those its exports name, into one file: `node bundle.mjs <folder of the package>`.
// An entry beside the main ones imports "posthaste" where it needs the engine, so that there is one copy of that.
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

const { outputFiles } = await build({
  // All at once, and with a cache: only so do the names that are shortened get the same short names everywhere.
  entryPoints: entriesOf(folder).map((entry) => path.join(folder, "src", `${entry}.ts`)),
  outbase: path.join(folder, "src"),
  outdir: path.join(folder, "dist"),
  external: ["posthaste", "node:*", "cloudflare:*", "*.wasm", "*.wasm?module"],
  bundle: true,
  minify: true,
  mangleProps: ownNames(folder),
  mangleCache: {},
  format: "esm",
  platform: "neutral",
  target: "es2022",
  legalComments: "none",
  // What the glue does for code that we have not: to warn of old ways to call it, to make objects disposable.
  drop: ["console"],
  define: { "Symbol.dispose": "undefined" },
  write: false,
});
for (const { path: file, text } of outputFiles) {
  // It finds another thirtieth, gzipped.
  const { code } = await minify(text, { module: true, ecma: 2022 });
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, code);
}
copyFileSync(path.join(folder, "wasm", "posthaste_bg.wasm"), path.join(folder, "dist", "posthaste.wasm"));
