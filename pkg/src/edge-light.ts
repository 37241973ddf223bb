/**
 * The default entry where edge functions run (Vercel's, Next.js's): wasm must be imported there, for making it out of bytes
 * is refused. A file with an engine of its own, as the other entries are: of one that only exported again what
 * `posthaste/slim` has, bundlers would skip the lines that bring the module, for the package says it has no side effects.
 */

import module from "./posthaste.wasm?module";
import { provide } from "./engine";

provide(async () => module);

export * from "./api";
