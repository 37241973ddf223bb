/** Every test of this folder in one kind of browser, in one process: the browser is started once. */
import { readdirSync } from "node:fs";

/** @param {"chromium" | "firefox" | "webkit"} kind does nothing where POSTHASTE_BROWSERS names others only */
export async function every(kind) {
  const { POSTHASTE_BROWSERS: wanted } = process.env;
  if (wanted && !wanted.split(",").includes(kind)) return;
  process.env.POSTHASTE_BROWSERS = kind;
  const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".test.mjs")).sort();
  for (const file of files) await import(`./${file}`);
}
