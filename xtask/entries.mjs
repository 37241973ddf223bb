// The entries of the package, as its exports name them: "index" is built from src/index.ts to dist/index.js, its
// declarations are dist/index.d.ts.
import { readFileSync } from "node:fs";
import path from "node:path";

const BUILT = /^\.\/dist\/(.+)\.js$/;

/** Every path that an entry of `exports` may lead to, whatever the condition. */
const targets = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(targets));

export function entriesOf(folder) {
  const { exports } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return [...new Set(Object.values(exports).flatMap(targets).flatMap((target) => BUILT.exec(target)?.[1] ?? []))];
}
