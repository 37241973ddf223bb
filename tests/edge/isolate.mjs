/** For runtimes that take one script: everything as globals of it. The engine's module comes from outside. */
import { init, openQueue } from "posthaste/slim";
import { suites } from "./suites.mjs";

globalThis.run = async (bytes) => {
  await init(bytes);
  return suites(openQueue);
};
