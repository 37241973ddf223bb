// The queues of the demo and how they deliver: shared by the page and its workers, so that every peer opens them alike.

/** Workers see no import map, so they import the package by its address. */
export const PACKAGE = "/pkg/dist/index.js";

/** Seconds a message stays hidden after its holder died. Short, so that a killed worker's mail is back while people watch. */
export const LEASE_SECONDS = 5;

const storage = "indexeddb";

const POLICIES = {
  photos: {
    storage,
    visibilityTimeout: LEASE_SECONDS,
    maxRetries: 2,
    retryDelay: { base: 0.6, factor: 2, max: 3, jitter: 0.2 },
    deadLetterQueue: "photos-dlq",
  },
  jobs: {
    storage,
    visibilityTimeout: LEASE_SECONDS,
    maxRetries: 2,
    retryDelay: { base: 0.6, factor: 2, max: 3, jitter: 0.2 },
    deadLetterQueue: "jobs-dlq",
  },
  // A result is never given up: it is only ever late.
  thumbnails: { storage, visibilityTimeout: LEASE_SECONDS, maxRetries: 1000, retryDelay: 1 },
  // These two are made by the queues above; whoever comes first, they take no rules from us.
  "photos-dlq": { storage },
  "jobs-dlq": { storage },
};

/** Every queue of the demo, in the order to delete them. */
export const NAMES = Object.keys(POLICIES);

/** Opens queue `name` of the demo with the package's `openQueue`. */
export function openDemoQueue(openQueue, name) {
  return openQueue(name, POLICIES[name]);
}

/** One message in ten fails while the switch is on: the same ones at every attempt, so that they end as dead letters. */
export function isOneInTen(ordinal) {
  return Number(ordinal) % 10 === 0;
}
