/** Starts the runtimes of the edge, which come from npm, on programs and scripts of this folder. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { EdgeRuntime } from "edge-runtime";
import { build } from "esbuild";

const tests = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** What a package's own program is called where it is installed. */
function program(name) {
  const file = join(tests, "node_modules/.bin", process.platform === "win32" ? `${name}.cmd` : name);
  if (!existsSync(file)) throw new Error(`${file} is not there: npm ci in tests/ installs it`);
  return file;
}

/** The last line that a program printed, which is JSON. */
async function answer(file, words) {
  const { stdout } = await run(file, words, {
    cwd: tests,
    timeout: 100_000,
    shell: process.platform === "win32",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

export const inBun = (file) => answer(program("bun"), [join(tests, file)]);

/** Deno is given the package's exports as an import map: it is installed, but no dependency of these tests. */
export async function inDeno(file, ...flags) {
  const folder = mkdtempSync(join(tmpdir(), "posthaste-deno-"));
  const { exports } = JSON.parse(readFileSync(join(tests, "node_modules/posthaste/package.json"), "utf8"));
  const imports = {};
  for (const [name, target] of Object.entries(exports)) {
    const path = typeof target === "string" ? target : target.default;
    imports[name.replace(/^\./, "posthaste")] = new URL(`../node_modules/posthaste/${path}`, import.meta.url).href;
  }
  writeFileSync(join(folder, "map.json"), JSON.stringify({ imports }));
  try {
    return await answer(program("deno"), ["run", "--no-config", "--no-lock", "--allow-all", `--import-map=${join(folder, "map.json")}`,
      ...flags, join(tests, file)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The bytes of the engine's module. */
export const engineBytes = () => new Uint8Array(readFileSync(require.resolve("posthaste/posthaste.wasm")));

/** One script of a module, given as text, and all it imports. `modules`: what it imports by a name that is given as text too. */
export async function script(contents, modules = {}) {
  const resolveDir = join(tests, "edge");
  const given = {
    name: "given",
    setup(building) {
      building.onResolve({ filter: /^/ }, ({ path }) => (Object.hasOwn(modules, path) ? { path, namespace: "given" } : undefined));
      building.onLoad({ filter: /^/, namespace: "given" }, ({ path }) => ({ contents: modules[path], resolveDir }));
    },
  };
  const options = { bundle: true, format: "iife", target: "es2022", write: false, logLevel: "silent", plugins: [given] };
  const { outputFiles: [{ text }] } = await build({ stdin: { contents, resolveDir }, ...options });
  return text;
}

/** The globals of an isolate of edge-runtime that has evaluated the module `file`. */
export async function isolate(file) {
  const runtime = new EdgeRuntime();
  runtime.evaluate(await script(readFileSync(join(tests, file), "utf8")));
  return runtime.context;
}
