/** For tests: the suites that stores, queues and serializers of bodies pass, a clock that moves when told, faults, and a double of Cloudflare Queues. */

export { realTime, virtualClock, virtualTime } from "./clock";
export { cloudflareQueues } from "./cloudflare/index";
export { faultyDelivery } from "./delivery";
export { faulty } from "./faults";
export { memoryStorage } from "./memory";
export { queueCases } from "./queue/index";
export { serializerCases, serializers } from "./serializer/index";
export { storeCases } from "./store/index";
export type * from "./types";
