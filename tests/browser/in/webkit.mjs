/** Every test of this folder in WebKit, where the machine has it. */
import { test } from "node:test";
import { every } from "../every.mjs";
import { hasWebKit } from "../webkit.mjs";

if (hasWebKit) await every("webkit");
else test("in WebKit", { skip: "it is not here: Debian packs it as webkit2gtk-driver, with xvfb" }, () => {});
