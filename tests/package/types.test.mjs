/** The types of every entry, as TypeScript finds and checks them in an application: `skipLibCheck: false`. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Package, checkPackage } from "@arethetypeswrong/core";
import { application, installed, manifest } from "./application.mjs";

const modules = fileURLToPath(new URL("../node_modules", import.meta.url));

/** What declares the globals. */
const PLATFORMS = {
  browsers: { lib: ["es2022", "dom"], types: [] },
  workers: { lib: ["es2022", "webworker"], types: [] },
  Node: { lib: ["es2022"], types: ["node"] },
  Cloudflare: { lib: ["es2022"], types: ["@cloudflare/workers-types"] },
};
/** Entries whose types are made of what one platform alone declares. */
const AT_HOME = { "./cloudflare": ["Cloudflare"] };

const RESOLUTIONS = {
  bundler: { module: "esnext", moduleResolution: "bundler" },
  node16: { module: "node16" },
  nodenext: { module: "nodenext" },
};

const entries = Object.entries(manifest.exports).filter(([, entry]) => entry.types).map(([name]) => name);

/** Imports of all that these entries export. */
const imports = (names) => names.map((name, at) => `import * as all${at} from "posthaste${name.slice(1)}";\nvoid all${at};\n`).join("");

for (const [platform, { lib, types }] of Object.entries(PLATFORMS)) {
  const names = entries.filter((name) => (AT_HOME[name] ?? [platform]).includes(platform));
  test(`with the declarations of ${platform}: ${names.join(" ")}`, () => {
    const compilerOptions = {
      target: "es2022",
      lib,
      types,
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
    };
    const projects = Object.entries(RESOLUTIONS).map((
      [name, more],
    ) => [`${name}.json`, { compilerOptions: { ...compilerOptions, ...more } }]);
    const files = { "main.ts": imports(names), "required.cts": 'import posthaste = require("posthaste");\nvoid posthaste.openQueue;\n' };
    // Node's requiring of modules is what "nodenext" stands for; bundlers have no .cts.
    const only = (name) => (name === "nodenext.json" ? Object.keys(files) : ["main.ts"]);
    const configured = projects.map(([name, project]) => [name, JSON.stringify({ ...project, files: only(name) })]);
    const root = application({ ...files, ...Object.fromEntries(configured) });
    for (const name of readdirSync(modules).filter((name) => /^@(?:types|cloudflare)$|^undici-types$/.test(name))) {
      symlinkSync(join(modules, name), join(root, "node_modules", name), "junction");
    }
    for (const [name] of projects) compiled(root, name);
  });
}

function compiled(root, project) {
  try {
    execFileSync(process.execPath, [join(modules, "typescript/bin/tsc"), "--project", project], { cwd: root, encoding: "utf8" });
  } catch ({ stdout }) {
    assert.fail(`${project}: ${stdout}`);
  }
}

/** What a package for bundlers and today's Node may have: no CommonJS, and nothing that tools before "exports" find. */
const MEANT = { resolutions: ["node10"], kinds: ["CJSResolvesToESM"] };

test("are the types wrong? No", async () => {
  const names = readdirSync(installed, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const paths = names.map(({ parentPath, name }) => join(parentPath, name));
  const files = paths.map((path) => [`/node_modules/posthaste/${relative(installed, path).replaceAll("\\", "/")}`, readFileSync(path)]);
  // No types are right for the module: what an import of wasm is, every tool says differently.
  const options = { excludeEntrypoints: [/\.wasm$/] };
  const { problems } = await checkPackage(new Package(Object.fromEntries(files), manifest.name, manifest.version), options);
  const wrong = problems.filter(({ kind, resolutionKind }) => !MEANT.kinds.includes(kind) && !MEANT.resolutions.includes(resolutionKind));
  assert.deepEqual(wrong, []);
});
