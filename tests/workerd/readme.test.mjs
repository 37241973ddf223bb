/** The Worker that README.md shows, with the bindings it shows, run as written. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { modulesOf, start } from "./lab.mjs";

test("the example in README.md", async (t) => {
  const section = readFileSync(new URL("../../README.md", import.meta.url), "utf8").split("\n### Cloudflare\n")[1].split("\n## ")[0];
  const [source, settings] = ["js", "json"].map((language) => section.split(`\`\`\`${language}\n`)[1].split("```")[0]);
  const { name, compatibility_date, durable_objects, migrations, services } = JSON.parse(settings);
  const classes = migrations.flatMap(({ new_sqlite_classes }) => new_sqlite_classes);
  const durableObjects = Object.fromEntries(
    durable_objects.bindings.map((one) => [one.name, { className: one.class_name, useSQLite: classes.includes(one.class_name) }]),
  );
  const serviceBindings = Object.fromEntries(services.map(({ binding, service }) => [binding, service]));
  let heard;
  const printed = new Promise((resolve) => (heard = resolve));
  const stdio = (stdout) => void createInterface(stdout).on("line", (line) => line.includes("cat.jpg") && heard(line));
  const lab = await start(t, [{
    name,
    modules: await modulesOf(source),
    compatibilityDate: compatibility_date,
    durableObjects,
    serviceBindings,
  }], { stdio });
  const response = await fetch(await lab.miniflare.ready, { method: "POST", body: JSON.stringify({ name: "cat.jpg" }) });
  assert.match(await response.text(), /^\d+-0$/);
  assert.equal(await printed, "photos: cat.jpg");
});
