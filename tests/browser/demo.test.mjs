/** The demo's page does its work through the death of its tab: 200 files, each processed and acked once, none lost. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { serve } from "../../www/serve.mjs";
import { dist, promise } from "./harness.mjs";

const www = fileURLToPath(new URL("../../www", import.meta.url));
const ownFiles = Array.from({ length: 80 }, (_, n) => ({
  name: `own ${n}.txt`,
  mimeType: "text/plain",
  buffer: Buffer.from(`file ${n}\n`.repeat(n + 1)),
}));

/** All that is to know once every file has its result; after 90 s what there is by then. */
async function untilDone(count) {
  const end = performance.now() + 90_000;
  for (;;) {
    const all = await demo.read();
    const done = all.counts.photos.done === count && all.files.length === count && all.files.every((file) => file.results > 0);
    if (done || performance.now() > end) return all;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

async function countResults() {
  const opening = indexedDB.open("posthaste-demo");
  await new Promise((resolve) => {
    opening.onsuccess = resolve;
  });
  const counting = opening.result.transaction("results").objectStore("results").count();
  await new Promise((resolve) => {
    counting.onsuccess = resolve;
  });
  opening.result.close();
  return counting.result;
}

async function openDemo(world, origin) {
  const page = await world.page(`${origin}/demo/`);
  await page.waitForFunction(() => globalThis.demo !== undefined);
  await page.evaluate(() => demo.ready);
  return page;
}

promise("200 files go through the demo while its tab is killed twice in the middle: each is processed, acked once, none is lost",
  async (world) => {
    const { origin, close } = await serve({ "/pkg/dist/": dist, "/": www }, 0);
    try {
      let page = await openDemo(world, origin);
      // Slow motion keeps the middle wide enough to hit.
      await page.getByTestId("slow").check();
      await page.getByTestId("send-many").click();
      await page.getByTestId("file-input").setInputFiles(ownFiles);
      await page.waitForFunction(() => demo.sent === 200 && demo.sending === 0);
      for (const done of [30, 80]) {
        await page.waitForFunction((done) => demo.done >= done, done);
        await world.crashTab(page);
        page = await openDemo(world, origin);
        const found = await page.evaluate(() => demo.found.photos);
        assert.equal(found.sent, 200, "all that was sent is there");
        assert.ok(found.done >= done && found.waiting > 0, `killed in the middle: ${JSON.stringify(found)}`);
      }
      await page.getByTestId("slow").uncheck();
      const { counts, files, doneByName } = await page.evaluate(untilDone, 200);
      const { sent, done, waiting, leased, dead } = counts.photos;
      assert.deepEqual({ sent, done, waiting, leased, dead }, { sent: 200, done: 200, waiting: 0, leased: 0, dead: 0 });
      assert.equal(files.length, 200);
      for (const file of files) {
        assert.equal(file.place, "done", file.name);
        // A tab that dies between the work and its ack has it done once more; the ack counts once all the same.
        assert.ok(file.runs >= 1 && file.results >= 1 && file.acks <= 1,
          `${file.name}: ${file.runs} runs, ${file.results} results, ${file.acks} acks`);
      }
      assert.deepEqual(Object.values(doneByName), Array(200).fill(1), "no two files are one");
      assert.equal(await page.evaluate(countResults), 200, "one result is kept of each");
    } finally {
      await Promise.all([...world.pages].map((page) => page.close()));
      close();
    }
  }, { browsers: ["chromium"], seconds: 240 });
