/** The suites of posthaste/testing, in workerd: an object's SQLite is a store, and what it keeps is a queue, as any other. */

import { after, test } from "node:test";
import { COMPATIBILITY_DATE, modulesOf, start } from "./lab.mjs";

const worker = {
  name: "main",
  modules: await modulesOf("conformance-worker.mjs"),
  compatibilityDate: COMPATIBILITY_DATE,
  durableObjects: { QUEUES: { className: "Queues", useSQLite: true } },
};
const lab = await start(undefined, [worker]);
after(() => lab.dispose());

const { serializers, stores, queues } = await lab.ask("names");
for (const name of serializers) test(`serializer: ${name}`, () => lab.ask("serializer", name));
for (const name of stores) test(`store: ${name}`, () => lab.ask("store", name));
for (const name of queues) test(`queue: ${name}`, () => lab.ask("queue", name));
