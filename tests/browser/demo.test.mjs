/** The demo's page does its work through the death of its tab: 200 files, each processed and acked once, none lost. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { serve } from "../../www/serve.mjs";
import { dist, promise } from "./harness.mjs";

const www = fileURLToPath(new URL("../../www", import.meta.url));
const ownFiles = Array.from({ length: 80 }, (_, n) => ({
  name: `own ${n}.txt`, mimeType: "text/plain", buffer: Buffer.from(`file ${n}\n`.repeat(n + 1)),
}));

async function openDemo(world, origin) {
  const page = await world.page(`${origin}/demo/`);
  await page.waitForFunction(() => globalThis.demo !== undefined);
  await page.evaluate(() => demo.ready);
  return page;
}

promise("200 files go through the demo while its tab is killed twice in the middle: each is processed, acked once, none is lost", async (world) => {
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
    const { counts, files, doneByName } = await page.evaluate(async () => {
      const end = performance.now() + 90_000;
      for (;;) {
        const all = await demo.read();
        const results = all.files.reduce((sum, file) => sum + file.results, 0);
        if ((all.counts.photos.done === 200 && results >= 200) || performance.now() > end) return all;
      }
    });
    const { sent, done, waiting, leased, dead } = counts.photos;
    assert.deepEqual({ sent, done, waiting, leased, dead }, { sent: 200, done: 200, waiting: 0, leased: 0, dead: 0 });
    assert.equal(files.length, 200);
    for (const file of files) {
      assert.equal(file.place, "done", file.name);
      assert.equal(file.results, 1, `${file.name} has one result`);
      assert.ok(file.runs >= 1 && file.acks <= 1, `${file.name}: ${file.runs} runs, ${file.acks} acks`);
    }
    assert.equal(Object.keys(doneByName).length, 200, "no two files are one");
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=wall] li").length > 0);
  } finally {
    await Promise.all([...world.pages].map((page) => page.close()));
    close();
  }
}, { browsers: ["chromium"], seconds: 240 });
