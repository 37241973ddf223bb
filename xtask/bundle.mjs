// Bundles each entry of the package into one file: `node bundle.mjs <folder of the package>`.
// Runs in tests/, where esbuild is installed.
import { createRequire } from "node:module";
import { copyFileSync } from "node:fs";
import path from "node:path";

const { build } = createRequire(path.resolve("package.json"))("esbuild");
const folder = process.argv[2];

await build({
  entryPoints: ["index", "slim"].map((entry) => path.join(folder, "src", `${entry}.ts`)),
  outdir: path.join(folder, "dist"),
  bundle: true,
  minify: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  legalComments: "none",
});
copyFileSync(path.join(folder, "wasm", "posthaste_bg.wasm"), path.join(folder, "dist", "posthaste.wasm"));
