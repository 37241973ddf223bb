// The message that every benchmark sends: a plain object that is 100 bytes as JSON, as real jobs are.

const job = "thumbnail";

/** The body of message `number` (below 1,000,000). */
export function body(number) {
  return { job, photo: 1_000_000 + number, from: "/photos/2026/11/originals.jpg", width: 1280, height: 720 };
}

/** `count` new bodies. New ones for every measurement: Dexie writes its key into the objects it is given. */
export function bodies(count) {
  return Array.from({ length: count }, (_, number) => body(number));
}

/** `list` in slices of `size`. */
export function slices(list, size) {
  const parts = [];
  for (let start = 0; start < list.length; start += size) parts.push(list.slice(start, start + size));
  return parts;
}

/** How many bodies are in a value that a store gave back, however deep the store packed them. */
export function countBodies(value) {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return 0;
  if (value.job === job && typeof value.photo === "number") return 1;
  let found = 0;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) found += countBodies(inner);
  return found;
}
