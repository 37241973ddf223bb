/** Runs the suite of stores on a storage in memory, and the suite of queues on memory queues; answers what failed. */
import { memoryStorage, queueCases, storeCases } from "posthaste/testing";

export async function suites(openQueue) {
  const failures = [];
  const storage = async () => memoryStorage();
  for (const { name, run } of storeCases) await run(storage).catch((error) => failures.push(`${name}: ${error.stack}`));
  for (const { name, run } of queueCases) await run(openQueue).catch((error) => failures.push(`${name}: ${error.stack}`));
  return { cases: storeCases.length + queueCases.length, failures };
}
