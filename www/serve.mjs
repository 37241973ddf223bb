// Serves the pages and the built package on this machine, cross-origin isolated: `node www/serve.mjs [port]`.

import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle, contendersRooms } from "./bench/workers/bundle.mjs";

const PORT = 5173;
const PORTS_TRIED = 20;

const root = fileURLToPath(new URL("../", import.meta.url));

/** Folders by the path they are served under; the first that fits is taken. */
const ROOMS = {
  "/pkg/dist/": join(root, "pkg/dist"),
  // What the benchmarks compare with.
  "/tests/node_modules/dexie/": join(root, "tests/node_modules/dexie"),
  ...contendersRooms(root),
  "/": join(root, "www"),
};

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

/**
 * Serves `rooms`; a port that is taken gives way to the next one. Port 0 is any.
 * @param {Record<string, string>} [rooms] folders by the path they are served under, longer paths first
 * @param {number} [port]
 * @returns {Promise<{ origin: string, close(): void }>}
 */
export async function serve(rooms = ROOMS, port = PORT) {
  const server = createServer((request, response) => {
    answer(rooms, request, response).catch(() => response.destroy());
  });
  for (let next = port;; next++) {
    try {
      await new Promise((resolve, reject) => server.once("error", reject).listen(next, "localhost", resolve));
      break;
    } catch (error) {
      if (error.code !== "EADDRINUSE" || port === 0 || next >= port + PORTS_TRIED) throw error;
    }
  }
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin: `http://localhost:${server.address().port}`, close };
}

async function answer(rooms, request, response) {
  const refuse = (status, text) => response.writeHead(status, { ...HEADERS, "content-type": TYPES[".txt"] }).end(text);
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "GET or HEAD only\n");

  let path;
  try {
    path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  } catch {
    return refuse(400, "not a path\n");
  }
  const prefix = Object.keys(rooms).find((prefix) => path.startsWith(prefix));
  const found = prefix && (await find(rooms[prefix], path.slice(prefix.length)));
  if (!found) return refuse(404, `${path} is not there\n`);
  // Relative addresses in a page count from its folder, so a folder must end in a slash.
  if (found.folder && !path.endsWith("/")) return response.writeHead(302, { ...HEADERS, location: `${path}/` }).end();

  const type = TYPES[extname(found.file).toLowerCase()] ?? "application/octet-stream";
  response.writeHead(200, { ...HEADERS, "content-type": type, "content-length": found.bytes });
  if (request.method === "HEAD") return response.end();
  createReadStream(found.file).on("error", () => response.destroy()).pipe(response);
}

/** The file that `path` means in `room`, or undefined: not there, or not inside the room by whatever way. */
async function find(room, path) {
  try {
    const home = await realpath(room);
    let file = await realpath(join(home, path));
    if (file !== home && !file.startsWith(home + sep)) return undefined;
    let info = await stat(file);
    const folder = info.isDirectory();
    if (folder) info = await stat(file = join(file, "index.html"));
    return info.isFile() ? { file, folder, bytes: info.size } : undefined;
  } catch {
    return undefined;
  }
}

if (process.argv[1] && (await realpath(process.argv[1])) === fileURLToPath(import.meta.url)) {
  // The demo does without.
  await bundle(root).catch(({ message }) => console.error(`the worker benchmark will not run: ${message}`));
  const { origin } = await serve(ROOMS, Number(process.argv[2] ?? PORT));
  console.log(`\n  ${origin}/demo/\n\n  Ctrl+C stops it.`);
}
