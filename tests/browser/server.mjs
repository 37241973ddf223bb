/** A tiny server: the built package and the pages of this folder, each test's on an origin of its own. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const installed = join(here, "../node_modules/posthaste/dist");

/** The built package: the installed tarball is what users get; the build beside it serves while one works on it. */
export const dist = process.env.POSTHASTE_DIST ?? (existsSync(installed) ? installed : join(here, "../../pkg/dist"));
/** URL prefix -> folder. */
const folders = {
  "/posthaste/": dist,
  "/workerd/": join(here, "../workerd"),
  "/kills/": join(here, "../kills"),
  "/indexeddb/": join(here, "../sim/indexeddb"),
  "/": join(here, "pages"),
};
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".jpg": "image/jpeg",
  ".png": "image/png",
  ".webp": "image/webp",
};
const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "cross-origin",
};

/** The store in IndexedDB by itself, as `/store.js`: the package does not export it. */
const storeSource = {
  contents: 'export * from "./journal/indexeddb"; export { loadEngine, provide } from "./engine/load";',
  resolveDir: join(here, "../../pkg/src"),
};
let bundled;
const store =
  () => (bundled ??= build({ stdin: storeSource, bundle: true, format: "esm", write: false }).then(({ outputFiles: [{ contents }] }) =>
    contents
  ));

/** Origins that were used: the system gives ports again, with all that the browser keeps for them. */
const used = new Set();

/** `isolated`: pages get what shared memory needs. `kept`: pages may be kept for the way back. */
export async function serve(isolated, kept) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const prefix = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file = join(folders[prefix], normalize("/" + path.slice(prefix.length)).replace(/[/\\]$/, "/index.html"));
    const content = path === "/store.js" ? await store() : await readFile(file).catch(() => undefined);
    const type = types[extname(file)] ?? "application/octet-stream";
    // A missing icon is nobody's mistake; browsers ask for it unasked.
    const status = content ? 200 : ["/favicon.ico", "/clear-site-data"].includes(path) ? 204 : 404;
    const headers = {
      "content-type": type,
      "access-control-allow-origin": "*",
      "cache-control": kept ? "max-age=60" : "no-store",
      ...(isolated ? isolation : {}),
    };
    if (path === "/clear-site-data") headers["clear-site-data"] = '"storage"';
    response.writeHead(status, headers);
    response.end(status === 404 ? `no ${path}` : content);
  });
  do {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  } while (used.has(server.address().port));
  used.add(server.address().port);
  return server;
}
