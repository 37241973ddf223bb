// The messages of the worker benchmark, made on one side and checked on the other. Every kind of message carries its
// number, and can tell of any message it is shown whether it is the whole message of that number: so order, loss,
// doubling and every byte are checked alike for every contender, while the clock runs.

import { body } from "../bodies.js";

/** The kind of messages that a row names. `verify`: "all" bytes, or only the "head" of each message, its number. */
export function messagesOf({ kind, size, pool }, verify) {
  if (kind === "bytes") return new ByteMessages(size, pool, verify);
  return kind === "clones" ? new CloneMessages() : new ObjectMessages();
}

/** Plain objects of 100 bytes as JSON; a new one each time. */
class ObjectMessages {
  make(number) {
    return body(number);
  }

  /** Whether `message` is the one of that number: every field is looked at. */
  isRight(number, message) {
    return (
      message.photo === 1_000_000 + number &&
      message.width === 1280 &&
      message.height === 720 &&
      message.job === "thumbnail" &&
      message.from === "/photos/2026/11/originals.jpg"
    );
  }
}

/** The same with what JSON can't say: a date. */
class CloneMessages extends ObjectMessages {
  make(number) {
    return { ...body(number), taken: new Date(1_790_000_000_000 + number) };
  }

  isRight(number, message) {
    return super.isRight(number, message) && message.taken instanceof Date && message.taken.getTime() === 1_790_000_000_000 + number;
  }
}

/** 2^52 plus a number below 2^32, as a double, has the number in its low half. */
const NUMBERED = 2 ** 52;
const NUMBERED_BYTES = 0x43 + 0x30;
const SMALL = 64;

/**
 * Byte arrays. Message `number` is the pool's array `number % pool`, with its number stamped on its first 8 bytes; like
 * an application with a buffer of its own, the sender uses the arrays again, so whoever sends must have copied them.
 * The bytes are those of doubles that are whole numbers, so that all bytes of a message can be summed at the speed of
 * memory, and exactly: anything slower would hide what is measured.
 */
class ByteMessages {
  constructor(size, pool, verify) {
    this.size = size;
    this.all = verify !== "head";
    let random = 1;
    const next = () => (random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0) >>> 1;
    this.arrays = Array.from({ length: pool }, () => {
      const doubles = Float64Array.from({ length: size / 8 }, next);
      return new Uint8Array(doubles.buffer);
    });
    this.stamps = this.arrays.map((bytes) => new Float64Array(bytes.buffer, 0, 1));
    for (const stamp of this.stamps) stamp[0] = 0;
    this.sums = this.arrays.map((bytes) => total(bytes));
  }

  make(number) {
    const place = number % this.arrays.length;
    this.stamps[place][0] = NUMBERED + number;
    return this.arrays[place];
  }

  isRight(number, bytes) {
    if (bytes.length !== this.size) return false;
    if ((bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) !== number) return false;
    return !this.all || total(bytes) === this.sums[number % this.arrays.length] + stampOf(this.size, number);
  }
}

/** What the stamp adds to the sum of a message. */
function stampOf(size, number) {
  if (size > SMALL) return NUMBERED + number;
  return NUMBERED_BYTES + (number & 255) + ((number >>> 8) & 255) + ((number >>> 16) & 255) + (number >>> 24);
}

/** The sum of all bytes where they are few, else of all doubles: each in the way that is the quickest. */
function total(bytes) {
  if (bytes.length > SMALL) return totalOfDoubles(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8));
  let [a, b] = [0, 0];
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + bytes[at] + bytes[at + 1] + bytes[at + 2] + bytes[at + 3]) | 0;
    b = (b + bytes[at + 4] + bytes[at + 5] + bytes[at + 6] + bytes[at + 7]) | 0;
  }
  return a + b;
}

function totalOfDoubles(doubles) {
  let [a, b] = [0, 0];
  for (let at = 0; at < doubles.length; at += 4) {
    a += doubles[at] + doubles[at + 1];
    b += doubles[at + 2] + doubles[at + 3];
  }
  return a + b;
}
