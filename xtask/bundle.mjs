// Bundles each entry of the package into one file: `node bundle.mjs <folder of the package>`.
// Runs in tests/, where esbuild is installed.
import { createRequire } from "node:module";
import { copyFileSync } from "node:fs";
import path from "node:path";
import { ownNames } from "./names.mjs";

const { build } = createRequire(path.resolve("package.json"))("esbuild");
const folder = process.argv[2];

await build({
  // All at once: the names that are shortened get the same short names everywhere.
  entryPoints: ["index", "slim"].map((entry) => path.join(folder, "src", `${entry}.ts`)),
  outdir: path.join(folder, "dist"),
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
});
copyFileSync(path.join(folder, "wasm", "posthaste_bg.wasm"), path.join(folder, "dist", "posthaste.wasm"));
