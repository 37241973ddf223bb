/** Every test of this folder in Chromium. */
import { every } from "../every.mjs";

await every("chromium");
