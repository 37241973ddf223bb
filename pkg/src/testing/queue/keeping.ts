/** What is kept of a body: what it was when it was sent, all of it and no more. */

import { bounded, ok, same } from "../check";
import { bodies, queueCase, range, take } from "./case";

/** 8 KiB in which small bytes lie beside others, as Node's Buffers do. */
function pool(): ArrayBuffer {
  const bytes = new Uint8Array(8192).fill(83);
  bytes.set([1, 2, 3, 4], 16);
  return bytes.buffer;
}

/** Views of four bytes, with what lies beside them in their buffers. */
const VIEWS: Record<string, (at: ArrayBuffer) => unknown> = {
  bytes: (at) => new Uint8Array(at, 16, 4),
  "bytes in an object": (at) => ({ data: new Uint8Array(at, 16, 4) }),
  "bytes in a list in a map": (at) => new Map([["data", [new Uint8Array(at, 16, 4)]]]),
  "bytes as a map's key": (at) => new Map([[new Uint8Array(at, 16, 4), [1]]]),
  "bytes in a set": (at) => new Set([new Uint8Array(at, 16, 4)]),
  words: (at) => ({ data: new Uint16Array(at, 16, 2) }),
  "a data view": (at) => ({ data: new DataView(at, 16, 4) }),
  "bytes among many objects": (at) => [...range(100).map((n) => ({ n })), new Uint8Array(at, 16, 4)],
  "bytes twice": (at) => {
    const data = new Uint8Array(at, 16, 4);
    return [data, { data }];
  },
  "overlapping bytes": (at) => [new Uint8Array(at, 16, 4), new Uint16Array(at, 18, 1)],
};

/** Every view in a body. */
function viewsIn(body: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(body)) return [body];
  if (typeof body !== "object" || body === null) return [];
  if (body instanceof Map) return [...body.keys(), ...body.values()].flatMap(viewsIn);
  if (body instanceof Set) return [...body].flatMap(viewsIn);
  return Object.values(body).flatMap(viewsIn);
}

export const keeping = [
  queueCase("a view brings the bytes that it shows, and nothing that lies beside them", async (world) => {
    const queue = await world.queue<unknown>(world.policy());
    for (const [what, make] of Object.entries(VIEWS)) {
      await queue.send(make(pool()));
      const { backlogBytes } = await queue.metrics();
      ok(backlogBytes < 8000, `${what}: counted as ${backlogBytes} bytes`);
      const [{ body }] = await take(queue, 1);
      const views = viewsIn(body);
      ok(views.length > 0, `${what}: views come back`);
      for (const { buffer, byteOffset, byteLength } of views) {
        ok(buffer.byteLength <= 8, `${what}: its buffer has ${buffer.byteLength} bytes`);
        const shown = new Uint8Array(buffer, byteOffset, byteLength);
        same([...shown], [1, 2, 3, 4].slice(-byteLength), `${what}: the bytes`);
      }
      await queue.purge();
    }
  }),

  queueCase("a body may be entangled: each part is counted once, and comes back once", async (world) => {
    const queue = await world.queue<unknown>(world.policy());
    interface Node {
      name: string;
      parent?: Node;
      children: Node[];
    }
    const root: Node = { name: "root", children: [] };
    for (const at of range(200)) root.children.push({ name: `child ${at}`, parent: root, children: [] });
    let shared: unknown[] = ["the end"];
    for (let depth = 0; depth < 100; depth += 1) shared = [shared, shared];
    await bounded(queue.sendBatch([{ body: root }, { body: shared }]), "both are sent");
    const { backlogBytes } = await queue.metrics();
    ok(backlogBytes > 2000 && backlogBytes < 200_000, `counted as ${backlogBytes} bytes`);
    const [tree, lattice] = bodies(await take(queue, 2)) as [Node, unknown[][]];
    ok(tree.children.length === 200 && tree.children.every(({ parent }) => parent === tree), "every child knows its parent");
    ok(lattice[0] === lattice[1] && lattice[0][0] === lattice[0][1], "what was one is one");
  }),

  queueCase("a body is what it was when it was sent, however long a schema takes", async (world) => {
    interface Order {
      amount: unknown;
    }
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "a test",
        async validate(value: unknown) {
          const fits = typeof (value as Order).amount === "number";
          for (const _ of range(5)) await undefined;
          return fits ? { value: value as Order } : { issues: [{ message: "amount must be a number" }] };
        },
      },
    };
    const queue = await world.queue<Order>(world.policy({ schema }));
    const given: Order[] = [{ amount: 1 }, { amount: 2 }, { amount: 3 }];
    const headers = { kind: "first" };
    const batch = [{ body: given[1], headers }, { body: given[2] }];
    const options = { headers };
    const sent = [queue.send(given[0], options), queue.sendBatch(batch)];
    for (const body of given) body.amount = "changed";
    headers.kind = "changed";
    batch.length = 0;
    Object.assign(options, { delaySeconds: world.seconds(1000) });
    await bounded(Promise.all(sent), "all are sent");
    const messages = await take(queue, 3);
    same(bodies(messages), [{ amount: 1 }, { amount: 2 }, { amount: 3 }], "the bodies");
    same(messages.map((message) => message.headers["kind"]), ["first", "first", undefined], "their headers");
  }),
];
