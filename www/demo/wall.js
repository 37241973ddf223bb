// The wall: each finished file as a postage stamp, newest first. It shows the page's ledger, so a reload, or another
// tab, shows the same stamps; a result that came twice is one stamp.
import { readResult, readResults } from "./ledger.js";

const MAX = 240; // stamps on the page; older ones stay in the ledger

/** Makes the wall in `list`; `open(result)` is called when a stamp is chosen. */
export class Wall {
  #list;
  #open;
  #pictures = new Map();
  total = 0;

  constructor(list, open) {
    this.#list = list;
    this.#open = open;
  }

  /** Fills the wall from the ledger. */
  async load() {
    const { total, newest } = await readResults(MAX);
    for (const id of [...this.#pictures.keys()]) this.#remove(id);
    for (const result of newest.reverse()) this.#put(result, false);
    this.total = total;
  }

  /** Shows the result of file `id`, once. */
  async add(id) {
    if (this.#pictures.has(id)) return;
    const result = await readResult(id);
    if (!result || this.#pictures.has(id)) return;
    this.#put(result, true);
    this.total += 1;
    while (this.#list.children.length > MAX) this.#remove(this.#list.lastElementChild.dataset.id);
  }

  #put(result, fresh) {
    const item = document.createElement("li");
    item.dataset.id = result.id;
    item.dataset.testid = "stamp";
    item.dataset.name = result.name;
    item.className = fresh ? "fresh" : "";
    const stamp = document.createElement("button");
    stamp.type = "button";
    stamp.className = "stamp";
    stamp.title = `${result.name}: shows its hash and who did it.`;
    stamp.append(this.#face(result), caption(result));
    stamp.addEventListener("click", () => this.#open(result, this.#pictures.get(result.id)));
    item.append(stamp);
    if (result.attempt > 1) item.append(postmark(result.attempt));
    this.#list.prepend(item);
  }

  #face(result) {
    if (!result.thumb) {
      this.#pictures.set(result.id, "");
      const face = document.createElement("span");
      face.className = "face plain";
      face.textContent = extension(result.name);
      return face;
    }
    const picture = document.createElement("img");
    picture.className = "face";
    picture.alt = "";
    picture.decoding = "async";
    const address = URL.createObjectURL(result.thumb);
    this.#pictures.set(result.id, address);
    picture.src = address;
    return picture;
  }

  #remove(id) {
    const address = this.#pictures.get(id);
    if (address) URL.revokeObjectURL(address);
    this.#pictures.delete(id);
    this.#list.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
  }
}

function caption({ name, hash }) {
  const caption = document.createElement("span");
  caption.className = "caption";
  const words = document.createElement("span");
  words.className = "name";
  words.textContent = name;
  const digest = document.createElement("code");
  digest.textContent = hash.slice(0, 8);
  caption.append(words, digest);
  return caption;
}

/** What came only at a later attempt carries a mark of it. */
function postmark(attempt) {
  const mark = document.createElement("span");
  mark.className = "postmark";
  mark.title = `Delivered at attempt ${attempt}: whoever had it before failed or was killed.`;
  mark.textContent = `try ${attempt}`;
  return mark;
}

function extension(name) {
  const dot = name.lastIndexOf(".");
  return dot > 0 && name.length - dot <= 6 ? name.slice(dot + 1) : "file";
}

/** Shows one result at length in `dialog`. */
export function openLetter(dialog, result, picture) {
  dialog.querySelector("h2").textContent = result.name;
  const image = dialog.querySelector("img");
  image.hidden = !picture;
  if (picture) image.src = picture;
  const facts = {
    "SHA-256": result.hash,
    Type: result.type || "unknown",
    Size: result.width ? `${bytes(result.size)}, ${result.width} × ${result.height}` : bytes(result.size),
    Message: result.id,
    "Done by": `worker ${result.worker} of tab ${result.tab}, in ${result.ms} ms, attempt ${result.attempt}`,
    At: new Date(result.at).toLocaleString(),
  };
  dialog.querySelector("dl").replaceChildren(...Object.entries(facts).flatMap(([term, fact]) => {
    const [left, right] = [document.createElement("dt"), document.createElement("dd")];
    left.textContent = term;
    right.textContent = fact;
    return [left, right];
  }));
  dialog.showModal();
}

/** A size for people. */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  if (size < 1e6) return `${(size / 1e3).toFixed(size < 1e4 ? 1 : 0)} kB`;
  return `${(size / 1e6).toFixed(1)} MB`;
}
