/**
 * Starts real browsers and a tiny server for the tests in this folder.
 *
 * `promise(name, body)` runs the same body in Chromium and in Firefox. Every test gets an origin of its own (a server
 * on a fresh port), so nothing stored is shared between tests; the browsers, with a profile on disk, are shared by a
 * file. Anything a page or a worker throws and nobody catches fails the test.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { subscribe } from "node:diagnostics_channel";
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, extname, join, normalize } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium, firefox } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = join(here, "../..");
const installed = join(here, "../node_modules/posthaste/dist");

/** The built package: the installed tarball is what users get; the build beside it serves while one works on it. */
export const dist = process.env.POSTHASTE_DIST ?? (existsSync(installed) ? installed : join(repository, "pkg/dist"));
/** URL prefix -> folder. */
const folders = { "/posthaste/": dist, "/wasm/": join(repository, "pkg/wasm"), "/workerd/": join(here, "../workerd"), "/": join(here, "pages") };
const types = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
  ".json": "application/json", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".jpg": "image/jpeg",
  ".png": "image/png", ".webp": "image/webp",
};
const places = {
  chromium: {
    variable: "POSTHASTE_CHROMIUM",
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome.exe",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"],
  },
  firefox: {
    variable: "POSTHASTE_FIREFOX",
    names: ["firefox-esr", "firefox", "firefox.exe", "/Applications/Firefox.app/Contents/MacOS/firefox"],
  },
};
const chromiumArguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** The browsers to test in: both, unless POSTHASTE_BROWSERS names one. */
export const kinds = (process.env.POSTHASTE_BROWSERS ?? "chromium,firefox").split(",");

const spawned = [];
subscribe("child_process", ({ process: child }) => spawned.push(child));

function executable(kind) {
  const { variable, names } = places[kind];
  if (process.env[variable]) return process.env[variable];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = names.flatMap((name) => folders.map((folder) => (name.startsWith("/") ? name : join(folder, name))))
    .find((path) => existsSync(path));
  if (!found) throw new Error(`no ${kind} found: install it, or set ${variable} to its path`);
  return found;
}

/** One running browser on a profile of its own on disk (a private window would keep IndexedDB in memory). */
export class Browser {
  /** @param {Record<string, unknown>} preferences Firefox's about:config */
  constructor(kind, preferences = {}) {
    this.kind = kind;
    this.preferences = preferences;
    this.profile = mkdtempSync(join(tmpdir(), "posthaste-browser-"));
  }

  async start() {
    const executablePath = executable(this.kind);
    const first = spawned.length;
    this.context = this.kind === "chromium"
      ? await chromium.launchPersistentContext(this.profile, { executablePath, headless: true, args: chromiumArguments })
      : await firefox.launchPersistentContext(this.profile, {
        executablePath, headless: true, channel: "moz-firefox", firefoxUserPrefs: this.preferences,
      });
    this.process = spawned.slice(first).find((child) => child.spawnfile === executablePath);
    return this;
  }

  /** Ends the browser with everything it started, at once, with no chance to save anything. */
  async kill() {
    const closed = new Promise((resolve) => this.context.once("close", resolve));
    if (process.platform === "win32") spawnSync("taskkill", ["/pid", String(this.process.pid), "/T", "/F"]);
    else process.kill(-this.process.pid, "SIGKILL");
    await closed;
  }

  async stop() {
    await this.context?.close();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** `isolated`: pages get what shared memory needs. */
async function serve(isolated) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const prefix = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file = join(folders[prefix], normalize("/" + path.slice(prefix.length)).replace(/[/\\]$/, "/index.html"));
    const content = await readFile(file).catch(() => undefined);
    const type = types[extname(file)] ?? "application/octet-stream";
    // A missing icon is nobody's mistake; browsers ask for it unasked.
    const status = content ? 200 : ["/favicon.ico", "/clear-site-data"].includes(path) ? 204 : 404;
    const headers = { "content-type": type, "cache-control": "no-store" };
    if (isolated) Object.assign(headers, { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "cross-origin" });
    if (path === "/clear-site-data") headers["clear-site-data"] = '"storage"';
    response.writeHead(status, headers);
    response.end(status === 404 ? `no ${path}` : content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** What a test gets: an origin of its own, pages on it, and the power to kill the browser. */
class World {
  faults = [];
  pages = new Set();

  constructor(kind, browser, server, where, isolated) {
    Object.assign(this, { kind, browser, server, where, isolated });
    this.origin = `http://127.0.0.1:${server.address().port}`;
    this.listen();
  }

  get context() {
    return this.browser.context;
  }

  listen() {
    this.context.on("weberror", (event) => this.faults.push(event.error()));
  }

  /** A new tab on this origin (or at a whole address); by default the page that has the package and `pages/check.mjs` as globals. */
  async page(path = "/") {
    const page = await this.context.newPage();
    this.pages.add(page);
    page.on("crash", () => this.pages.has(page) && this.faults.push(new Error(`the tab of ${path} crashed`)));
    await page.goto(new URL(path, this.origin).href);
    if (path === "/") await page.waitForFunction(() => globalThis.ready === true);
    return page;
  }

  /** Runs `code(argument)` where the test runs: in a page, or in a module worker of one. */
  async run(code, argument) {
    this.home ??= await this.page();
    if (this.where !== "worker") return this.home.evaluate(code, argument);
    if (!this.started) await startWorker(this.home, "sweep");
    this.started = true;
    return inWorker(this.home, "sweep", code, argument);
  }

  /** The browser dies with everything in it, and comes back on the same profile. */
  async crash() {
    await this.browser.kill();
    this.pages.clear();
    this.home = undefined;
    await this.browser.start();
    this.listen();
  }

  /** The tab's process dies (Chromium only: Firefox offers no door to it). */
  async crashTab(page) {
    this.pages.delete(page);
    const crashed = new Promise((resolve) => page.once("crash", resolve));
    const session = await this.context.newCDPSession(page);
    session.send("Page.crash").catch(() => {});
    await crashed;
    await page.close();
  }

  /** Lets what the pages have thrown by now arrive here. */
  async settle() {
    await Promise.all([...this.pages].filter((page) => !page.isClosed()).map((page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))));
  }

  async close() {
    this.context.removeAllListeners("weberror");
    await Promise.all([...this.pages].map((page) => page.close().catch(() => {})));
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A module worker of `page`, known there as `name`, with the same globals as a page. */
export async function startWorker(page, name) {
  await page.evaluate((name) => globalThis.startWorker(name), name);
}

/** Runs `code(argument)` in a worker started by `startWorker`. */
export async function inWorker(page, name, code, argument) {
  return page.evaluate(([name, code, argument]) => globalThis.askWorker(name, code, argument), [name, String(code), argument]);
}

const shared = new Map();
async function sharedBrowser(kind) {
  if (!shared.has(kind)) shared.set(kind, new Browser(kind).start());
  return shared.get(kind);
}
after(async () => {
  for (const browser of shared.values()) await (await browser).stop();
});

/**
 * One promise, kept in every browser.
 * @param {(world: World) => Promise<void>} body
 * @param {{ browsers?: string[], own?: boolean, preferences?: Record<string, unknown>, where?: string[], seconds?: number, isolation?: boolean[] }} [options]
 *   own: a browser of its own, for tests that kill it; where: ["page", "worker"] runs it in both (`world.run`);
 *   isolation: [false, true] runs it on pages that can't share memory and on pages that can.
 */
export function promise(name, body, options = {}) {
  const { browsers = kinds, own = false, preferences, where = ["page"], seconds = 60, isolation = [false] } = options;
  for (const kind of browsers.filter((kind) => kinds.includes(kind))) {
    for (const [place, isolated] of where.flatMap((place) => isolation.map((isolated) => [place, isolated]))) {
      const label = [kind, ...(where.length > 1 ? [place] : []), ...(isolation.length > 1 ? [isolated ? "isolated" : "not isolated"] : [])].join(", ");
      test(`${name} (${label})`, { timeout: seconds * 1000 }, async () => {
        const browser = own || preferences ? await new Browser(kind, preferences).start() : await sharedBrowser(kind);
        const world = new World(kind, browser, await serve(isolated), place, isolated);
        try {
          await body(world);
          await world.settle();
          if (world.faults.length > 0) throw new AggregateError(world.faults, `uncaught in the page: ${world.faults.join("; ")}`);
        } finally {
          await world.close();
          if (browser !== await shared.get(kind)) await browser.stop();
        }
      });
    }
  }
}
