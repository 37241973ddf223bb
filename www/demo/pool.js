// The pool: four module workers of this tab, each a peer of its own, and the cards that show every worker of every tab.
// A killed worker is replaced after a moment; the mail it held stays on its card until someone else has it.

const SIZE = 4;
const AFTER_MS = 1200;
const AFTER_BROKEN_MS = 4000;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** The workers of this tab. `hear(news)` gets what they tell; `settings()` gives `{ slowMs, failing }`. */
export class Pool {
  #tab;
  #hear;
  #settings;
  #workers = new Map();
  #next = 1;
  #stopped = false;

  constructor(tab, hear, settings) {
    this.#tab = tab;
    this.#hear = hear;
    this.#settings = settings;
    for (let count = 0; count < SIZE; count += 1) this.#start();
  }

  #start() {
    if (this.#stopped) return;
    const name = String(this.#next++);
    const { slowMs, failing } = this.#settings();
    const address = new URL("worker.js", import.meta.url);
    address.search = new URLSearchParams({ tab: this.#tab, name, slow: slowMs, failing: failing ? "1" : "0" });
    const thread = new Worker(address, { type: "module", name: `posthaste demo worker ${name}` });
    this.#workers.set(name, { thread, holds: undefined });
    thread.onmessage = ({ data }) => {
      const worker = this.#workers.get(name);
      if (!worker) return; // told just before it was killed
      if (data.kind === "start") worker.holds = { id: data.id, name: data.name };
      if (data.kind === "startJobs") worker.holds = { jobs: data.count };
      if (["done", "failed", "late", "doneJobs"].includes(data.kind)) worker.holds = undefined;
      this.#hear(data);
      if (data.kind === "broken") this.#replace(name);
    };
    thread.onerror = (event) => {
      this.#hear({ kind: "broken", tab: this.#tab, worker: name, error: event.message || "it could not be loaded" });
      this.#replace(name);
    };
    this.#hear({ kind: "hired", tab: this.#tab, worker: name });
  }

  /** A worker that cannot go on, say because its storage was taken away, makes room for a new one. */
  #replace(name) {
    if (!this.#workers.has(name)) return;
    this.#workers.get(name).thread.terminate();
    this.#workers.delete(name);
    setTimeout(() => {
      this.#hear({ kind: "left", tab: this.#tab, worker: name });
      this.#start();
    }, AFTER_BROKEN_MS);
  }

  /** Tells every worker of this tab what changed in the settings. */
  tell(settings) {
    for (const { thread } of this.#workers.values()) thread.postMessage(settings);
  }

  /** Terminates the worker `name`, or a busy one, or any; tells `{ kind: "killed" }` and starts another one soon. */
  kill(name) {
    const entries = [...this.#workers];
    const [chosen, worker] = entries.find(([key]) => key === name)
      ?? entries.find(([, { holds }]) => holds?.id) ?? entries.find(([, { holds }]) => holds) ?? entries[0] ?? [];
    if (!worker) return;
    worker.thread.terminate();
    this.#workers.delete(chosen);
    this.#hear({ kind: "killed", tab: this.#tab, worker: chosen, holds: worker.holds, at: Date.now() });
    setTimeout(() => this.#start(), AFTER_MS);
  }

  /** Terminates them all, for good. */
  stop() {
    this.#stopped = true;
    for (const { thread } of this.#workers.values()) thread.terminate();
    this.#workers.clear();
  }
}

/** The cards in `list`: one for each worker of each tab. `kill(name)` is called for a worker of this tab. */
export class Cards {
  #list;
  #tab;
  #kill;
  #cards = new Map();

  constructor(list, tab, kill) {
    this.#list = list;
    this.#tab = tab;
    this.#kill = kill;
  }

  /** Shows what one worker, of any tab, told. */
  hear(news) {
    const card = this.#card(news.tab, news.worker);
    switch (news.kind) {
      case "hired":
        this.#say(card, "starting", "arriving");
        break;
      case "start":
        this.#say(card, "busy", news.attempt > 1 ? `${news.name} · try ${news.attempt}` : news.name);
        break;
      case "startJobs":
        this.#say(card, "busy", `${news.count} small jobs`);
        break;
      case "done":
        this.#count(card, 1);
        break;
      case "doneJobs":
        this.#count(card, news.count);
        break;
      case "up":
        this.#say(card, "idle", "waiting for mail");
        break;
      case "late":
        this.#say(card, "idle", "too late: its lease was gone");
        break;
      case "failed":
        this.#say(card, "sad", `${news.name} failed`);
        break;
      case "broken":
        this.#say(card, "sad", news.error);
        break;
      case "killed":
        this.#bury(card, news);
        break;
      case "left":
        this.#remove(`${news.tab}/${news.worker}`);
        break;
    }
  }

  /** Leaves only the cards of those who are there (see `whoIsThere`); adds those not heard of yet. */
  keep(present) {
    const there = new Set(present.filter(({ kind }) => kind === "worker").map(({ tab, name }) => `${tab}/${name}`));
    for (const key of there) {
      const [tab, worker] = key.split("/");
      if (tab !== this.#tab && !this.#cards.has(key)) this.#say(this.#card(tab, worker), "idle", "waiting for mail");
    }
    for (const [key, card] of this.#cards) {
      const leaves = card.tab !== this.#tab && !there.has(key) && card.item.dataset.state !== "killed";
      if (leaves) this.#remove(key);
    }
  }

  /** Someone has the file `id` again, so its dead holder's card may go. Returns the card's news, if there was one. */
  found(id) {
    for (const [key, { buried }] of this.#cards) {
      if (buried?.holds?.id !== id) continue;
      this.#remove(key);
      return buried;
    }
  }

  #card(tab, worker) {
    const key = `${tab}/${worker}`;
    let card = this.#cards.get(key);
    if (card) return card;
    const item = document.createElement("li");
    item.dataset.testid = "worker";
    item.dataset.state = "starting";
    const mine = tab === this.#tab;
    item.innerHTML = `<span class="who"></span><span class="does"></span><span class="sum">0</span>`;
    item.querySelector(".who").textContent = mine ? `Worker ${worker}` : `Tab ${tab} · ${worker}`;
    if (mine) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.title = `Terminates worker ${worker} at once.`;
      button.setAttribute("aria-label", `Kill worker ${worker}`);
      button.textContent = "×";
      button.addEventListener("click", () => this.#kill(worker));
      item.append(button);
    } else {
      item.classList.add("elsewhere");
    }
    card = { item, tab, sum: 0 };
    this.#cards.set(key, card);
    this.#list.append(item);
    return card;
  }

  #say({ item }, state, text) {
    item.dataset.state = state;
    const does = item.querySelector(".does");
    does.textContent = does.title = text;
  }

  #count(card, count) {
    card.sum += count;
    card.item.querySelector(".sum").textContent = short.format(card.sum);
    this.#say(card, "idle", "waiting for mail");
  }

  #bury(card, news) {
    card.buried = news;
    const { holds } = news;
    this.#say(card, "killed", holds ? `held ${holds.name ?? `${holds.jobs} jobs`}, leased for a while yet` : "killed while idle");
    card.item.querySelector("button")?.remove();
    // What a dead worker held comes back with its lease; a card that outlives that has nothing more to show.
    setTimeout(() => this.#remove(`${news.tab}/${news.worker}`), holds ? 12_000 : 1500);
  }

  #remove(key) {
    this.#cards.get(key)?.item.remove();
    this.#cards.delete(key);
  }
}
