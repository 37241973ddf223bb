// The page: opens the queues, starts the pool, and ties the controls to them. Everything shown is read from the journal
// and the ledger, so closing this page at any moment changes nothing but who does the work.
import { Chart } from "./chart.js";
import { readCounts, sumFiles } from "./counts.js";
import { DeadLetters } from "./deadletters.js";
import { keepHistories, takeHistories } from "./history.js";
import { keepResult, readFiles } from "./ledger.js";
import { makeLog } from "./log.js";
import { makeNews } from "./news.js";
import { Cards, Pool } from "./pool.js";
import { exposeDemo } from "./probe.js";
import { samplePhotos, sendBurst, sendFiles } from "./producer.js";
import { foundSentence, Proof } from "./proof.js";
import { NAMES, openDemoQueue } from "./queues.js";
import { makeReset } from "./reset.js";
import { makeSettings, SLOW_MS } from "./settings.js";
import { whatIsMissing } from "./support.js";
import { makeTheme } from "./theme.js";
import { openLetter, Wall } from "./wall.js";
import { beThere, openWire, whoIsThere } from "./wire.js";

const SAMPLE_MS = 250;
const BURST = 10_000;
const $ = (id) => document.getElementById(id);

const tab = Math.random().toString(36).slice(2, 4);
const state = { counts: undefined, files: sumFiles([]), found: undefined, tab, sending: 0, view: "photos", ledgerMoved: true };
const histories = takeHistories();
const queues = {};
const log = makeLog($("log"));
let opened;
exposeDemo(new Promise((resolve) => {
  opened = resolve;
}), () => queues, () => state);

let chart;
makeTheme($("theme"), () => chart?.recolour());
start().catch((error) => fail({ title: "The demo could not start", text: error.message }));

function fail({ title, text }) {
  document.body.dataset.state = "failed";
  $("fatal").hidden = false;
  $("fatal").querySelector("h1").textContent = title;
  $("fatal").querySelector("p").textContent = text;
}

async function start() {
  const missing = await whatIsMissing();
  if (missing) return fail(missing);
  const posthaste = await import("posthaste").catch((error) => {
    throw new Error(`the package did not load (${error.message}). "cargo xtask demo" builds it.`);
  });
  await Promise.all(NAMES.map(async (name) => {
    queues[name] = await openDemoQueue(posthaste.openQueue, name);
  }));
  beThere("tab", tab);

  const wall = new Wall($("wall"), (result, picture) => openLetter($("letter"), result, picture));
  const proof = state.proof = makeProof();
  const cards = new Cards($("pool"), tab, (name) => pool.kill(name));
  const settings = makeSettings((now, mine) => applySettings(now, mine, pool));
  const mark = (text) => histories[state.view].mark(text);
  const hear = makeNews({
    cards,
    log,
    mark,
    tab,
    moved: () => {
      state.ledgerMoved = true;
    },
  });
  const wire = openWire((news) => {
    if (news.kind === "shown") return shown(news.id);
    if (news.kind === "reset") return reset.follow(news);
    if (news.tab !== tab) hear(news);
  });
  const shown = async (id) => {
    await wall.add(id);
    state.ledgerMoved = true;
    $("wall-empty").hidden = wall.total > 0;
  };

  state.counts = state.found = await readCounts(queues);
  $("found").textContent = foundSentence(state.found);
  log.say("note", foundSentence(state.found));
  if (histories.photos.samples.length > 0) { for (const history of Object.values(histories)) history.mark("reloaded"); }
  await wall.load();
  $("wall-empty").hidden = wall.total > 0;
  chart = new Chart($("chart"), histories.photos);

  const tellPool = (news) => {
    hear(news);
    if (news.kind === "killed") wire.tell(news);
  };
  const pool = new Pool(tab, tellPool, () => forWorkers(settings.now));
  const reset = makeReset({ posthaste, queues, wire, pool, settings, button: $("reset"), failed });
  queues.thumbnails.consume((batch) => collect(batch, wire, shown), { maxBatchSize: 20 });
  watchQueues();
  await agreeOnPause(settings.now.paused);
  showSettings(settings.now);
  tieControls({ pool, settings, proof, mark });
  const deadLetters = new DeadLetters(queues, { list: $("dead-list"), count: $("dead-count"), redrive: $("redrive"), purge: $("purge") },
    settled, failed);
  document.body.dataset.state = "ready";
  opened();
  addEventListener("pagehide", () => {
    if (document.body.dataset.state === "ready") keepHistories(histories);
  });
  watch({ proof, deadLetters, cards });
}

/** Takes results to the ledger and the wall. Acked by returning: a result is never lost between the queue and the page. */
async function collect(batch, wire, shown) {
  for (const { body } of batch.messages) {
    const first = await keepResult(body);
    state.ledgerMoved = true;
    if (!first) continue;
    await shown(body.id);
    wire.tell({ kind: "shown", id: body.id });
  }
}

/** Four times a second: counts, chart, figures. The ledger is read again only when it moved. */
async function watch({ proof, deadLetters, cards }) {
  let beat = 0;
  for (;;) {
    try {
      state.counts = await readCounts(queues);
      if (state.ledgerMoved && beat % 2 === 0) {
        state.ledgerMoved = false;
        state.files = sumFiles(await readFiles());
      }
      const at = Date.now();
      for (const [name, history] of Object.entries(histories)) {
        const { waiting, leased, done, failed } = state.counts[name];
        history.add({ at, waiting, leased, done, failed });
      }
      proof.show(state.view, state.counts, histories[state.view], state.files);
      await deadLetters.show(state.counts);
      if (beat % 4 === 0) await meet(cards);
      if (beat % 40 === 0) describeChart();
    } catch (error) {
      if (document.body.dataset.state !== "resetting") failed(error);
    }
    beat += 1;
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
}

async function meet(cards) {
  const present = await whoIsThere();
  const tabs = Math.max(1, present.filter(({ kind }) => kind === "tab").length);
  const text = tabs === 1 ? "1 tab" : `${tabs} tabs share the work`;
  const element = document.querySelector("[data-testid=tabs]");
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("many", tabs > 1);
  cards.keep(present);
}

function describeChart() {
  const { waiting, leased, done, failed } = state.counts[state.view];
  $("chart").setAttribute("aria-label",
    `The last minute: ${waiting} waiting, ${leased} in flight, ${done} done, ${failed} failed tries so far`);
}

function makeProof() {
  const figures = Object.fromEntries(
    ["sent", "done", "waiting", "leased", "dead", "purged", "delivered", "retried"].map((name) => [name, $(`n-${name}`)]),
  );
  return new Proof({
    figures,
    bar: document.querySelector(".bar"),
    verdict: $("verdict"),
    once: $("once"),
    purgedSign: $("sign-purged"),
    purgedTerm: $("term-purged"),
    rate: $("rate"),
    rateNote: $("rate-note"),
    wallNote: $("wall-note"),
  });
}

function watchQueues() {
  for (const name of ["photos", "jobs", "thumbnails"]) {
    queues[name].addEventListener("error", (event) => failed(event.error ?? event));
    queues[name].addEventListener("storage", ({ detail }) =>
      log.say(detail.state === "ok" ? "good" : "bad", `Storage of ${name}: ${detail.state}.`));
  }
}

/* ------------------------------------------------------------ what people do */

function tieControls({ pool, settings, proof, mark }) {
  const on = (id, work) => $(id).addEventListener("click", () => Promise.resolve(work()).catch(failed));
  on("send-few", async () => send(await samplePhotos(), mark));
  on("send-many", async () => send(await samplePhotos(10), mark));
  on("burst", () => burst(proof, mark));
  on("kill", () => pool.kill());
  on("pause", () => settings.set({ paused: !settings.now.paused }));
  for (const id of ["failing", "slow"]) {
    $(id).addEventListener("change", () => settings.set({ [id]: $(id).checked }));
  }
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => view(button.dataset.view));
  }
  $("files").addEventListener("change", ({ target }) => {
    const files = [...target.files];
    target.value = "";
    send(files, mark).catch(failed);
  });
  tieDropping(mark);
  for (const event of ["pointerover", "focusin"]) {
    document.querySelector(".send").addEventListener(event, ({ target }) => {
      const text = target.closest("[title]")?.title;
      if (text) $("hint").textContent = text;
    });
  }
}

/** Files may be dropped anywhere on the page. */
function tieDropping(mark) {
  const over = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const files = [...event.dataTransfer.files];
    if (files.length > 0) send(files, mark).catch(failed);
  });
}

async function send(files, mark) {
  view("photos");
  mark(`${files.length} sent`);
  state.sending += files.length;
  try {
    const { sent, refused, ms } = await sendFiles(queues.photos, files);
    state.ledgerMoved = true;
    if (sent > 0) log.say("good", `Sent ${sent} ${sent === 1 ? "file" : "files"}, durable after ${Math.round(ms)} ms.`);
    for (const { name, why } of refused.slice(0, 5)) log.say("bad", `${name} was not sent: ${why}.`);
    if (refused.length > 5) log.say("bad", `${refused.length - 5} more were not sent.`);
  } finally {
    state.sending -= files.length;
  }
}

async function burst(proof, mark) {
  view("jobs");
  mark("burst");
  const { sent, ms } = await sendBurst(queues.jobs, BURST);
  const rate = Math.round((sent / ms) * 1000).toLocaleString("en");
  proof.note("jobs", `burst sent at ${rate} a second`);
  log.say("good", `${sent.toLocaleString("en")} sends, all durable after ${Math.round(ms)} ms: ${rate} a second.`);
}

function view(name) {
  state.view = name;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  chart.show(histories[name]);
  state.proof.show(name, state.counts, histories[name], state.files);
}

function settled(verb, count) {
  const letters = `${count.toLocaleString("en")} dead ${count === 1 ? "letter" : "letters"}`;
  log.say(verb === "redrive" ? "good" : "note",
    verb === "redrive" ? `${letters} sent back to where they came from.` : `${letters} purged.`);
}

function failed(error) {
  log.fold(`failed ${error?.name}`, "bad",
    (count) => `${error?.name ?? "Error"}: ${error?.message ?? error}${count > 1 ? ` (${count} times)` : ""}`);
}

/* ------------------------------------------------------------------ settings */

const forWorkers = ({ slow, failing }) => ({ slowMs: slow ? SLOW_MS : 0, failing });

function showSettings({ paused, failing, slow }) {
  $("failing").checked = failing;
  $("slow").checked = slow;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume deliveries" : "Pause deliveries";
  document.body.classList.toggle("paused", paused);
}

let pausedBefore;
function applySettings(now, mine, pool) {
  showSettings(now);
  pool.tell(forWorkers(now));
  if (now.paused !== pausedBefore) {
    histories[state.view].mark(now.paused ? "paused" : "resumed");
    log.say("note", now.paused ? "Deliveries are paused in every tab; sending goes on." : "Deliveries go on.");
    if (mine) agreeOnPause(now.paused).catch(failed);
    pausedBefore = now.paused;
  }
}

/** The pause is kept with the queue; this makes it what the switch says. */
async function agreeOnPause(paused) {
  pausedBefore = paused;
  await Promise.all(["photos", "jobs"].map((name) => (paused ? queues[name].pause() : queues[name].resume())));
}
