/** A user's application, as small as it gets: a folder with the installed package in it, and what it says when it runs. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { serve } from "../../www/serve.mjs";
import { Browser, kinds } from "../browser/harness.mjs";

/** The installed package. */
export const installed = fileURLToPath(new URL("../node_modules/posthaste", import.meta.url));
export const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));

const targets = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(targets));
/** Every script that its exports lead to, whatever the condition. */
export const scripts = [...new Set(Object.values(manifest.exports).flatMap(targets))].filter((name) => name.endsWith(".js"));

/** The files of tests/package/source with these names: what applications are made of. */
export const sources = (...names) =>
  Object.fromEntries(names.map((name) => [name, readFileSync(new URL(`source/${name}`, import.meta.url), "utf8")]));
export const PAGE = ["main.js", "page.js", "letters.js", "worker.js"];
export const SERVER = ["server.js", "letters.js"];

const letter = [{ to: "Ada", on: new Date(0) }, 1, 0];
/** What a server says. */
export const answer = JSON.stringify(letter);
/** What a page says. */
export const pageAnswer = JSON.stringify({ memory: letter, stored: letter, served: letter });
/** What the page of the service worker says. */
export const outboxAnswer = JSON.stringify(letter[0]);

export const page = (head) => `<!doctype html><html lang="en"><head><meta charset="utf-8">${head}</head><body></body></html>\n`;
export const scripted = (name) => page(`<script type="module" src="${name}"></script>`);

/**
 * Makes a folder of these files, with the package installed; it is gone when the tests are.
 * @param {Record<string, string>} files
 * @param {string} [home] where, for tools that want their own packages above it
 */
export function application(files, home = tmpdir()) {
  const folder = mkdtempSync(join(home, "application-"));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  cpSync(installed, join(folder, "node_modules/posthaste"), { recursive: true });
  for (const [name, text] of Object.entries({ "package.json": '{ "type": "module" }\n', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** What prints what a server says. */
export const PRINTING = 'import { said } from "./server.js";\nsaid().then((text) => console.log(text));\n';

/** What a program prints in this folder, when it has ended by itself. */
export const printed = (cwd, program, ...given) =>
  execFileSync(program, given, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 }).trim();

/** A program that npm brought; one of these files. */
export const brought = (...names) =>
  names.map((name) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url))).find(existsSync);
export const bun = brought("bun/bin/bun.exe", "bun/bin/bun");

const browsers = new Map();
after(async () => {
  for (const browser of browsers.values()) await (await browser).stop();
});

/** What the page at this address says, in each of these browsers. */
export async function shown(address, where = kinds) {
  const said = {};
  for (const kind of where) {
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

/** One is enough where what is tested is what a tool made. */
export const ONE = kinds.slice(0, 1);

/** Sees that the page at this address says what it should. */
export async function says(address, { text = pageAnswer, where = kinds } = {}) {
  assert.deepEqual(await shown(address, where), Object.fromEntries(where.map((kind) => [kind, text])));
}

/** Sees that the page of this folder says what it should. */
export async function works(folder, options) {
  const { origin, close } = await serve({ "/": folder }, 0);
  try {
    await says(`${origin}/`, options);
  } finally {
    close();
  }
}

/** A part of the wasm as the default entry brings it: the longest text in it. */
const inlined = () => {
  const [text] = readFileSync(join(installed, "dist/index.js"), "utf8").match(/[\w+/]{5000,}/);
  return text.slice(1000, 1100);
};

/**
 * How often the wasm is in what a tool made: once a script at most. The page and its worker are two contexts; tools that
 * give each a script of its own make two copies, those that share what both import make one.
 * @returns {{ copies: number, files: number, bytes: number, gzip: number }} of scripts and wasm; `bytes` and `gzip` of all
 */
export function weight(folder) {
  const all = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const made = all.filter((name) => statSync(name).isFile() && /\.(?:m?js|wasm)$/.test(name) && !name.includes("node_modules"));
  const mark = inlined();
  const found = { copies: 0, files: made.length, bytes: 0, gzip: 0 };
  for (const name of made) {
    const bytes = readFileSync(name);
    const inside = bytes.toString().split(mark).length - 1;
    assert.ok(inside <= 1, `${name} has ${inside} copies of the wasm`);
    found.copies += inside + Number(name.endsWith(".wasm"));
    found.bytes += bytes.length;
    found.gzip += gzipSync(bytes).length;
  }
  return found;
}
