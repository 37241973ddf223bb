/** A user's application, as small as it gets: a folder with the installed package in it, and what it says in a page. */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser, kinds } from "../browser/harness.mjs";

const installed = fileURLToPath(new URL("../node_modules/posthaste", import.meta.url));

/** Sends one message to a queue in `storage`, takes it out again, and keeps its body in `body`. */
export const code = (storage) => `
  const queue = await openQueue("letters", { storage: "${storage}" });
  await queue.send({ to: "Ada", on: new Date(0) });
  const [message] = await queue.receive({ wait: 5 });
  await message.ack();
  const { acked, backlogCount } = await queue.metrics();
  await queue.close();
  const said = JSON.stringify([message.body, acked, backlogCount]);
`;
export const answer = JSON.stringify([{ to: "Ada", on: new Date(0) }, 1, 0]);

/** The script of a page that runs `code` and shows what it said, or what went wrong, in the title. */
export const script = (imports, storage) =>
  `${imports}\n(async () => {${code(storage)} document.title = said; })().catch((error) => { document.title = String(error); });\n`;

export const page = (head) => `<!doctype html><html lang="en"><head><meta charset="utf-8">${head}</head><body></body></html>\n`;

/** Makes a folder of these files, with the package installed; it is gone when the tests are. */
export function application(files) {
  const folder = mkdtempSync(join(tmpdir(), "posthaste-application-"));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  cpSync(installed, join(folder, "node_modules/posthaste"), { recursive: true });
  for (const [name, text] of Object.entries({ "package.json": '{ "type": "module" }\n', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const browsers = new Map();
after(async () => {
  for (const browser of browsers.values()) await (await browser).stop();
});

/** What the page at this address says, in each browser. */
export async function shown(address) {
  const said = {};
  for (const kind of kinds) {
    if (!browsers.has(kind)) browsers.set(kind, new Browser(kind).start());
    const page = await (await browsers.get(kind)).context.newPage();
    const fault = new Promise((resolve) => page.once("pageerror", (error) => resolve(String(error))));
    await page.goto(address);
    const title = page.waitForFunction(() => document.title, undefined, { timeout: 30_000 }).then((handle) => handle.jsonValue());
    said[kind] = await Promise.race([title, fault]);
    title.catch(() => {}); // a fault came first
    await page.close();
  }
  return said;
}

/** `shown`, when all is well. */
export const well = Object.fromEntries(kinds.map((kind) => [kind, answer]));
