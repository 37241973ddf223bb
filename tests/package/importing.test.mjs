/** Importing the installed package does nothing: on servers that render pages there is nothing to touch. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { application, installed, manifest, scripts, sources } from "./application.mjs";

for (const script of scripts) {
  test(`importing ${script} touches nothing of the platform`, () => {
    const cwd = application(sources("guarded.mjs", "elsewhere.mjs", "letters.js"));
    const given = ["--no-warnings", "guarded.mjs", `./node_modules/posthaste/${script}`];
    const said = execFileSync(process.execPath, given, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    assert.deepEqual(JSON.parse(said), { touched: [], added: [], some: true });
  });
}

test('every file of "posthaste" exports the same names', () => {
  const exported = (name) => {
    const [, list] = readFileSync(join(installed, name), "utf8").match(/export\s*\{([^}]*)\}/);
    return list.split(",").map((name) => name.trim().split(/\s+as\s+/).at(-1)).sort();
  };
  const { default: usual, ...others } = manifest.exports["."];
  delete others.types;
  for (const other of Object.values(others)) assert.deepEqual(exported(other), exported(usual), other);
});
