/** For tests: the suites that stores and queues pass, a clock that moves when told, and a storage in memory. */

export { realTime, virtualClock, virtualTime } from "./clock";
export { memoryStorage } from "./memory";
export { queueCases } from "./queue/index";
export { storeCases } from "./store/index";
export type * from "./types";
