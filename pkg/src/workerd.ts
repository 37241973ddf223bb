/** The default entry where wasm is a module that is imported: Cloudflare's Workers, which compile no bytes. */

import module from "./posthaste.wasm";
import { provide } from "./engine";

provide(async () => module);

export * from "./api";
