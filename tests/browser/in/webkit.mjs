/** Every test of this folder in WebKit, where the machine has it and it starts: some containers give it no display or no sandbox. */
import { test } from "node:test";
import { every } from "../every.mjs";
import { hasWebKit, webkit } from "../webkit.mjs";

const STARTING_MS = 60_000;

/** Why it can't be tested in here; undefined: it can. */
async function missing() {
  if (!hasWebKit) return "it is not here: Debian packs it as webkit2gtk-driver, with xvfb";
  const browser = webkit();
  const late = new Promise((_, reject) => setTimeout(reject, STARTING_MS, new Error(`no answer for ${STARTING_MS / 1000} s`)).unref());
  try {
    await Promise.race([browser.start(), late]);
    return undefined;
  } catch (error) {
    return `it does not start here: ${error.message}`;
  } finally {
    await Promise.race([browser.close(), new Promise((resolve) => setTimeout(resolve, 5_000).unref())]).catch(() => undefined);
  }
}

const why = await missing();
if (why) test("in WebKit", { skip: why }, () => {});
else await every("webkit");
