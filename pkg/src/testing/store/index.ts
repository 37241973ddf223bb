/** The suite that every store passes. */

import type { StoreCase } from "../types";
import { appending } from "./appending";
import { bodies } from "./bodies";
import { keeping } from "./keeping";
import { snapshots } from "./snapshots";

/** What `store.ts` asks of a store, a case at a time. Each runs on storages of its own. */
export const storeCases: readonly StoreCase[] = [...appending, ...keeping, ...bodies, ...snapshots];
