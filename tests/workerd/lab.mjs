// A real workerd, by miniflare: a Worker with queues in Durable Objects, and a consumer of what they push.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare, Response } from "miniflare";

const here = path.dirname(fileURLToPath(import.meta.url));
export { Response };
export const COMPATIBILITY_DATE = "2026-07-01";

/** The modules of a Worker, bundled as Cloudflare's own tool does it: the module of wasm stays a module. */
export async function modulesOf(entry, folder = here) {
  const given = entry.includes("\n")
    ? { stdin: { contents: entry, resolveDir: folder, sourcefile: "worker.mjs" } }
    : { entryPoints: [path.join(folder, entry)] };
  const { outputFiles } = await build({
    ...given,
    absWorkingDir: folder,
    outdir: "bundle",
    entryNames: "worker",
    assetNames: "[name]-[hash]",
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    loader: { ".wasm": "copy" },
    // The package as it is built, not as its own sources see it.
    tsconfigRaw: {},
  });
  return outputFiles
    .map((
      { path: file, contents, text },
    ) => (file.endsWith(".wasm")
      ? { type: "CompiledWasm", path: path.basename(file), contents }
      : { type: "ESModule", path: path.basename(file), contents: text })
    )
    .sort((a) => (a.type === "ESModule" ? -1 : 1));
}

let made;

/**
 * The Worker of worker.mjs, and the consumer of handler.mjs. `seen` is called with what was handled. `events`: the object
 * may push by the platform's events; else it calls the handler.
 */
export async function workers({ seen = () => undefined, events = true, main = {}, consumer = {} } = {}) {
  const [modules, handler] = await (made ??= Promise.all([modulesOf("worker.mjs"), modulesOf("handler.mjs")]));
  const compatibilityDate = COMPATIBILITY_DATE;
  const compatibilityFlags = ["nodejs_compat", ...(events ? ["service_binding_extra_handlers", "experimental"] : [])];
  const durableObjects = { QUEUES: { className: "Queues", useSQLite: true }, FLAKY: { className: "Flaky", useSQLite: true } };
  const SEEN = async (request) => new Response(String(seen(await request.json())));
  return [
    {
      name: "main",
      modules,
      compatibilityDate,
      compatibilityFlags,
      durableObjects,
      serviceBindings: { CONSUMER: "consumer", SEEN },
      ...main,
    },
    { name: "consumer", modules: handler, compatibilityDate, serviceBindings: { SEEN }, ...consumer },
  ];
}

/** A folder for what objects keep, gone after the test. */
export function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), "posthaste-workerd-"));
  t?.after(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

/** The processes of workerd that this one started. */
function children() {
  return readdirSync("/proc").filter((id) => /^\d+$/.test(id)).filter((id) => {
    try {
      return readFileSync(`/proc/${id}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[1] === String(process.pid) &&
        readFileSync(`/proc/${id}/cmdline`, "utf8").includes("workerd");
    } catch {
      return false;
    }
  }).map(Number);
}

/** Starts workerd. `kill` ends it as a crash does. */
export async function start(t, workers, options = {}) {
  const before = new Set(children());
  const miniflare = new Miniflare({ workers, handleRuntimeStdio: options.stdio, ...options.miniflare });
  const url = await miniflare.ready;
  const pid = children().find((id) => !before.has(id));
  const lab = {
    miniflare,
    pid,
    async ask(what, ...args) {
      const response = await fetch(url, { method: "POST", body: JSON.stringify([what, ...args]) });
      const text = await response.text();
      if (!response.ok) throw Object.assign(new Error(text), { status: response.status });
      return text ? JSON.parse(text) : undefined;
    },
    kill: () => process.kill(pid, "SIGKILL"),
    dispose: () => miniflare.dispose(),
  };
  t?.after(() => lab.dispose());
  return lab;
}

/** What handlers reported, and waiting for it. */
export class Heard {
  reports = [];
  #waiting = [];

  hear = (report) => {
    this.reports.push(report);
    for (const look of [...this.#waiting]) look();
  };

  /** Resolves with those that fit, once there are `count`. */
  of(fits, count) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.reports.filter(fits);
        if (found.length < count) return;
        this.#waiting.splice(this.#waiting.indexOf(look), 1);
        resolve(found);
      };
      this.#waiting.push(look);
      look();
    });
  }
}
