/** WebKit as Debian packs it (`webkit2gtk-driver`). It has no headless mode: a display of its own (Xvfb) stands in for one. */
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Driven } from "./driven.mjs";

/** Without these: no shared memory, and a search for a graphics card. */
const surroundings = {
  JSC_useSharedArrayBuffer: "1",
  WEBKIT_DISABLE_COMPOSITING_MODE: "1",
  WEBKIT_DISABLE_DMABUF_RENDERER: "1",
  GDK_BACKEND: "x11",
  NO_AT_BRIDGE: "1",
};
const miniBrowser = () => {
  const libraries = "/usr/lib";
  return ["", ...readdirSync(libraries)].flatMap((folder) =>
    ["webkit2gtk-4.1", "webkit2gtk-4.0", "webkitgtk-6.0"].map((api) => join(libraries, folder, api, "MiniBrowser"))
  )
    .find((path) => existsSync(path));
};

/** Whether this machine has it: only Debian and its like pack the driver. */
export const hasWebKit = ["WebKitWebDriver", "Xvfb"].every((name) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)))
);

export const webkit = () =>
  new Driven({
    driver: "WebKitWebDriver",
    display: true,
    environment: surroundings,
    capabilities: { browserName: "MiniBrowser", "webkitgtk:browserOptions": { binary: miniBrowser(), args: ["--automation"] } },
  });
