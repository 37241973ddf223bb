// Runs the suites of posthaste/testing: those of stores in an object each, those of queues and serializers in the Worker.
import { QueueObject, openQueue, sqliteStorage } from "posthaste/cloudflare";
import { queueCases, realTime, serializerCases, serializers, storeCases } from "posthaste/testing";
import { answering } from "./answering.mjs";

const named = (cases, name) => cases.find((one) => one.name === name);

/** A storage beside the object's own: the same, with other tables. */
const beside = ({ sql, ...storage }, prefix) => ({
  ...storage,
  sql: { exec: (query, ...bindings) => sql.exec(query.replaceAll("posthaste_", prefix), ...bindings), databaseSize: sql.databaseSize },
});

export class Queues extends QueueObject {
  async runStore(name) {
    const { storage } = this.ctx;
    const own = { sql: storage.sql, transactionSync: (step) => storage.transactionSync(step), sync: () => storage.sync() };
    let made = 0;
    await named(storeCases, name).run(async () => sqliteStorage(beside(own, `posthaste${(made += 1)}_`)));
  }
}

const actions = {
  names: () => ({
    serializers: serializerCases.map(({ name }) => name),
    stores: storeCases.map(({ name }) => name),
    queues: queueCases.map(({ name }) => name),
  }),
  serializer: async (_, name) => {
    for (const serializer of serializers) await named(serializerCases, name).run(serializer);
  },
  store: (env, name) => env.QUEUES.get(env.QUEUES.idFromName(name)).runStore(name),
  queue: (env, name) =>
    named(queueCases, name).run((queue, options) => openQueue(env.QUEUES, queue, { object: "all", ...options }), realTime()),
};

export default answering(actions);
