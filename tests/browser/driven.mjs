/**
 * Browsers by WebDriver (https://www.w3.org/TR/webdriver2/) over HTTP, with as much of Playwright's surface as the tests use.
 *
 * WebDriver does one thing at a time, in one window at a time. So code is started in its page, and asked for what became
 * of it in turns: the code of several pages runs at once, as the tests want it.
 */
import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { createServer } from "node:net";

/** How long one window may keep the driver, in milliseconds, when other windows wait and when none does. */
const TURN_MS = 5;
const ALONE_MS = 200;

const freePort = () =>
  new Promise((resolve) => {
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

/** A browser with its driver, and a display of its own where it has to have one. */
export class Driven extends EventEmitter {
  #children = [];
  #turn = Promise.resolve();
  #window;
  waiting = 0;
  pages = new Set();

  /** `driver`: the program; `display`: whether it needs one; `capabilities`: as WebDriver names them. */
  constructor({ driver, display = false, environment = {}, capabilities }) {
    super();
    Object.assign(this, { driver, display, environment, capabilities });
  }

  async start() {
    process.once("exit", this.#end);
    process.once("SIGTERM", this.#interrupted);
    const port = await freePort();
    const environment = { ...this.environment, ...(this.display && { DISPLAY: await this.#showing() }) };
    const driver = this.#spawn(this.driver, [`--port=${port}`], environment);
    const missing = new Promise((_, reject) => driver.once("error", () => reject(new Error(`no ${this.driver} found: install it`))));
    this.address = `http://127.0.0.1:${port}`;
    await Promise.race([this.#ready(), missing]);
    const { sessionId } = await this.#ask("POST", "/session", { capabilities: { alwaysMatch: this.capabilities } });
    this.session = `/session/${sessionId}`;
    await this.#ask("POST", `${this.session}/timeouts`, { script: 60_000 });
    return this;
  }

  /** A display that nobody looks at. */
  async #showing() {
    const display = this.#spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {}, ["pipe"]);
    return new Promise((resolve, reject) => {
      display.once("error", () => reject(new Error("no Xvfb found: install it (Debian: xvfb)")));
      display.stdio[3].once("data", (number) => resolve(`:${String(number).trim()}`));
    });
  }

  #spawn(program, words, environment, pipes = []) {
    const child = spawn(program, words, {
      stdio: ["ignore", "ignore", "ignore", ...pipes],
      env: { ...process.env, ...environment },
      detached: true,
    });
    this.#children.push(child);
    return child;
  }

  async #ready() {
    for (const end = performance.now() + 20_000;;) {
      const up = await this.#ask("GET", "/status").catch((error) => performance.now() > end && Promise.reject(error));
      if (up) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #ask(method, path, body) {
    const response = await fetch(this.address + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok)
      throw Object.assign(new Error(`WebDriver, ${method} ${path}: ${value?.error}: ${value?.message}`), { code: value?.error });
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

  #interrupted = () => process.exit(1);

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
    process.off("SIGTERM", this.#interrupted);
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
        const { ended, value, failure, faults } = JSON.parse(
          await this.browser.command(this.window, "POST", "/execute/async", { script, args: [] }),
        );
        for (const fault of faults) this.browser.emit("weberror", { error: () => new Error(fault) });
        if (failure)
          throw Object.assign(new Error(`${failure.name}: ${failure.message}`), {
            stack: `${failure.name}: ${failure.message}\n${failure.stack}`,
          });
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

  /** A command of Chromium's DevTools. */
  tell(cmd, params = {}) {
    return this.browser.command(this.window, "POST", "/goog/cdp/execute", { cmd, params });
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
