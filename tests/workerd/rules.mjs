/**
 * Cloudflare's rules for a queue handler, as cases: what it does with a batch of "a", "b" and "c", and what becomes of them.
 * Run by Cloudflare's own queues (in workerd), by posthaste's that are pushed there, by `consume`, and by the double for tests.
 *
 * `handle(batch, ctx, { later, waitUntil })`: `later()` is a while; `waitUntil` is the one of "cloudflare:workers".
 * `acked`: those that are, the others come again. Where someone can't but do otherwise, `except` says what is acked there:
 * - simulator: miniflare retries all of a batch that failed or was retried, acks or not; Cloudflare documents that acks stand.
 * - call: a handler that is not wrapped, called by RPC: nobody is told what becomes of `ctx.waitUntil`.
 * - wrapped: a handler that is: the same for the `waitUntil` that is imported.
 * `needs`: "ctx", or "import", where a handler is given neither.
 */

const ALL = "abc";
const of = (batch, body) => batch.messages.find((message) => message.body === body);

export const rules = {
  "says nothing, and returns": { handle: () => undefined, acked: ALL },
  "says nothing, and resolves": { handle: async (_, __, { later }) => void (await later()), acked: ALL },
  "returns something": { handle: () => ({ ok: false, status: 500 }), acked: ALL },
  "returns what can't be sent": { handle: () => new (class Report {})(), acked: ALL, except: { call: "" } },
  "throws": {
    handle: () => {
      throw new Error("no");
    },
    acked: "",
  },
  "rejects": {
    handle: async (_, __, { later }) => {
      await later();
      throw new Error("no");
    },
    acked: "",
  },
  "acks one and throws": {
    handle: (batch) => {
      of(batch, "a").ack();
      throw new Error("no");
    },
    acked: "a",
    except: { simulator: "" },
  },
  "acks one and rejects": {
    handle: async (batch, _, { later }) => {
      of(batch, "b").ack();
      await later();
      throw new Error("no");
    },
    acked: "b",
    except: { simulator: "" },
  },
  "retries one and returns": { handle: (batch) => of(batch, "a").retry(), acked: "bc" },
  "retries one and throws": {
    handle: (batch) => {
      of(batch, "a").retry();
      throw new Error("no");
    },
    acked: "",
  },
  "acks one, then retries it": {
    handle: (batch) => {
      of(batch, "a").ack();
      of(batch, "a").retry();
    },
    acked: ALL,
  },
  "retries one, then acks it": {
    handle: (batch) => {
      of(batch, "a").retry();
      of(batch, "a").ack();
    },
    acked: "bc",
  },
  "acks all and throws": {
    handle: (batch) => {
      batch.ackAll();
      throw new Error("no");
    },
    acked: ALL,
    except: { simulator: "" },
  },
  "retries all and returns": { handle: (batch) => batch.retryAll(), acked: "" },
  "acks all, then retries all": {
    handle: (batch) => {
      batch.ackAll();
      batch.retryAll();
    },
    acked: ALL,
  },
  "retries all, then acks all": {
    handle: (batch) => {
      batch.retryAll();
      batch.ackAll();
    },
    acked: "",
  },
  "retries one, then acks all": {
    handle: (batch) => {
      of(batch, "c").retry();
      batch.ackAll();
    },
    acked: "ab",
  },
  "acks one, then retries all": {
    handle: (batch) => {
      of(batch, "c").ack();
      batch.retryAll();
    },
    acked: "c",
    except: { simulator: "" },
  },
  "acks all, then retries one": {
    handle: (batch) => {
      batch.ackAll();
      of(batch, "a").retry();
    },
    acked: ALL,
  },
  "retries all, then acks one": {
    handle: (batch) => {
      batch.retryAll();
      of(batch, "a").ack();
    },
    acked: "",
  },
  "retries all, then acks one later": {
    handle: async (batch, _, { later }) => {
      batch.retryAll();
      await later();
      of(batch, "a").ack();
    },
    acked: "",
  },
  "leaves work behind that ends well": { needs: "ctx", handle: (_, ctx, { later }) => ctx.waitUntil(later()), acked: ALL },
  "leaves work behind that fails": {
    needs: "ctx",
    handle: (_, ctx, { later }) =>
      ctx.waitUntil(later().then(() => {
        throw new Error("no");
      })),
    acked: "",
    except: { call: ALL },
  },
  "leaves work behind that leaves work behind that fails": {
    needs: "ctx",
    handle: (_, ctx, { later }) =>
      ctx.waitUntil(later().then(() =>
        ctx.waitUntil(later().then(() => {
          throw new Error("no");
        }))
      )),
    acked: "",
    except: { call: ALL },
  },
  "acks one, and leaves work behind that fails": {
    needs: "ctx",
    handle: (batch, ctx, { later }) => {
      of(batch, "b").ack();
      ctx.waitUntil(later().then(() => {
        throw new Error("no");
      }));
    },
    acked: "b",
    except: { simulator: "", call: ALL },
  },
  "speaks in the work it left behind": {
    needs: "ctx",
    handle: (batch, ctx, { later }) =>
      ctx.waitUntil(later().then(() => {
        of(batch, "a").ack();
        of(batch, "b").retry();
      })),
    acked: "ac",
    except: { call: ALL },
  },
  "throws, and acks in the work it left behind": {
    needs: "ctx",
    handle: (batch, ctx, { later }) => {
      ctx.waitUntil(later().then(() => of(batch, "a").ack()));
      throw new Error("no");
    },
    acked: "a",
    except: { simulator: "", call: "" },
  },
  "some of the work left behind fails, and the rest speaks later": {
    needs: "ctx",
    handle: (batch, ctx, { later }) => {
      ctx.waitUntil(Promise.reject(new Error("no")));
      ctx.waitUntil(later().then(() => of(batch, "c").ack()));
    },
    acked: "c",
    except: { simulator: "", call: ALL },
  },
  "leaves work to the imported waitUntil that ends well": {
    needs: "import",
    handle: (_, __, { later, waitUntil }) => waitUntil(later()),
    acked: ALL,
  },
  "leaves work to the imported waitUntil that fails": {
    needs: "import",
    handle: (_, __, { later, waitUntil }) =>
      waitUntil(later().then(() => {
        throw new Error("no");
      })),
    acked: "",
    except: { call: ALL, wrapped: ALL },
  },
};

/** What is acked of a case by `who`. */
export const ackedBy = (who, { acked, except }) => [...(except?.[who] ?? acked)].sort().join("");

/** A handler for all cases: a queue is named after the place of its case. The second time every message is acked. */
export function handlerOf(tools, deliveredTo) {
  return function(batch, env, ctx) {
    const [, rule] = Object.entries(rules)[Number(batch.queue.slice(4))];
    const first = batch.messages.every(({ attempts }) => attempts === 1);
    deliveredTo(env, ctx, { queue: batch.queue, bodies: batch.messages.map(({ body }) => body), first });
    return first ? rule.handle(batch, ctx, tools) : undefined;
  };
}
