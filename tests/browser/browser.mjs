/** Real browsers, each on a profile of its own on disk: Chromium and Firefox by Playwright, WebKit by its own driver. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { subscribe } from "node:diagnostics_channel";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium, firefox } from "playwright-core";
import { Driven } from "./driven.mjs";
import { webkit } from "./webkit.mjs";

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
const firefoxPreferences = { "browser.sessionhistory.max_total_viewers": 0 };

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

/** Chromium without Playwright, which would have every page think that someone looks at it. */
const drivenChromium = () =>
  new Driven({
    driver: "chromedriver",
    capabilities: { "goog:chromeOptions": { binary: executable("chromium"), args: [...chromiumArguments, "--disable-popup-blocking"] } },
  });

/** One running browser (a private window would keep IndexedDB in memory). */
export class Browser {
  #idle = [];

  /** @param {Record<string, unknown>} preferences Firefox's about:config; "keep pages": Chromium keeps pages that were left; "driven": it is driven by its own driver */
  constructor(kind, preferences = {}) {
    this.kind = kind;
    this.preferences = preferences;
    this.driven = kind === "webkit" || preferences.driven;
    if (!this.driven) this.profile = mkdtempSync(join(tmpdir(), "posthaste-browser-"));
  }

  async start() {
    this.#idle = [];
    const { "keep pages": keep, driven, ...preferences } = this.preferences;
    if (this.kind === "webkit" || driven) {
      this.context = await (driven ? drivenChromium() : webkit()).start();
      return this;
    }
    const executablePath = executable(this.kind);
    const first = spawned.length;
    this.context = this.kind === "chromium"
      ? await chromium.launchPersistentContext(this.profile, {
        executablePath,
        headless: true,
        args: chromiumArguments,
        ignoreDefaultArgs: keep ? ["--disable-back-forward-cache"] : [],
      })
      : await firefox.launchPersistentContext(this.profile, {
        executablePath,
        headless: true,
        channel: "moz-firefox",
        firefoxUserPrefs: { ...firefoxPreferences, ...preferences },
      });
    this.process = spawned.slice(first).find((child) => child.spawnfile === executablePath);
    return this;
  }

  /** An empty tab: one that was left, or a new one. */
  async tab() {
    return this.#idle.pop() ?? this.context.newPage();
  }

  /** Gives a tab back: opening one takes longer than anything most tests do in it. */
  async leave(page) {
    if (page.isClosed()) return;
    await page.goto("about:blank").then(() => this.#idle.push(page), () => page.close());
  }

  /** Ends the browser with everything it started, at once, with no chance to save anything. */
  async kill() {
    const closed = new Promise((resolve) => this.context.once("close", resolve));
    if (this.driven) this.context.kill();
    else if (process.platform === "win32") spawnSync("taskkill", ["/pid", String(this.process.pid), "/T", "/F"]);
    else process.kill(-this.process.pid, "SIGKILL");
    await closed;
  }

  async stop() {
    await this.context?.close();
    if (this.profile) rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
