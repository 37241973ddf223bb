/** README.md: its example for functions without storage runs as it is written, in an isolate of edge-runtime. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { EdgeRuntime } from "edge-runtime";
import { script } from "./runtimes.mjs";

const [, section] = readFileSync(new URL("../../README.md", import.meta.url), "utf8").split(
  "\n### Vercel and other functions without storage\n",
);
const [, example] = /```js\n([^]*?)```/.exec(section);

/** The platform: it calls the handler for each request, and gives it what keeps the isolate alive. */
const PLATFORM = `import handler from "example";
addEventListener("fetch", (event) => event.respondWith(handler(event.request, event)));`;

/** Runs the example; what it sends to its address comes to `answer` instead. */
async function runs(answer, requests) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    asked.push({ url: request.url, headers: request.headers, ...JSON.parse(body) });
    response.writeHead(answer(asked.length)).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const said = [];
    const runtime = new EdgeRuntime();
    const { fetch } = runtime.context;
    runtime.context.fetch = (url, init) =>
      fetch(String(url).replace("https://example.com", `http://127.0.0.1:${server.address().port}`), init);
    runtime.context.console = { error: (...words) => said.push(words) };
    runtime.evaluate(await script(PLATFORM, { example }));
    const answers = await Promise.all(requests.map((url) => runtime.dispatchFetch(url)));
    assert.deepEqual(await Promise.all(answers.map((response) => response.text())), requests.map(() => "Hello"));
    assert.equal(asked.length, 0, "the answer does not wait");
    await Promise.all(answers.map((response) => response.waitUntil()));
    return { asked, said };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const pages = [1, 2, 3].map((page) => `https://shop.example.org/${page}`);

test("the example hands over in one batch what several requests sent", async () => {
  const { asked: [batch, ...more], said } = await runs(() => 202, pages);
  assert.deepEqual([batch.url, batch.messages, more, said], ["/visits", pages.map((url) => ({ body: { url } })), [], []]);
  assert.equal(batch.headers["idempotency-key"], batch.id);
});

test("the example tries again, and tells what could not be handed over", async () => {
  const later = await runs((count) => (count === 1 ? 503 : 202), pages);
  assert.deepEqual([later.asked.length, later.said], [2, []]);
  assert.deepEqual(later.asked[0].messages, later.asked[1].messages);
  assert.equal(later.asked[0].id, later.asked[1].id);
  const { asked, said: [[what, messages, cause]] } = await runs(() => 404, pages.slice(0, 1));
  assert.equal(asked.length, 1);
  assert.equal(what, "not handed over");
  assert.equal(JSON.stringify(messages), JSON.stringify([{ body: { url: pages[0] } }]));
  assert.match(cause.message, /404/);
});
