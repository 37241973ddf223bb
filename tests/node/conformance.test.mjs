/** The suites that stores and queues pass, on what there is in Node without any storage of its own: memory. */

import { test } from "node:test";
import { openQueue } from "posthaste";
import { memoryStorage, queueCases, storeCases, virtualTime } from "posthaste/testing";

for (const one of storeCases) test(`store in memory: ${one.name}`, () => one.run(async () => memoryStorage()));

for (const one of queueCases) test(`memory queue: ${one.name}`, () => one.run(openQueue));

for (const one of queueCases) {
  test(`queue on a driver: ${one.name}`, () => {
    const storage = memoryStorage();
    return one.run((name, options) => openQueue(name, { ...options, storage }), virtualTime());
  });
}
