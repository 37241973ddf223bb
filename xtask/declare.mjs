// Copies the declarations that the public entries lead to, and no others: `node declare.mjs <from> <to>`.
// Imports get the ending that Node's way of resolving asks for; bundlers do not mind it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { entriesOf } from "./entries.mjs";

const [from, to] = process.argv.slice(2);
const wanted = entriesOf(path.dirname(to)).map((entry) => `${entry}.d.ts`);
const texts = new Map();

for (const file of wanted) {
  const text = readFileSync(path.join(from, file), "utf8");
  const complete = (whole, before, specifier) => {
    const bare = specifier.replace(/\.js$/, "");
    const next = path.join(path.dirname(file), `${bare}.d.ts`);
    if (!existsSync(path.join(from, next))) {
      throw new Error(`the public types of ${file} lead to ${specifier}, which is not part of the package`);
    }
    if (!wanted.includes(next)) wanted.push(next);
    return `${before}${bare}.js`;
  };
  texts.set(file, text.replace(/(\b(?:from|import)\s*\(?\s*["'])(\.[^"']+)/g, complete));
}

if (existsSync(to)) {
  for (const old of readdirSync(to, { recursive: true })) {
    if (old.endsWith(".d.ts") && !texts.has(old)) rmSync(path.join(to, old));
  }
}
for (const [file, text] of texts) {
  mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
  writeFileSync(path.join(to, file), text);
}
