// ringbuf.js, a ring of bytes in shared memory: frames of a length and a body. It has no way to wait, so both sides
// spin, as its users do who want it quick. The consumer counts what it has taken in a word of shared memory: the acks.
// A body is copied out into memory that is used again for the next one, so it is borrowed.

import { RingBuffer } from "../../../tests/node_modules/ringbuf.js/dist/index.mjs";

const HEAD = 8;

/** `pack` puts a body into bytes, answering how many. */
export async function producer({ ring, acked, size, codec }) {
  const bytes = new RingBuffer(ring, Uint8Array);
  const acks = new Int32Array(acked);
  const { pack } = await codecOf(codec);
  const frame = new Uint8Array(HEAD + Math.max(size, 4096));
  const head = new Uint32Array(frame.buffer, 0, 1);
  return {
    async send(count, make) {
      for (let number = 0; number < count; number++) {
        head[0] = pack(make(number), frame.subarray(HEAD));
        const length = HEAD + head[0];
        while (bytes.availableWrite() < length);
        bytes.push(frame, length);
      }
      while (Atomics.load(acks, 0) < count);
    },
  };
}

export async function consumer({ ring, acked, size, codec }, take) {
  const bytes = new RingBuffer(ring, Uint8Array);
  const acks = new Int32Array(acked);
  const { unpack } = await codecOf(codec);
  const frame = new Uint8Array(Math.max(size, 4096));
  const head = new Uint32Array(2);
  const headBytes = new Uint8Array(head.buffer);
  return {
    begin: () => Atomics.store(acks, 0, 0),
    spin(count) {
      for (let number = 1; number <= count; number++) {
        while (bytes.pop(headBytes) === 0);
        bytes.pop(frame, head[0]);
        take(unpack(frame, head[0]));
        Atomics.store(acks, 0, number);
      }
    },
  };
}

/** How a body becomes bytes. */
async function codecOf(name) {
  if (name === "json") return json();
  if (name === "msgpackr") return msgpackr();
  return {
    pack(body, into) {
      into.set(body);
      return body.length;
    },
    unpack: (frame, length) => (length === frame.length ? frame : frame.subarray(0, length)),
  };
}

function json() {
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  return {
    pack: (body, into) => encoder.encodeInto(JSON.stringify(body), into).written,
    unpack: (frame, length) => JSON.parse(decoder.decode(frame.subarray(0, length))),
  };
}

/** Records: both sides know the names of the fields beforehand, which is the quickest that msgpackr has. */
async function msgpackr() {
  const { Packr } = await import("../../../tests/node_modules/msgpackr/index.js");
  const plain = ["job", "photo", "from", "width", "height"];
  const packr = new Packr({ structures: [plain, [...plain, "taken"]] });
  return {
    pack(body, into) {
      const packed = packr.pack(body);
      into.set(packed);
      return packed.length;
    },
    unpack: (frame, length) => packr.unpack(frame.subarray(0, length)),
  };
}
