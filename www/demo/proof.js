// The line that has to add up, and the figures around it: every message sent is done, waiting, in flight, dead or purged.

const figure = (value) => value.toLocaleString("en");

/** Shows counts in the elements of the page; `view` says of which queue. */
export class Proof {
  #parts;
  #wrongSince;
  #notes = {};

  /** `parts`: { figures: { sent: element, … }, bar, verdict, once, purgedSign, purgedTerm, rate, rateNote, wallNote }. */
  constructor(parts) {
    this.#parts = parts;
  }

  show(view, counts, history, files) {
    const now = counts[view];
    const { figures, bar, purgedSign, purgedTerm } = this.#parts;
    for (const [name, element] of Object.entries(figures)) write(element, figure(now[name]));
    purgedSign.hidden = purgedTerm.hidden = now.purged === 0;
    for (const part of bar.children) part.style.flexGrow = now[part.className];
    bar.classList.toggle("empty", now.sent === 0);
    this.#judge(now);
    this.#rate(view, history);
    write(this.#parts.once, view === "photos" ? aboutFiles(counts, files) : aboutJobs(counts));
    write(this.#parts.wallNote, aboutWall(counts, files));
  }

  /** Two metrics may be read around a step of another peer: only a sum that stays wrong is wrong. */
  #judge(now) {
    const { verdict } = this.#parts;
    if (now.balanced) this.#wrongSince = undefined;
    else this.#wrongSince ??= performance.now();
    const wrong = this.#wrongSince !== undefined && performance.now() - this.#wrongSince > 2000;
    const off = now.sent - now.done - now.waiting - now.leased - now.dead - now.purged;
    verdict.dataset.state = wrong ? "wrong" : now.sent === 0 ? "none" : "right";
    write(verdict, wrong ? `off by ${figure(off)}` : now.sent === 0 ? "nothing sent yet" : "adds up, none lost");
  }

  #rate(view, history) {
    const rate = history.rate("done");
    write(this.#parts.rate, rate >= 10 ? figure(Math.round(rate)) : rate.toFixed(rate > 0 ? 1 : 0));
    const peak = history.peak("done");
    const notes = [peak > 0 ? `peak ${figure(peak)}` : "", this.#notes[view] ?? ""];
    write(this.#parts.rateNote, notes.filter(Boolean).join(" · "));
  }

  /** A sentence beside the rate of one view, such as how fast the last burst was accepted. */
  note(view, text) {
    this.#notes[view] = text;
  }
}

function aboutFiles({ photos, thumbnails }, files) {
  if (photos.sent === 0) return "Each file will be worked on, acked once and shown once. Its count is kept here.";
  const parts = [`Worked on once: ${figure(files.once)} files`];
  if (files.more > 0) parts.push(`more than once, after a kill: ${figure(files.more)}`);
  parts.push(files.ackedTwice > 0 ? `acked twice: ${figure(files.ackedTwice)}` : `each acked once: ${figure(photos.done)}`);
  parts.push(`shown once: ${figure(files.shown)}`);
  const stopped = files.duplicates + thumbnails.duplicates;
  if (stopped > 0) parts.push(`second results stopped: ${figure(stopped)}`);
  return parts.join(" · ");
}

function aboutJobs({ jobs }) {
  if (jobs.sent === 0) return "A burst makes 10,000 separate send calls. Watch how few moments they take.";
  return `Each job acked once: ${figure(jobs.done)}`;
}

function aboutWall({ thumbnails }, files) {
  if (files.shown === 0) return "";
  const late = thumbnails.waiting > 0 ? ` · ${figure(thumbnails.waiting)} on their way` : "";
  return `${figure(files.shown)} files · ${(files.bytes / 1e6).toFixed(1)} MB hashed${late}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What a page that just opened found in the journal, in one sentence. */
export function foundSentence({ photos, jobs }) {
  const parts = [];
  for (const [one, { waiting, leased, dead }] of [["files", photos], ["jobs", jobs]]) {
    if (waiting > 0) parts.push(`${figure(waiting)} ${one} waiting`);
    if (leased > 0) parts.push(`${figure(leased)} ${one} in flight`);
    if (dead > 0) parts.push(`${figure(dead)} dead ${one === "files" ? "letters" : "jobs"}`);
  }
  const done = photos.done + jobs.done;
  if (parts.length === 0 && done === 0) return "When this page opened, the journal was empty.";
  if (parts.length === 0) return `When this page opened, all ${figure(done)} were done.`;
  return `When this page opened: ${parts.join(", ")}. It goes on.`;
}
