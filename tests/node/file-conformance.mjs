// Runs the suites of posthaste/testing, those of stores and queues on folders below the one that the command line names, and says the name of each case
// that is well. Runs in Bun as in Node.
import path from "node:path";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";
import { queueCases, serializerCases, serializers, storeCases, virtualTime } from "posthaste/testing";

let folders = 0;
const storage = (base) => fileStorage(path.join(base, String(folders += 1)));

/** Each case, as a function of a folder to make folders in. */
export const suites = [
  ...serializers.flatMap((serializer, at) => serializerCases.map(({ name, run }) => [`serializer ${at}: ${name}`, () => run(serializer)])),
  ...storeCases.map(({ name, run }) => [`store in a folder: ${name}`, (base) => run(async () => storage(base))]),
  ...queueCases.map(({ name, run }) => [`queue in a folder: ${name}`, (base) => {
    const one = storage(base);
    return run((name, options) => openQueue(name, { ...options, storage: one }), virtualTime());
  }]),
];

if (process.argv[2]) {
  for (const [name, run] of suites) {
    await run(process.argv[2]).then(() => console.log(name), (error) => console.log(`${name}: ${error.stack}`));
  }
  process.exit();
}
