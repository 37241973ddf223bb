/** The names that users, and other versions of the package, read in its bundles are those that its sources have. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { contracts, ownNames } from "../../xtask/names.mjs";
import { application, installed } from "./application.mjs";

const sources = new URL("../../pkg/", import.meta.url).pathname;
const bare = (file) => readFileSync(file, "utf8").replace(/\/\*[^]*?\*\/|\/\/.*/g, "");

test("no name of a public declaration is shortened", () => {
  const declarations = readdirSync(installed, { recursive: true }).filter((name) => name.startsWith("dist") && name.endsWith(".d.ts"));
  const properties = declarations.flatMap((name) =>
    [...bare(join(installed, name)).matchAll(/(?<![\w$])([a-z][\w$]*)["']?\??\s*[:(<]/g)].map(([, property]) => property)
  );
  assert.ok(properties.length > 500);
  // What begins with a capital is a type; or a class, where it is looked up in an object.
  const texts = readdirSync(join(sources, "src"), { recursive: true }).filter((name) => name.endsWith(".ts")).map((name) =>
    bare(join(sources, "src", name))
  );
  const types = new Set(texts.flatMap((text) => [...text.matchAll(/\b(?:class|interface|type) (\w+)/g)].map(([, name]) => name)));
  properties.push(
    ...texts.flatMap((text) => [...text.matchAll(/\.([A-Z][a-z]\w*)/g)].map(([, name]) => name)).filter((name) => !types.has(name)),
  );
  const shortened = ownNames(sources);
  assert.deepEqual([...new Set(properties)].filter((name) => shortened.test(name)), []);
});

test("every name that is listed is one of the sources, once", () => {
  const texts = readdirSync(join(sources, "src"), { recursive: true }).filter((name) => name.endsWith(".ts")).map((name) =>
    bare(join(sources, "src", name))
  );
  const used = new Set(texts.flatMap((text) => text.match(/[a-zA-Z_$][\w$]*/g) ?? []));
  assert.deepEqual(contracts().filter((name) => !used.has(name)), []);
});

/** Every key of a value, and of what is in it. */
const keysOf = (value) =>
  value && typeof value === "object" && !ArrayBuffer.isView(value)
    ? [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(keysOf)]
    : [];

test("a Worker says to its object, which may be of another version, only names that are listed", async () => {
  const folder = application({});
  const bundle = join(folder, "node_modules/posthaste/dist/cloudflare/index.js");
  const platform = `data:text/javascript,${
    encodeURIComponent("export class DurableObject {} export class RpcTarget {} export class WorkerEntrypoint {}; export const env = {};")
  }`;
  writeFileSync(bundle, readFileSync(bundle, "utf8").replaceAll("cloudflare:workers", platform));
  const { openQueue } = await import(pathToFileURL(bundle));

  const calls = [];
  const answers = { open: { policy: Array(20).fill(30_000), durability: "relaxed" } };
  const namespace = {
    idFromName: (name) => name,
    get: () => ({
      posthaste: (call) => {
        calls.push(structuredClone(call));
        return call.kind in answers
          ? Promise.resolve({ value: answers[call.kind] })
          : Promise.reject(new DOMException("enough", "DataCloneError"));
      },
    }),
  };
  const queue = await openQueue(namespace, "jobs", { maxRetries: 3, capacity: { messages: 10 } });
  const said = [
    queue.send({ to: "Ada" }, { delaySeconds: 1, headers: { a: "b" }, idempotencyKey: "k", expirationSeconds: 60 }),
    queue.receive({ max: 2, wait: 1 }),
    queue.metrics(),
    queue.peek({ max: 3, state: "ready" }),
    queue.purge(),
    queue.pause(),
    queue.cancel("7-0"),
    queue.redrive({ to: "jobs", max: 5, ratePerSecond: 2 }),
  ];
  assert.deepEqual((await Promise.allSettled(said)).map(({ status }) => status), said.map(() => "rejected"));
  const kinds = calls.map(({ kind }) => kind).sort();
  assert.deepEqual([...new Set(kinds)], ["cancel", "metrics", "open", "pause", "peek", "purge", "receive", "redrive", "send"]);

  const listed = new Set(contracts());
  const own = new Set(["a"]);
  const keys = [...new Set(calls.flatMap(keysOf))].filter((key) => !own.has(key));
  assert.deepEqual(keys.filter((key) => !listed.has(key)), []);
  // As calls.ts declares them: a name that was shortened, and listed short, would not be among these.
  for (
    const name of ["version", "queue", "policy", "kind", "sends", "whole", "bodies", "bytes", "lengths", "terms", "delayMs", "expiresMs",
      "key", "headers", "leaseMs", "rate", "number", "index"]
  ) {
    assert.ok(keys.includes(name), `a call that names ${name}`);
  }
});
