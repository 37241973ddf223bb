/** What is killed in a browser: three tabs and two workers on one IndexedDB, that reload, close and crash, and the browser itself. */
import { Browser } from "../browser/browser.mjs";
import { serve } from "../browser/server.mjs";

const TABS = 3;
const WORKERS = 2;

export class BrowserHome {
  tabs = [];
  #names = 0;

  constructor(kind, ledger, random) {
    Object.assign(this, { kind, ledger, random });
  }

  async start() {
    this.browser = await new Browser(this.kind).start();
    this.server = await serve(false, false);
    this.origin = `http://127.0.0.1:${this.server.address().port}/`;
    await this.#open();
  }

  async stop() {
    await this.browser.stop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #open() {
    this.tabs = [];
    for (let at = 0; at < TABS; at += 1) this.tabs.push(await this.#tab(at < WORKERS));
  }

  #name(what) {
    return `${what}${this.#names++}`;
  }

  /** A tab at work, and a worker in it. */
  async #tab(hasWorker) {
    const tab = { page: await this.browser.context.newPage(), hasWorker };
    await tab.page.goto(this.origin);
    await this.#begin(tab);
    return tab;
  }

  /** The page of a tab is new. */
  async #begin(tab) {
    await tab.page.waitForFunction(() => globalThis.ready === true);
    tab.context = this.#name("tab");
    await tab.page.evaluate(async ([ledger, context]) => {
      const { work } = await import("/kills/work.mjs");
      work({ openQueue, storage: "indexeddb", ledger, context }).catch(() => {});
    }, [this.ledger.url, tab.context]);
    if (tab.hasWorker) await this.#worker(tab);
  }

  async #worker(tab) {
    tab.worker = this.#name("worker");
    await tab.page.evaluate(async ([ledger, context]) => {
      await startWorker(context);
      await askWorker(context, async ([ledger, context]) => {
        const { work } = await import("/kills/work.mjs");
        work({ openQueue, storage: "indexeddb", ledger, context }).catch(() => {});
      }, [ledger, context]);
    }, [this.ledger.url, tab.worker]);
  }

  #contexts(tabs) {
    return tabs.flatMap(({ context, worker }) => (worker ? [context, worker] : [context]));
  }

  /** Kills something. Answers what, what that held, and since when others could have that. */
  async kill() {
    const way = this.random(100);
    if (way < 10) return this.#browser();
    const tab = this.tabs[this.random(way < 50 ? WORKERS : TABS)];
    if (way < 50) return this.#terminate(tab);
    if (way < 80) return this.#reload(tab);
    if (way < 92 || this.kind !== "chromium") return this.#close(tab);
    return this.#crash(tab);
  }

  async #terminate(tab) {
    const held = this.ledger.dies([tab.worker]);
    await tab.page.evaluate((name) => terminateWorker(name), tab.worker);
    const from = performance.now();
    await this.#worker(tab);
    return { what: "a worker terminated", held, from };
  }

  async #reload(tab) {
    const held = this.ledger.dies(this.#contexts([tab]));
    // Firefox may answer before the page is another: whoever began to work in this one would go with it.
    await tab.page.evaluate(() => {
      globalThis.ready = false;
    });
    await tab.page.reload({ waitUntil: "commit" });
    const from = performance.now();
    await this.#begin(tab);
    return { what: "a tab reloaded", held, from };
  }

  async #close(tab) {
    const held = this.ledger.dies(this.#contexts([tab]));
    await tab.page.close();
    const from = performance.now();
    Object.assign(tab, await this.#tab(tab.hasWorker));
    return { what: "a tab closed", held, from };
  }

  async #crash(tab) {
    const held = this.ledger.dies(this.#contexts([tab]));
    const session = await this.browser.context.newCDPSession(tab.page);
    const crashed = new Promise((resolve) => tab.page.once("crash", resolve));
    session.send("Page.crash").catch(() => {});
    await crashed;
    const from = performance.now();
    await tab.page.close();
    Object.assign(tab, await this.#tab(tab.hasWorker));
    return { what: "a tab crashed", held, from };
  }

  async #browser() {
    const held = this.ledger.dies(this.#contexts(this.tabs));
    await this.browser.kill();
    const before = this.ledger.opened.size;
    await this.browser.start();
    const opened = this.ledger.until(() => this.ledger.opened.size > before, "a queue to open").then(() => performance.now());
    await this.#open();
    return { what: "the browser killed", held, from: await opened };
  }
}
