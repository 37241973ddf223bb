/** A worker that runs what the page sends it. Import maps do not reach workers: the package comes by its address. */
import * as posthaste from "/posthaste/index.js";
import * as check from "./check.mjs";
import * as raw from "./raw.mjs";

Object.assign(globalThis, posthaste, check, raw);

addEventListener("message", async ({ data: { id, code, argument } }) => {
  // Queues that are served here talk through the same port.
  if (code === undefined) return;
  try {
    postMessage({ id, value: await (0, eval)(`(${code})`)(argument) });
  } catch (error) {
    postMessage({ id, failure: `${error.name}: ${error.message}\n${error.stack}` });
  }
});
postMessage("ready");
