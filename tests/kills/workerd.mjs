/** What is killed in workerd: a Durable Object that pushes messages to a Worker, and with it that Worker. */
import { fileURLToPath } from "node:url";
import { COMPATIBILITY_DATE, Response, folder, modulesOf, start } from "../workerd/lab.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const SENDERS = 4;

export class WorkerdHome {
  #lives = 0;
  #sent = 0;
  #lanes = [];

  constructor(ledger, random) {
    Object.assign(this, { ledger, random });
  }

  async start() {
    this.folder = folder(this);
    [this.objects, this.consumer] = await Promise.all([modulesOf("objects.mjs", here), modulesOf("consumer.mjs", here)]);
    await this.#begin();
  }

  /** What `folder` calls for a test: its end is ours. */
  after(clean) {
    this.clean = clean;
  }

  async #begin() {
    const context = (this.context = `life${this.#lives++}`);
    const LEDGER = async (request) => {
      this.ledger.hear({ context, ...(await request.json()) });
      return new Response("heard");
    };
    const shared = { compatibilityDate: COMPATIBILITY_DATE, serviceBindings: { LEDGER } };
    const durableObjects = { QUEUES: { className: "Queues", useSQLite: true } };
    this.lab = await start(undefined, [
      {
        ...shared,
        name: "main",
        modules: this.objects,
        compatibilityFlags: ["nodejs_compat", "service_binding_extra_handlers", "experimental"],
        durableObjects,
        serviceBindings: { CONSUMER: "consumer" },
      },
      { ...shared, name: "consumer", modules: this.consumer },
    ], { miniflare: { durableObjectsPersist: this.folder } });
    this.ledger.open(context);
    this.dying = false;
    this.#lanes = Array.from({ length: SENDERS }, () => this.#send(context));
  }

  async #send(context) {
    while (!this.dying && !this.ledger.stopping) {
      const n = this.#sent++;
      const id = `${context}/${n}`;
      const fails = n % 100 === 63 ? 1000 : n % 13 === 7 ? 1 : 0;
      try {
        const backlog = await this.lab.ask("send", { id, slow: n % 3 === 0 ? (n * 37) % 80 : 0, fails });
        this.ledger.hear({ context, what: "confirmed", id });
        if (backlog > 40) await new Promise((resolve) => setTimeout(resolve, 30));
      } catch (error) {
        // What was under way when it died: its outcome is not known.
        if (!this.dying || error.status) return this.ledger.hear({ context, what: "error", text: String(error) });
      }
    }
  }

  async kill() {
    const { context, lab } = this;
    const held = this.ledger.dies([context]);
    this.dying = true;
    lab.kill();
    await Promise.all(this.#lanes);
    await lab.dispose();
    await this.#begin();
    return { what: "workerd killed", held, from: performance.now() };
  }

  /** Resolves when nothing is left. The object acks after the handler has ended, and nobody tells the ledger. */
  async drained() {
    await Promise.all(this.#lanes);
    let metrics;
    do {
      metrics = await this.lab.ask("metrics");
    } while (metrics.backlogCount > 0);
    this.ledger.dies([this.context]);
    this.ledger.end = { metrics, dead: await this.lab.ask("dead") };
  }

  async stop() {
    this.dying = true;
    await this.lab?.dispose();
    this.clean?.();
  }
}
