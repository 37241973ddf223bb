// Reset: deletes every queue and the ledger, in an order that leaves no tab at work on what is going away, then reloads.
import { clearLedger } from "./ledger.js";
import { NAMES } from "./queues.js";

const SURE_MS = 4000;

/** Ties `button`: the first press asks, the second one resets. `follow(news)` is for a reset that another tab makes. */
export function makeReset({ posthaste, queues, wire, pool, settings, button, failed }) {
  let asked;

  async function leave() {
    document.body.dataset.state = "resetting";
    pool.stop();
    await Promise.all(Object.values(queues).map((queue) => queue.close()));
  }

  async function reset() {
    wire.tell({ kind: "reset", step: "begin" });
    await leave();
    for (const name of NAMES) {
      await posthaste.deleteQueue(name, { storage: "indexeddb", force: true }).catch((error) => {
        if (error.name !== "NotFoundError") throw error;
      });
    }
    await clearLedger();
    settings.forget();
    sessionStorage.clear();
    wire.tell({ kind: "reset", step: "end" });
    location.reload();
  }

  button.addEventListener("click", () => {
    if (asked) {
      clearTimeout(asked);
      button.disabled = true;
      reset().catch((error) => {
        button.disabled = false;
        failed(error);
      });
      return;
    }
    button.textContent = "Reset all?";
    button.classList.add("sure");
    asked = setTimeout(() => {
      asked = undefined;
      button.textContent = "Reset";
      button.classList.remove("sure");
    }, SURE_MS);
  });

  return {
    follow({ step }) {
      if (step === "begin") leave().catch(failed);
      else location.reload();
    },
  };
}
