/** The installed package in Node: imported, required, and with the module given by the caller. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { answer, application, code } from "./application.mjs";

/** What this script of an application prints. */
function printed(name, text) {
  const cwd = application({ [name]: text });
  return execFileSync(process.execPath, [name], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

test("import works with no configuration, and the process ends by itself", () => {
  assert.equal(printed("main.mjs", `import { openQueue } from "posthaste";${code("memory")}console.log(said);`), answer);
});

test("require works", () => {
  const text = `const { openQueue } = require("posthaste"); (async () => {${code("memory")}console.log(said);})();`;
  assert.equal(printed("main.cjs", text), answer);
});

test("slim takes the module from the caller", () => {
  const imports = 'import { init, openQueue } from "posthaste/slim"; import { readFile } from "node:fs/promises";';
  const module = 'await init(await readFile(new URL(import.meta.resolve("posthaste/posthaste.wasm"))));';
  assert.equal(printed("main.mjs", `${imports}${module}${code("memory")}console.log(said);`), answer);
});

test("slim without a module says what to do", () => {
  const text = 'import { openQueue } from "posthaste/slim"; openQueue("a").catch((error) => console.log(error.name, error.message));';
  assert.match(printed("main.mjs", text), /^InvalidStateError .*init/);
});
