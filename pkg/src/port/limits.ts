/** Bounds of ports. */

/** Messages leased ahead of demand, at least and at most, while a receiver is busy. */
export const PREFETCH_MIN = 8;
export const PREFETCH_MAX = 256;
/** As many again are leased ahead while half of them are handed out within this time, in milliseconds. */
export const PREFETCH_FAST_MS = 2;
/** Leased ahead only while the receiver came back within this time, in milliseconds. */
export const PREFETCH_ACTIVE_MS = 200;
/** What was leased ahead and not asked for goes back after this time, in milliseconds. */
export const PREFETCH_IDLE_MS = 1000;
