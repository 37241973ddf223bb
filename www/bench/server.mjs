// Serves the benchmark's page, the built package and what it is compared with to a browser on this machine, and nothing
// else.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

/** With these a page may share memory between its workers. */
const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/**
 * @param {Record<string, string>} rooms folders by the path they are served under ("/www/bench/")
 * @param {object} [options]
 * @param {boolean} [options.isolated] whether pages are cross-origin isolated, default not
 * @returns {Promise<{origin: string, close(): void}>}
 */
export async function serve(rooms, { isolated = false } = {}) {
  const headers = { "cache-control": "no-store", ...(isolated && isolation) };
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const room = Object.keys(rooms).find((prefix) => path.startsWith(prefix));
    const inside = room && normalize(path.slice(room.length));
    try {
      if (!room || inside.startsWith("..") || inside.startsWith(sep)) throw new Error("not served");
      const content = await readFile(join(rooms[room], inside || "index.html"));
      response.writeHead(200, { ...headers, "content-type": types[extname(inside || ".html")] ?? "application/octet-stream" });
      response.end(content);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end(`${path} is not there`);
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
