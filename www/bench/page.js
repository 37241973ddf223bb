// Runs the benchmarks in the reader's browser and draws their tables and bars. Draws only between rounds, so that
// drawing is in no measurement. The driver (run.mjs) opens this page too, but calls the benchmarks itself.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const times = (value) => `${value < 20 ? value.toFixed(1) : whole.format(value)}×`;

const drawings = {
  durable: {
    head: ["", "messages a second", "ratio"],
    legend: ["posthaste", "Dexie"],
    row: durableRow,
    after: countsList,
  },
  memory: {
    head: ["sent in", "nanoseconds a message", "times the array", "while all wait, a message"],
    legend: ["posthaste", "array of copies"],
    row: memoryRow,
  },
  workers: {
    head: ["", "messages a second, or microseconds there and back", "times postMessage"],
    legend: ["posthaste", "the others"],
    row: workersRows,
  },
};
const shapeNames = { bursts: "bursts of 1,000", batches: "batches of 100", awaited: "one after another, each awaited" };

for (const [name, drawing] of Object.entries(drawings)) {
  const section = document.getElementById(name);
  section.querySelector("button").addEventListener("click", () => start(name, section, drawing));
}

async function start(name, section, drawing) {
  const buttons = [...document.querySelectorAll("button")];
  const bar = section.querySelector(".progress");
  const results = section.querySelector(".results");
  for (const button of buttons) button.disabled = true;
  bar.hidden = false;
  results.hidden = false;
  const rows = element("tbody");
  const head = element("tr", {},
    ...drawing.head.map((text, column) => element("th", { scope: "col", className: column > 1 ? "number" : "" }, text)));
  const [own, other] = drawing.legend;
  results.replaceChildren(
    element("p", { className: "legend" }, element("b", {}, own), ` beside ${other}; the longer bar is the larger figure`),
    element("table", {}, element("thead", {}, head), rows),
  );
  const report = async ({ share, doing, row }) => {
    bar.querySelector("progress").value = share;
    bar.querySelector("span").textContent = share < 1 ? doing : "";
    if (row) rows.append(drawing.row(row));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  };
  try {
    const { [name]: run } = await import(`./${name}.js`);
    const result = await run({ report });
    if (result.counts) results.append(drawing.after(result.counts));
    results.append(saveLink(name, result));
  } catch (error) {
    results.append(element("p", { className: "failed", role: "alert" }, `It did not work: ${error?.message ?? error}`));
    console.error(error);
  } finally {
    bar.hidden = true;
    for (const button of buttons) button.disabled = false;
  }
}

function durableRow({ title, posthaste, dexie, ratio, least, most, goal, reached }) {
  const note = goal ? `goal ${times(goal)}${reached ? ", reached" : ", not reached here"}` : "";
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, title),
    bars(posthaste, dexie),
    element(
      "td",
      { className: "number" },
      element("span", { className: `ratio ${reached === false ? "short" : reached ? "reached" : ""}` }, times(ratio)),
      element("span", { className: "note" }, `${times(least)} to ${times(most)}`),
      element("span", { className: "note" }, note),
    ),
  );
}

function memoryRow({ shape, throughNs, throughArrayNs, wasmPerMessage, heapPerMessage }) {
  const heap = heapPerMessage === undefined ? "heap not told by this browser" : `${heapPerMessage.toFixed(0)} B of heap, bodies too`;
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, shapeNames[shape]),
    bars(throughNs, throughArrayNs),
    element("td", { className: "number ratio" }, times(throughNs / throughArrayNs)),
    element("td", { className: "number" }, `${wasmPerMessage.toFixed(1)} B of wasm`, element("span", { className: "note" }, heap)),
  );
}

/** A line for each contender, under a line with the title of what they all did. */
function workersRows({ title, trips, contenders, goals, failed }) {
  const drawn = document.createDocumentFragment();
  const heading = element("th", { scope: "rowgroup", colSpan: 3, className: "group" }, title);
  drawn.append(element("tr", {}, heading));
  if (failed) heading.append(element("span", { className: "note short" }, `It did not work: ${failed}`));
  const figure = ({ rate, meanMs }) => (trips ? meanMs * 1000 : rate);
  const most = Math.max(...contenders.map(figure));
  for (const one of contenders) {
    const own = goals.filter(({ of }) => of === one.title);
    const transport = one.transport
      ? [element("span", { className: "note" }, one.transport === "port" ? "by the port" : "by shared memory")]
      : [];
    const notes = own.map(({ goal, other, ratio, reached }) =>
      element("span", { className: `note ${reached ? "reached" : "short"}` },
        `${times(ratio)} ${other}, goal ${trips ? "at most " : ""}${times(goal)}`)
    );
    drawn.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, one.title, ...transport),
        element("td", { className: "bars" }, bar(figure(one), most, one.own ? "bar own" : "bar")),
        element("td", { className: "number" }, element("span", { className: "ratio" }, times(one.ratio.median)), ...notes),
      ),
    );
  }
  return drawn;
}

/** Two bars to the scale of the larger of the two. */
function bars(own, other) {
  const most = Math.max(own, other);
  return element("td", { className: "bars" }, bar(own, most, "bar own"), bar(other, most, "bar"));
}

function bar(value, most, className) {
  const drawn = element("i");
  drawn.style.width = `${(100 * value) / most}%`;
  return element("div", { className }, drawn, element("span", {}, whole.format(value)));
}

function countsList({ concurrent, one, openings }) {
  const item = (...content) => element("li", {}, ...content);
  const strong = (value) => element("b", {}, whole.format(value));
  return element(
    "ul",
    { className: "counts" },
    item("10,000 sends at once took ", strong(concurrent.transactions), " transactions."),
    item("One awaited send took ", strong(one.transactions), " transaction with ", strong(one.requests), " request."),
    ...openings.map(({ shape, waiting, bodies, firstMs }) =>
      item(
        `Opening a queue that holds ${whole.format(waiting)} messages (${shape}) and receiving the first read `,
        strong(bodies),
        ` bodies and took ${firstMs.toFixed(0)} ms.`,
      )
    ),
  );
}

function saveLink(name, result) {
  const file = new Blob([JSON.stringify(result, null, 2)], { type: "application/json" });
  return element("p", {},
    element("a", { href: URL.createObjectURL(file), download: `posthaste-${name}.json` }, "Save the figures as JSON"));
}

function element(tag, properties = {}, ...content) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
}
