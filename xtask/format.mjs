// Lays out every JavaScript and TypeScript file of the repository by dprint and format.json: `node format.mjs` writes, `--check` only
// names the files that are laid out otherwise. Runs in tests/, where dprint is installed.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(path.resolve("package.json"));
const { createFromBuffer } = require("@dprint/formatter");
const { getPath } = require("@dprint/typescript");

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const { general, typescript } = JSON.parse(readFileSync(path.join(here, "format.json"), "utf8"));
const formatter = createFromBuffer(readFileSync(getPath()));
formatter.setConfig(general, typescript);
const problems = formatter.getConfigDiagnostics();
if (problems.length) throw new Error(`format.json: ${JSON.stringify(problems)}`);

/** Written by a program, as that has it. */
const GENERATED = new Set(["pkg/src/engine/codes.ts"]);

const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
const names = listed.split("\0").filter((name) => /\.(ts|mjs|js)$/.test(name) && !GENERATED.has(name));
const changed = names.filter((name) => {
  const file = path.join(root, name);
  const text = readFileSync(file, "utf8");
  const formatted = formatter.formatText({ filePath: file, fileText: text });
  if (formatted !== text && !process.argv.includes("--check")) writeFileSync(file, formatted);
  return formatted !== text;
});
console.log(changed.length ? changed.join("\n") : `${names.length} files are laid out as they should be`);
if (changed.length && process.argv.includes("--check")) {
  console.error("laid out otherwise: cargo xtask format");
  process.exitCode = 1;
}
