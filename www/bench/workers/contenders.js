// Who takes part in the worker benchmark, and what each side really does. Both ends are dedicated module workers joined
// by a MessageChannel (in some round trips the page is one end). All of them move the same messages, made in the same
// way, and every message is checked by its receiver in the same way (messages.js): it is the next in order, of the right
// length, and the sum of all its bytes, or each of its fields, is right. A message that is not is an error, not a figure.
// The clock runs from the first send until the consumer has checked the last message and all are acked.
//
// raw: `port.postMessage(body)`, one message at a time. No acks of its own, so the consumer posts back how many it has
//   had after every 100 (16 of 64 KiB), and the producer has at most 2,000 (64) on the way.
// arrays: arrays of 100 bodies (16 of 64 KiB), at most 8 on the way, an ack posted back for each array.
// broadcast: BroadcastChannel, one message at a time, acks and window as raw, over a second channel.
// broadcast-channel: the npm package of that name in its native mode; each `postMessage` awaited, as it copies the body
//   only then; the same otherwise.
// comlink: the consumer exposes `take(body)`; each call awaited, its answer is the ack. "pipelined" does not await each:
//   bursts of 1,000 calls, two at once.
// ringbuf: ringbuf.js, a ring of 2 MiB in shared memory, both sides spinning (it can't wait), bodies copied out into
//   memory that is used again; objects as JSON. Acks are a counter in shared memory, written after each message.
// msgpackr: msgpackr records over that ring, the names of the fields known to both sides.
// posthaste: a memory queue with room for 20,000 messages in the consumer's worker, served at the port; the producer is
//   its client. `consume` in batches of up to 1,000; a message is acked when the handler has returned, each checked
//   against its lease. "send" is un-awaited sends in bursts of 1,000, four bursts open at most; "sendBatch" is 256
//   messages (16 of 64 KiB) at a time, four batches open at most. "borrowed": `borrow: true`, bodies may be views of
//   memory that is only lent; "copies": everyone's own, for good. "every 512th send awaited": one loop that sends and awaits now and
//   then, as applications write it. "from the host": the producer's worker serves the queue,
//   and the consumer is its client. The table says which transport it really used.
//
// Round trips: one body of 64 bytes goes there and back, and the next one starts. posthaste: two queues over one port,
//   each served by the side that receives from it; "one host": the answering side serves both.
// One way to an idle receiver: a message every 20 ms, each timed from before it is sent to when its receiver has its body; both clocks
//   are those of one process.

/** By name: the title in tables, the file with its two sides, what its sides are told. `shared`: needs shared memory. */
export const contenders = {
  raw: { title: "raw postMessage", file: "raw" },
  arrays: { title: "arrays, 8 credits", file: "arrays" },
  broadcast: { title: "BroadcastChannel", file: "broadcast" },
  "broadcast-channel": { title: "broadcast-channel 7", file: "broadcast-channel" },
  comlink: { title: "Comlink, awaited", file: "comlink" },
  "comlink-pipelined": { title: "Comlink, pipelined", file: "comlink", link: { pipelined: true } },
  ringbuf: { title: "ringbuf.js", file: "rings", shared: true },
  "ringbuf-json": { title: "ringbuf.js, JSON", file: "rings", link: { codec: "json" }, shared: true },
  msgpackr: { title: "ring, msgpackr records", file: "rings", link: { codec: "msgpackr" }, shared: true },
  posthaste: { title: "posthaste, send", file: "posthaste" },
  "posthaste-batches": { title: "posthaste, sendBatch", file: "posthaste", link: { batches: true } },
  borrowed: { title: "posthaste, borrowed, send", file: "posthaste", link: { borrow: true } },
  "borrowed-batches": { title: "posthaste, borrowed, sendBatch", file: "posthaste", link: { borrow: true, batches: true } },
  owned: { title: "posthaste, copies, send", file: "posthaste" },
  "owned-batches": { title: "posthaste, copies, sendBatch", file: "posthaste", link: { batches: true } },
  awaited: { title: "posthaste, copies, every 512th send awaited", file: "posthaste", link: { awaitEach: 512 } },
  seldom: { title: "posthaste, copies, every 16,384th send awaited", file: "posthaste", link: { awaitEach: 16_384 } },
  "borrowed-awaited": { title: "posthaste, borrowed, every 512th send awaited", file: "posthaste", link: { awaitEach: 512, borrow: true } },
  outward: { title: "posthaste, from the host, sendBatch", file: "posthaste", link: { outward: true, borrow: true, batches: true } },
  "outward-one": { title: "posthaste, from the host, send", file: "posthaste", link: { outward: true } },
  "one-host": { title: "posthaste, one host", file: "posthaste", link: { oneHost: true } },
  "raw-all": { title: "raw postMessage, all at once", file: "raw", link: { window: Infinity } },
  "posthaste-bursts": { title: "posthaste, awaited bursts of 1,000", file: "posthaste", link: { inFlight: 1 } },
};
