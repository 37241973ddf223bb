/** Runs the suites that serializers, stores and queues pass, those of stores and queues on Deno KV, each case on a database of its own in `folder`; says what failed. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";
import { queueCases, serializerCases, serializers, storeCases } from "posthaste/testing";

const [folder] = Deno.args;
let made = 0;
const kvs = [];
const make = async () => {
  const kv = await Deno.openKv(`${folder}/${(made += 1)}.db`);
  kvs.push(kv);
  return kvStorage(kv);
};
const tried = async (name, running) => {
  await running.catch((error) => console.log(`${name}: ${error.stack}`));
  for (const kv of kvs.splice(0)) kv.close();
};

for (const serializer of serializers) for (const { name, run } of serializerCases) await tried(name, run(serializer));
for (const { name, run } of storeCases) await tried(name, run(make));
for (const { name, run } of queueCases) {
  const storage = await make();
  await tried(name, run((queue, options) => openQueue(queue, { ...options, storage })));
}
console.log(`${serializerCases.length + storeCases.length + queueCases.length} cases`);
