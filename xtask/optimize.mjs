// Optimizes the module, and gives what passes between it and its glue short names in both: wasm-bindgen's own end in
// hashes, which no compression makes smaller. `node optimize.mjs <module> <glue> <options of wasm-opt>`.
// Runs in tests/, where binaryen is installed.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const [module, glue, ...options] = process.argv.slice(2);
const program = path.resolve("node_modules/binaryen/bin/wasm-opt");
const shortening = [program, ...options, "--minify-imports-and-exports-and-modules", module, "-o", module];
const { imports, exports } = JSON.parse(execFileSync(process.execPath, shortening, { encoding: "utf8" }));
let text = readFileSync(glue, "utf8");

/** Puts `to` in every place of `from`, of which there must be as many as `right` says. */
function replace(from, to, right) {
  const parts = text.split(from);
  if (!right(parts.length - 1)) throw new Error(`${glue} has ${JSON.stringify(from)} ${parts.length - 1} times`);
  text = parts.join(to);
}
const once = (count) => count === 1;

/** What becomes of the glue: all that matches one of these, which something must, and what stands there instead. */
const changes = [
  // The engine's objects are freed when nobody has them any more.
  [/ {4}__destroy_into_raw\(\) \{[^]*?\n {4}\}\n/g, ""],
  [/ {4}free\(\) \{[^]*?\n {4}\}\n/g, ""],
  [/^if \(Symbol\.dispose\) .*\n/gm, ""],
  // Where WebAssembly has what the module needs, encoders have this.
  [/^if \(!\('encodeInto' in cachedTextEncoder\)\) \{[^]*?\n\}\n/gm, ""],
  [/ {4}if \(realloc === undefined\) \{[^]*?\n {4}\}\n/g, ""],
  // It is given a module, in the one way there is.
  [/ {4}if \(module !== undefined\) \{[^]*?\n {4}\}\n/g, ""],
  [/ {4}if \(!\(module instanceof WebAssembly\.Module\)\) \{[^]*?\n {4}\}\n/g, ""],
  // And once.
  [/^ {4}(?:cached\w+ = null|wasm(?:Module|Instance) = \w+);\n/gm, ""],
  [/^ {4}if \(wasm !== undefined\) return wasm;\n/gm, ""],
  // One function makes all registries.
  [
    /\(typeof FinalizationRegistry === 'undefined'\)\n {4}\? \{ register: \(\) => \{\}, unregister: \(\) => \{\} \}\n {4}: new FinalizationRegistry\(/g,
    "registryOf(",
  ],
  ["const PeerFinalization",
    "const registryOf = (free) => typeof FinalizationRegistry === 'undefined' ? { register() {}, unregister() {} } : new FinalizationRegistry(free);\nconst PeerFinalization"],
  // What is passed can be: nothing is freed halfway.
  [/^( +)try \{\n([^]*?)\1\} catch \(e\) \{\n(?:\1 {4}if \(ptr\d\) .*\n)+\1 {4}throw e;\n\1\}\n/gm, "$2"],
  // Bytes are a byte each.
  [/ [*/] 1(?=[,) ])/g, ""],
  // Memory that grew has another buffer.
  [
    /(cachedDataViewMemory0) === null \|\| \1\.buffer\.detached === true \|\| \(\1\.buffer\.detached === undefined && \1\.buffer !== (wasm\.\w+\.buffer)\)/,
    "$1?.buffer !== $2",
  ],
];
for (const [what, instead] of changes) {
  if (text.search(what) < 0) throw new Error(`${glue} has nothing like ${what}`);
  text = text.replace(what, instead);
}
// Numbers become numbers at the border anyhow.
text = text.replace(/(?:^( *) {4}const val\d+ = \+\w+;\n)+[^]*?(?=\n\1\}\n)/gm, (body) => {
  const named = new Map([...body.matchAll(/const (val\d+) = \+(\w+);/g)].map(([, value, name]) => [value, name]));
  return body.replace(/^ +const val\d+ = \+\w+;\n/gm, "").replace(/\bval\d+\b/g, (value) => named.get(value));
});

const modules = [...new Set(imports.map(([from]) => from))];
if (modules.length !== 1) throw new Error(`imports of one module were expected, not of ${modules}`);
// In quotes: what is in quotes is not renamed again by the bundler.
replace(`"${modules[0]}": import0`, `"a": import0`, once);
for (const [, from, to] of imports) replace(`        ${from}: function(`, `        "${to}"(`, once);
// The longest first: one name may be the beginning of another.
for (const [from, to] of exports.sort(([a], [b]) => b.length - a.length)) {
  replace(`wasm.${from}`, `wasm["${to}"]`, (count) => count > 0 || forBindgen(from));
}

/** What wasm-bindgen exports for its own sake. */
function forBindgen(name) {
  return ["__abort_handler", "__instance_terminated", "__wbindgen_free"].includes(name);
}

const exported = WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(module))).map(({ name }) => name);
for (const [called, name] of text.matchAll(/\bwasm(?:\["([^"]+)"\]|\.\w+)/g)) {
  if (!exported.includes(name)) throw new Error(`${glue} calls ${called}, which the module does not export`);
}
writeFileSync(glue, text);
