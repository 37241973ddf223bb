// Makes one file of the package broadcast-channel, which imports others by bare names: workers have no import map. It
// goes where only installed things are, as nobody wrote it.

import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * @param {string} root of the repository
 * @returns {Promise<void>} rejects where the development tools are not installed
 */
export async function bundle(root) {
  const tools = createRequire(join(root, "tests/package.json"));
  await tools("esbuild").build({
    stdin: { contents: 'export { BroadcastChannel } from "broadcast-channel";', resolveDir: join(root, "tests") },
    outfile: join(root, "tests/node_modules/.posthaste-bench/broadcast-channel.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "error",
  });
}

/** The folders that the contenders' modules are loaded from, by the path they are served under. */
export function contendersRooms(root) {
  const names = ["comlink", "ringbuf.js", "msgpackr", ".posthaste-bench"];
  return Object.fromEntries(names.map((name) => [`/tests/node_modules/${name}/`, join(root, "tests/node_modules", name)]));
}
