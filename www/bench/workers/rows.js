// What the worker benchmark measures, and the goals that posthaste has set itself, in each browser: so many times the
// messages a second of the contender it is beside (`raw` unless `other` says), or at most so many times its round trip.

const rivals = ["raw", "arrays", "broadcast", "broadcast-channel", "comlink", "comlink-pipelined"];
const queues = ["borrowed-batches", "borrowed", "owned-batches", "owned", "outward"];
const bytes = { isolated: true, kind: "bytes", contenders: [...rivals, "ringbuf", ...queues] };
const trip = { trips: true, kind: "bytes", size: 64, contenders: ["raw", "broadcast", "comlink", "posthaste", "one-host"] };
const used = { isolated: true, kind: "bytes", contenders: ["raw", "awaited", "borrowed-awaited"] };
const plain = { isolated: false, contenders: ["raw", "arrays", ...queues] };

export const rows = [
  {
    key: "objects",
    title: "objects of 100 bytes that JSON can say",
    isolated: true,
    kind: "objects",
    contenders: [...rivals, "ringbuf-json", "msgpackr", "posthaste", "posthaste-batches", "outward"],
    goals: [
      { of: "posthaste", chromium: 9, firefox: 11 },
      { of: "posthaste", other: "comlink", chromium: 40 },
    ],
  },
  {
    key: "clones",
    title: "objects that must be cloned (with a Date)",
    isolated: true,
    kind: "clones",
    contenders: ["raw", "arrays", "broadcast", "msgpackr", "posthaste", "posthaste-batches"],
    goals: [{ of: "posthaste", chromium: 6, firefox: 7 }],
  },
  {
    ...bytes,
    key: "64B",
    title: "64 bytes, shared memory",
    size: 64,
    goals: [
      { of: "borrowed-batches", chromium: 50, firefox: 90 },
      { of: "borrowed-batches", other: "ringbuf", chromium: 2.5 },
      { of: "owned-batches", chromium: 40, firefox: 80 },
    ],
  },
  {
    ...bytes,
    key: "1KiB",
    title: "1 KiB, shared memory",
    size: 1024,
    goals: [
      { of: "borrowed-batches", chromium: 22, firefox: 40 },
      { of: "borrowed-batches", other: "ringbuf", chromium: 8 },
      { of: "owned-batches", chromium: 5, firefox: 50 },
    ],
  },
  {
    ...bytes,
    key: "64KiB",
    title: "64 KiB, shared memory",
    size: 65_536,
    pool: 16,
    goals: [
      { of: "borrowed-batches", chromium: 15, firefox: 35 },
      { of: "borrowed-batches", other: "ringbuf", chromium: 20 },
      { of: "owned-batches", chromium: 1.4, firefox: 20 },
    ],
  },
  {
    ...used,
    key: "used-objects",
    title: "objects of 100 bytes, sent in a loop",
    kind: "objects",
    contenders: ["raw", "awaited", "seldom"],
    goals: [{ of: "awaited", chromium: 6 }],
  },
  {
    ...used,
    key: "used-64B",
    title: "64 bytes, sent in a loop",
    size: 64,
    contenders: ["raw", "awaited", "seldom"],
    goals: [{ of: "awaited", chromium: 12 }, { of: "seldom", chromium: 25 }],
  },
  { ...used, key: "used-1KiB", title: "1 KiB, sent in a loop", size: 1024, goals: [{ of: "borrowed-awaited", chromium: 15 }] },
  {
    ...used,
    key: "used-64KiB",
    title: "64 KiB, sent in a loop",
    size: 65_536,
    pool: 16,
    goals: [{ of: "borrowed-awaited", chromium: 6 }, { of: "awaited", chromium: 1.2 }],
  },
  {
    ...trip,
    key: "trip-objects",
    title: "round trip of objects, worker to worker, isolated",
    isolated: true,
    kind: "objects",
    goals: [{ of: "posthaste", chromium: 1.5 }],
  },
  {
    key: "idle",
    title: "one way to an idle receiver, isolated",
    isolated: true,
    idleMs: 20,
    kind: "bytes",
    size: 64,
    contenders: ["raw", "comlink", "posthaste", "outward-one"],
    goals: [{ of: "posthaste", chromium: 1.3 }],
  },
  {
    ...trip,
    key: "trip-workers",
    title: "round trip, worker to worker, shared memory",
    isolated: true,
    goals: [{ of: "posthaste", chromium: 0.5, firefox: 0.25 }],
  },
  {
    ...trip,
    key: "trip-page",
    title: "round trip, page to worker (event loop), shared memory",
    isolated: true,
    fromPage: true,
    goals: [{ of: "posthaste", chromium: 0.8, firefox: 0.4 }],
  },
  {
    ...plain,
    key: "plain-objects",
    title: "objects of 100 bytes, not isolated",
    kind: "objects",
    contenders: ["raw", "arrays", "posthaste", "posthaste-batches"],
    goals: [{ of: "posthaste", chromium: 9, firefox: 11 }],
  },
  {
    ...plain,
    key: "plain-64B",
    title: "64 bytes, not isolated",
    kind: "bytes",
    size: 64,
    goals: [{ of: "borrowed-batches", chromium: 25, firefox: 25 }],
  },
  { ...plain, key: "plain-1KiB", title: "1 KiB, not isolated", kind: "bytes", size: 1024 },
  {
    ...trip,
    key: "plain-trip-workers",
    title: "round trip, worker to worker, not isolated",
    isolated: false,
    goals: [{ of: "posthaste", chromium: 1.15, firefox: 1.15 }],
  },
  {
    ...trip,
    key: "plain-trip-page",
    title: "round trip, page to worker, not isolated",
    isolated: false,
    fromPage: true,
    goals: [{ of: "posthaste", chromium: 1.15, firefox: 1.15 }],
  },
];

/**
 * Memory that grows while a million objects wait for a consumer that takes 1 ms more for every hundred. `until`: by the
 * share taken then, all are posted, and it only gets less; taking the rest would be minutes of waiting.
 */
export const slow = {
  key: "memory",
  title: "memory grown by 1,000,000 objects to a slow consumer",
  kind: "objects",
  slowMs: 1,
  hungMs: 300_000,
  contenders: ["raw-all", "arrays", "posthaste-bursts"],
  until: { "raw-all": 0.6 },
  goals: [{ of: "posthaste-bursts", other: "raw-all", chromium: 0.1, firefox: 0.1 }],
};
