/**
 * Starts real browsers and a tiny server for the tests in this folder.
 *
 * `promise(name, body)` runs the same body in Chromium, in Firefox and in WebKit. Every test gets an origin of its own (a
 * server on a fresh port), so nothing stored is shared between tests; the browsers, with a profile on disk, are shared by a
 * process (`every.mjs` has all tests in one). Anything a page or a worker throws and nobody catches fails the test.
 */
import { after, test } from "node:test";
import { Browser } from "./browser.mjs";
import { dist, serve } from "./server.mjs";
import { hasWebKit } from "./webkit.mjs";

export { Browser, dist };

/** The browsers to test in: all that are here, unless POSTHASTE_BROWSERS names some. */
export const kinds = (process.env.POSTHASTE_BROWSERS ?? `chromium,firefox${hasWebKit ? ",webkit" : ""}`).split(",");

/** As `preferences`: pages that are left are kept as they are for the way back. Else they are not: they would hold memory. */
export const KEEP_PAGES = { "keep pages": true, "browser.sessionhistory.max_total_viewers": 4 };

class Skipped extends Error {}

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
    const page = await this.browser.tab();
    this.pages.add(page);
    page.removeAllListeners("crash");
    page.on("crash", () => this.pages.has(page) && this.faults.push(new Error(`the tab of ${path} crashed`)));
    await page.goto(new URL(path, this.origin).href);
    if (path === "/") await page.waitForFunction(() => globalThis.ready === true);
    return page;
  }

  /** Whether pages here can share memory at all; asked once a browser. */
  async canShare() {
    this.browser.canShare ??= await (this.home = await this.page()).evaluate(() =>
      crossOriginIsolated && typeof SharedArrayBuffer === "function"
    );
    return this.browser.canShare;
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

  /** What is tested can't be where this runs: `reason` says why. */
  skip(reason) {
    throw new Skipped(reason);
  }

  /** Lets what the pages have thrown by now arrive here. */
  async settle() {
    await Promise.all(
      [...this.pages].filter((page) => !page.isClosed()).map((page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))),
    );
  }

  async close() {
    this.context.removeAllListeners("weberror");
    await Promise.all([...this.pages].map((page) => this.browser.leave(page).catch(() => {})));
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
 * @param {{ browsers?: string[], own?: boolean, preferences?: Record<string, unknown>, where?: string[], seconds?: number, isolation?: boolean[], todo?: Record<string, string> }} [options]
 *   own: a browser of its own, for tests that kill it; where: ["page", "worker"] runs it in both (`world.run`);
 *   isolation: [false, true] runs it on pages that can't share memory and on pages that can;
 *   todo: browsers in which it is known not to be kept yet, and why.
 */
export function promise(name, body, options = {}) {
  const { browsers = kinds, own = false, preferences, where = ["page"], seconds = 60, isolation = [false], todo = {} } = options;
  for (const kind of browsers.filter((kind) => kinds.includes(kind))) {
    for (const [place, isolated] of where.flatMap((place) => isolation.map((isolated) => [place, isolated]))) {
      const label = [kind, ...(where.length > 1 ? [place] : []), ...(isolation.length > 1 ? [isolated ? "isolated" : "not isolated"] : [])]
        .join(", ");
      const skip = kind === "webkit" && (own ? "under WebDriver it keeps nothing on disk" : preferences && "its driver has no preferences");
      test(`${name} (${label})`, { timeout: seconds * 1000, skip, todo: todo[kind] }, async (context) => {
        const browser = own || preferences ? await new Browser(kind, preferences).start() : await sharedBrowser(kind);
        const world = new World(kind, browser, await serve(isolated, preferences === KEEP_PAGES), place, isolated);
        world.note = (text) => context.diagnostic(text);
        try {
          if (isolated && !(await world.canShare())) world.skip("no shared memory");
          await body(world);
          await world.settle();
          if (world.faults.length > 0) throw new AggregateError(world.faults, `uncaught in the page: ${world.faults.join("; ")}`);
        } catch (error) {
          if (!(error instanceof Skipped)) throw error;
          context.skip(error.message);
        } finally {
          await world.close();
          if (browser !== await shared.get(kind)) await browser.stop();
        }
      });
    }
  }
}
