// Starts the machine's Chromium or Firefox on a fresh profile directory. A persistent context on purpose: the default
// one is incognito, where IndexedDB lives in memory and every durable figure is a fiction.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const quietFlags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const exactFlags = ["--enable-precise-memory-info", "--js-flags=--expose-gc"];

const browsers = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    asked: "CHROMIUM",
    launch: { args: [...quietFlags, ...exactFlags] },
  },
  firefox: {
    names: ["firefox-esr", "firefox"],
    asked: "FIREFOX",
    launch: { args: ["-headless"], channel: "moz-firefox", firefoxUserPrefs: { "privacy.reduceTimerPrecision": false } },
  },
};

/**
 * @param {object} playwright the module `playwright-core`
 * @param {"chromium" | "firefox"} name
 * @returns {Promise<{version: string, page: object, profile: string, close(): Promise<void>}>} `profile`: its directory
 */
async function start(playwright, name) {
  const { names, asked, launch } = browsers[name];
  const executablePath = process.env[asked] ?? find(names);
  if (!executablePath)
    throw new Error(`no ${name} on this machine (looked for ${names.join(", ")}): install one, or set ${asked} to its path`);
  const profile = await mkdtemp(join(tmpdir(), "posthaste-bench-"));
  const gone = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await playwright[name].launchPersistentContext(profile, { executablePath, ...launch });
    const page = context.pages()[0] ?? (await context.newPage());
    const version = context.browser()?.version() ?? (await page.evaluate(() => navigator.userAgent));
    return { version, page, profile, close: () => context.close().then(gone) };
  } catch (error) {
    await gone();
    throw error;
  }
}

/**
 * Opens the benchmarks' page in a browser of its own, and closes it when `work` is done.
 * @param {object} how
 * @param {object} how.playwright
 * @param {"chromium" | "firefox"} how.browser
 * @param {string} how.origin of the server
 * @param {(progress: object) => void} how.progress what the page calls as `told`
 * @param {(page: object, profile: string) => Promise<object>} work
 * @returns {Promise<object>} what `work` answered, and the browser's version
 */
export async function inPage({ playwright, browser, origin, progress }, work) {
  const { page, profile, version, close } = await start(playwright, browser);
  try {
    page.on("pageerror", (error) => console.error(error));
    page.setDefaultTimeout(0);
    await page.exposeFunction("told", progress);
    await page.goto(`${origin}/www/bench/index.html`);
    return { ...(await work(page, profile)), browser: `${browser} ${version}` };
  } finally {
    await close();
  }
}

function find(names) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
