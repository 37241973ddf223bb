// The dead letters: why each one ended there, and the two ways on, redrive and purge.

const SHOWN = 30;

/** The panel over the dead-letter queues of `queues` (map of name -> open queue). */
export class DeadLetters {
  #queues;
  #parts;
  #names = ["photos-dlq", "jobs-dlq"];
  #shown = "";

  /** `parts`: { list, count, redrive, purge }; `done(verb, count)` tells what a button did, `failed(error)` that it could not. */
  constructor(queues, parts, done, failed) {
    this.#queues = queues;
    this.#parts = parts;
    const act = (button, verb, work) =>
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          const counts = await Promise.all(this.#names.map((name) => work(queues[name])));
          done(verb, counts.reduce((sum, count) => sum + count, 0));
        } catch (error) {
          failed(error);
        }
        this.#shown = "";
      });
    act(parts.redrive, "redrive", (queue) => queue.redrive());
    act(parts.purge, "purge", (queue) => queue.purge());
  }

  /** Shows what `counts` says; peeks only when it changed. */
  async show(counts) {
    const total = counts.photos.dead + counts.jobs.dead;
    const key = `${counts.photos.dead}/${counts.jobs.dead}/${counts.photos.purged}/${counts.photos.sent}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#parts.count.textContent = total.toLocaleString("en");
    this.#parts.redrive.disabled = this.#parts.purge.disabled = total === 0;
    if (total === 0) {
      this.#parts.list.replaceChildren(plain("No dead letters. Turn on “Fail one in ten” to make some."));
      return;
    }
    const letters = await this.#peek();
    if (key !== this.#shown) return;
    const rows = letters.map(row);
    if (total > letters.length) rows.push(plain(`and ${(total - letters.length).toLocaleString("en")} more`));
    this.#parts.list.replaceChildren(...rows);
  }

  /** Photos come first: there are few of them, and they have names. */
  async #peek() {
    const letters = [];
    for (const name of this.#names) {
      if (letters.length < SHOWN) letters.push(...await this.#queues[name].peek({ max: SHOWN - letters.length }));
    }
    return letters;
  }
}

function row(letter) {
  const item = document.createElement("li");
  item.dataset.testid = "dead-letter";
  item.dataset.id = letter.id;
  const name = document.createElement("strong");
  name.textContent = letter.body?.name ?? `job ${letter.body?.ordinal ?? letter.id}`;
  const why = document.createElement("span");
  why.textContent = [letter.reason, letter.lastError].filter(Boolean).join(": ") || "no reason given";
  item.append(name, why);
  return item;
}

function plain(text) {
  const item = document.createElement("li");
  item.className = "empty";
  item.textContent = text;
  return item;
}
