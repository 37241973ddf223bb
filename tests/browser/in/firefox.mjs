/** Every test of this folder in Firefox. */
import { every } from "../every.mjs";

await every("firefox");
