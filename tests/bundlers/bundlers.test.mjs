/** The installed package bundled for pages by webpack, Rspack and Parcel. No configuration beyond where to begin. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { rspack } from "@rspack/core";
import webpack from "webpack";
import { ONE, PAGE, PRINTING, SERVER, answer, application, page, printed, scripted, sources, weight,
  works } from "../package/application.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const files = () => ({ "index.html": scripted("main.js"), ...sources(...PAGE) });

/** Sees that what was made works, and weighs it. */
async function good(t, dist, copies) {
  await works(dist, { where: ONE });
  const { copies: found, ...size } = weight(dist);
  assert.equal(found, copies);
  t.diagnostic(JSON.stringify(size));
}

/** Bundles main.js of this folder by webpack or what is like it, for browsers or for Node. */
async function bundled(bundler, root, target) {
  // Both take these from where they are started.
  const started = { context: root, output: { path: join(root, "dist") } };
  const compiler = bundler({ ...started, mode: "production", entry: "./main.js", target });
  const stats = await new Promise((resolve, reject) => compiler.run((error, stats) => (error ? reject(error) : resolve(stats))));
  await new Promise((resolve) => compiler.close(resolve));
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  // That a script is big is what a page with a queue in it has to live with.
  const told = warnings.filter(({ message }) => !/size limit|code splitting|lazy load/i.test(message));
  assert.deepEqual([...errors, ...told].map(({ message }) => message), []);
}

for (const [name, bundler] of Object.entries({ webpack, Rspack: rspack })) {
  test(`${name} bundles it for pages without a warning`, async (t) => {
    const root = application(files(), here);
    await bundled(bundler, root, "web");
    writeFileSync(join(root, "dist/index.html"), page('<script defer src="main.js"></script>'));
    await good(t, join(root, "dist"), 2);
  });

  test(`${name} bundles it for Node without a warning`, async () => {
    const root = application({ ...sources(...SERVER), "main.js": PRINTING, "dist/package.json": "{}" }, here);
    await bundled(bundler, root, "node");
    assert.equal(printed(root, process.execPath, "dist/main.js"), answer);
    assert.equal(weight(join(root, "dist")).copies, 1);
  });
}

test("Parcel bundles it without a warning", async (t) => {
  const root = application(files(), here);
  const parcel = join(here, "node_modules/parcel/lib/bin.js");
  const build = ["build", "index.html", "--no-cache", "--cache-dir", "cache", "--no-source-maps", "--log-level", "warn"];
  const told = execFileSync(process.execPath, [parcel, ...build], { cwd: root, encoding: "utf8" });
  assert.equal(told.trim(), "");
  await good(t, join(root, "dist"), 2);
});
