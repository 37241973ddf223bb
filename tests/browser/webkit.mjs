/**
 * WebKit as Debian packs it (`webkit2gtk-driver`), by WebDriver (https://www.w3.org/TR/webdriver2/) over HTTP, with as much
 * of Playwright's surface as the tests use. It has no headless mode: a display of its own (Xvfb) stands in for one.
 *
 * WebDriver does one thing at a time, in one window at a time. So code is started in its page, and asked for what became
 * of it in turns: the code of several pages runs at once, as the tests want it.
 */
import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

/** Without these: no shared memory, and a search for a graphics card. */
const surroundings = {
  JSC_useSharedArrayBuffer: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1", WEBKIT_DISABLE_DMABUF_RENDERER: "1", GDK_BACKEND: "x11", NO_AT_BRIDGE: "1",
};
/** How long one window may keep the driver, in milliseconds, when other windows wait and when none does. */
const TURN_MS = 5;
const ALONE_MS = 200;

const miniBrowser = () => {
  const libraries = "/usr/lib";
  return ["", ...readdirSync(libraries)].flatMap((folder) => ["webkit2gtk-4.1", "webkit2gtk-4.0", "webkitgtk-6.0"].map((api) => join(libraries, folder, api, "MiniBrowser")))
    .find((path) => existsSync(path));
};

/** Whether this machine has it: only Debian and its like pack the driver. */
export const hasWebKit = ["WebKitWebDriver", "Xvfb"].every((name) => (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name))));

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** In the page: starts code and keeps what becomes of it; notes what nobody catches. */
const prelude = `
  globalThis.driven ??= (() => {
    const driven = { calls: {}, faults: [] };
    addEventListener("error", (event) => driven.faults.push(String(event.error?.stack ?? event.message)));
    addEventListener("unhandledrejection", ({ reason }) => driven.faults.push(String(reason?.stack ?? reason)));
    driven.start = (id, work) => {
      const call = { ended: false };
      driven.calls[id] = call;
      const end = (outcome) => Object.assign(call, outcome, { ended: true });
      call.over = new Promise((resolve) => resolve(work())).then((value) => end({ value }), (error) => end({ failure: { name: error?.name, message: String(error?.message ?? error), stack: error?.stack } }));
    };
    driven.look = async (id, ms) => {
      const call = driven.calls[id];
      await Promise.race([call.over, new Promise((resolve) => setTimeout(resolve, ms))]);
      const { ended, value, failure } = call;
      if (ended) delete driven.calls[id];
      return JSON.stringify({ ended, value, failure, faults: driven.faults.splice(0) });
    };
    return driven;
  })();`;

export class WebKit extends EventEmitter {
  #children = [];
  #turn = Promise.resolve();
  #window;
  waiting = 0;
  pages = new Set();

  async start() {
    process.once("exit", this.#end);
    const display = this.#spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {}, 3);
    const number = await new Promise((resolve, reject) => {
      display.once("error", () => reject(new Error("no Xvfb found: install it (Debian: xvfb)")));
      display.stdio[3].once("data", (text) => resolve(String(text).trim()));
    });
    const port = await freePort();
    this.driver = this.#spawn("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], { ...surroundings, DISPLAY: `:${number}` });
    const missing = new Promise((_, reject) => this.driver.once("error", () => reject(new Error("no WebKitWebDriver found: install it (Debian: webkit2gtk-driver)"))));
    this.address = `http://127.0.0.1:${port}`;
    await Promise.race([this.#ready(), missing]);
    const browser = { binary: miniBrowser(), args: ["--automation"] };
    const { sessionId } = await this.#ask("POST", "/session", { capabilities: { alwaysMatch: { browserName: "MiniBrowser", "webkitgtk:browserOptions": browser } } });
    this.session = `/session/${sessionId}`;
    await this.#ask("POST", `${this.session}/timeouts`, { script: 60_000 });
    return this;
  }

  #spawn(program, words, environment, extra = 0) {
    const child = spawn(program, words, { stdio: ["ignore", "ignore", "ignore", ...(extra ? ["pipe"] : [])], env: { ...process.env, ...environment }, detached: true });
    this.#children.push(child);
    return child;
  }

  async #ready() {
    for (const end = performance.now() + 20_000; ;) {
      const up = await this.#ask("GET", "/status").catch((error) => performance.now() > end && Promise.reject(error));
      if (up) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #ask(method, path, body) {
    const response = await fetch(this.address + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw Object.assign(new Error(`WebDriver, ${method} ${path}: ${value?.error}: ${value?.message}`), { code: value?.error });
    return value;
  }

  /** One command in one window (undefined: in none), when its turn comes. */
  command(window, method, path, body) {
    const turn = this.#turn.then(async () => {
      if (window && window !== this.#window) {
        await this.#ask("POST", `${this.session}/window`, { handle: window });
        this.#window = window;
      }
      return this.#ask(method, this.session + path, body);
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async newPage() {
    // A new window is opened from one that is there: the first of all stays.
    this.first ??= (await this.command(undefined, "GET", "/window/handles"))[0];
    const { handle } = await this.command(this.first, "POST", "/window/new", { type: "tab" });
    const page = new Page(this, handle);
    this.pages.add(page);
    return page;
  }

  /** Each child leads a group of its own: the browser is in the driver's. */
  #end = () => {
    for (const child of this.#children.splice(0)) {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It is gone already.
      }
    }
  };

  kill() {
    process.off("exit", this.#end);
    this.#end();
    for (const page of this.pages) page.closed = true;
    this.emit("close");
  }

  async close() {
    await this.command(undefined, "DELETE", "").catch(() => {});
    this.kill();
  }
}

class Page extends EventEmitter {
  static #calls = 0;
  closed = false;

  constructor(browser, window) {
    super();
    Object.assign(this, { browser, window });
  }

  isClosed() {
    return this.closed;
  }

  async goto(url) {
    await this.browser.command(this.window, "POST", "/url", { url });
    await this.#script(prelude);
  }

  async reload() {
    await this.browser.command(this.window, "POST", "/refresh", {});
    await this.#script(prelude);
  }

  #script(script) {
    return this.browser.command(this.window, "POST", "/execute/sync", { script, args: [] });
  }

  /** @param {Function | string} code a function, or an expression */
  async evaluate(code, argument) {
    const id = ++Page.#calls;
    const text = typeof code === "function" ? `(${code})(${argument === undefined ? "" : JSON.stringify(argument)})` : code;
    await this.#script(`${prelude} driven.start(${id}, () => ${text});`);
    this.browser.waiting += 1;
    try {
      for (;;) {
        const ms = this.browser.waiting > 1 ? TURN_MS : ALONE_MS;
        const script = `const done = arguments[arguments.length - 1]; driven.look(${id}, ${ms}).then(done);`;
        const { ended, value, failure, faults } = JSON.parse(await this.browser.command(this.window, "POST", "/execute/async", { script, args: [] }));
        for (const fault of faults) this.browser.emit("weberror", { error: () => new Error(fault) });
        if (failure) throw Object.assign(new Error(`${failure.name}: ${failure.message}`), { stack: `${failure.name}: ${failure.message}\n${failure.stack}` });
        if (ended) return value;
      }
    } finally {
      this.browser.waiting -= 1;
    }
  }

  async waitForFunction(condition, argument, { timeout = 30_000 } = {}) {
    const end = performance.now() + timeout;
    for (;;) {
      const value = await this.evaluate(condition, argument);
      if (value) return { jsonValue: async () => value };
      if (performance.now() > end) throw new Error(`waited ${timeout} ms for ${condition}`);
    }
  }

  /** "popup": the next window that a page opens. */
  async waitForEvent(name) {
    if (name !== "popup") throw new Error(`no waiting for ${name} here`);
    const known = new Set(await this.browser.command(undefined, "GET", "/window/handles"));
    for (let asked = 0; asked < 1000; asked += 1) {
      const handles = await this.browser.command(undefined, "GET", "/window/handles");
      const window = handles.find((handle) => !known.has(handle));
      if (window) return new Page(this.browser, window);
    }
    throw new Error("no window was opened");
  }

  async close() {
    if (this.closed) return;
    this.closed = true;
    this.browser.pages.delete(this);
    await this.browser.command(this.window, "DELETE", "/window").catch(() => {});
  }
}
