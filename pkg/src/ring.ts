/**
 * Rings in shared memory: one each way beside a port, for frames whose bodies are bytes, or that have none. The positions
 * and the wake-ups are the business of the ring's own module (`src/ring`); this copies bytes in, lends them out, and sleeps.
 *
 * What lies in a ring: `u32` bytes of bodies (a multiple of 8, and 1 more where there are bodies at all), `u32` bytes of the
 * frame, the bodies, the frame, each at a multiple of 8.
 */

import module from "../wasm/ring.js";
import { platformError } from "./errors";
import { Bytes, aligned, ownCopy, type BYTES } from "./parcel";

/** Bytes of each ring. */
const SIZE = 4 << 20;
/** What both sides look at, before the bytes of each ring. */
const CONTROL = 384;
const PAGE = 64 << 10;
const HEAD = 8;
const PREFIX = 8;
/** Words of the control, by bytes: the event counts that are slept on. */
const FILLED = 128;
/** Bodies of one frame, at most, and what is kept free behind them for its rows. */
const BODIES_MAX = 512 << 10;
const BODIES_MIN = 64 << 10;
const ROWS_MAX = 8 << 10;
/** A frame's own head. */
const FRAME_MIN = 40;
/** As answers of the module: no frame, and no sound ring. */
const NONE = 1;
const DAMAGED = 2;

interface Module {
  reserve(at: number, size: number, length: number): number;
  commit(at: number, size: number, position: number, length: number): number;
  next(at: number, size: number, cursor: number): number;
  length(at: number, size: number, position: number): number;
  free(at: number, size: number, position: number): number;
  arm(at: number, freed: number): number;
  disarm(at: number, freed: number): void;
}

/** Both rings of a link, as one side has them. */
export class Rings {
  readonly writer: Writer;
  readonly reader: Reader;

  /** `memory` undefined: new ones. `host`: the first ring is read, the second written; a client does it the other way round. */
  constructor(host: boolean, readonly memory = newMemory()) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytesOf(module)), { env: { memory } });
    const [first, second] = [0, CONTROL + SIZE];
    this.reader = new Reader(memory, exports as unknown as Module, host ? first : second);
    this.writer = new Writer(memory, exports as unknown as Module, host ? second : first);
  }
}

function newMemory(): WebAssembly.Memory {
  const pages = Math.ceil((2 * (CONTROL + SIZE)) / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Whether memory can be shared here at all. */
export function canShare(): boolean {
  return typeof SharedArrayBuffer === "function" && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

export class Writer {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  /** Calls the reader who can't sleep on memory. */
  doorbell: (() => void) | undefined;
  /** Bodies that are being written in place. */
  private filling: RingBytes | undefined;

  constructor(memory: WebAssembly.Memory, private readonly module: Module, private readonly at: number) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
  }

  /** The address of the bytes at a position. */
  private address(position: number): number {
    return this.at + CONTROL + (position & (SIZE - 1)) + HEAD;
  }

  /** A parcel that is filled in the ring itself, for bodies of at least `length` bytes; undefined: not now. */
  open(form: typeof BYTES | 3, length: number): RingBytes | undefined {
    if (this.filling) return undefined;
    for (const most of [BODIES_MAX, BODIES_MIN]) {
      const room = Math.max(most, aligned(length));
      const position = this.module.reserve(this.at, SIZE, PREFIX + room + ROWS_MAX) >>> 0;
      if (position === NONE) continue;
      const from = this.address(position) + PREFIX;
      return (this.filling = new RingBytes(form, this.bytes.subarray(from, from + room), position));
    }
    return undefined;
  }

  /** Puts a frame behind the bodies that were written in place. False: it does not fit there. */
  commit(bodies: RingBytes, frame: Uint8Array): boolean {
    if (bodies !== this.filling || frame.length > ROWS_MAX) return false;
    this.filling = undefined;
    bodies.sent = true;
    this.publish(bodies.position, bodies.used, 1, frame);
    return true;
  }

  /** Bodies that did not go in place go elsewhere: their room is needed. */
  close(): void {
    this.filling?.detach();
    this.filling = undefined;
  }

  /** Puts a frame with these bodies, or none. False: there is no room now. */
  put(bodies: Uint8Array | undefined, frame: Uint8Array): boolean {
    this.close();
    const used = aligned(bodies?.length ?? 0);
    const position = this.module.reserve(this.at, SIZE, PREFIX + used + aligned(frame.length)) >>> 0;
    if (position === NONE) return false;
    if (bodies) this.bytes.set(bodies, this.address(position) + PREFIX);
    this.publish(position, used, bodies ? 1 : 0, frame);
    return true;
  }

  private publish(position: number, used: number, some: 0 | 1, frame: Uint8Array): void {
    const at = this.address(position);
    this.words[at >> 2] = used + some;
    this.words[(at >> 2) + 1] = frame.length;
    this.bytes.set(frame, at + PREFIX + used);
    if (this.module.commit(this.at, SIZE, position, PREFIX + used + frame.length)) {
      Atomics.notify(this.words, (this.at + FILLED) >> 2);
      this.doorbell?.();
    }
  }
}

/** Bodies that are written where they will be read. */
export class RingBytes extends Bytes {
  sent = false;

  constructor(form: Bytes["form"], memory: Uint8Array, readonly position: number) {
    super(form, memory);
  }

  /** There is no more room than was reserved. */
  protected override grow(): boolean {
    return false;
  }

  /** What was not sent in place is kept elsewhere. */
  detach(): void {
    if (!this.sent) this.memory = ownCopy(this.memory, 0, this.used);
  }
}

/** A frame in the ring, until everything in it is done with. */
interface Unfreed {
  end: number;
  /** Nothing of it is needed any more. */
  done: boolean;
}

export interface RingFrame {
  frame: Uint8Array;
  /** Bodies in shared memory, if it has any; whoever is done with them calls `done`, once. */
  bodies: Uint8Array | undefined;
  done: () => void;
}

export class Reader {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private cursor = 0;
  private freed = 0;
  private readonly unfreed: Unfreed[] = [];

  constructor(memory: WebAssembly.Memory, private readonly module: Module, private readonly at: number) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
  }

  /** The next frame, if it has this number: one that is later waits for what comes through the port. Throws when the ring is not sound. */
  next(number: number): RingFrame | undefined {
    const found = this.find();
    if (!found || found.number > number) return undefined;
    const { position, length, from, used, some, size } = found;
    const frame = ownCopy(this.bytes, from + used, from + used + size);
    const end = (position + HEAD + aligned(length)) >>> 0;
    const unfreed: Unfreed = { end, done: false };
    this.unfreed.push(unfreed);
    this.cursor = end;
    const done = (): void => {
      unfreed.done = true;
      this.free();
    };
    return { frame, bodies: some ? this.bytes.subarray(from, from + used) : undefined, done };
  }

  /** Whether the next frame is a later one than this. */
  isEarly(number: number): boolean {
    return (this.find()?.number ?? 0) > number;
  }

  private find(): { position: number; length: number; from: number; used: number; some: boolean; size: number; number: number } | undefined {
    const position = this.module.next(this.at, SIZE, this.cursor) >>> 0;
    if (position === NONE) return undefined;
    if (position === DAMAGED) throw platformError("DataError", "the ring in shared memory is damaged");
    const length = this.module.length(this.at, SIZE, position);
    const at = this.at + CONTROL + (position & (SIZE - 1)) + HEAD;
    // Read once: the other side could write them again.
    const [word, size] = [this.words[at >> 2], this.words[(at >> 2) + 1]];
    const used = word & ~1;
    if (word < 0 || size < FRAME_MIN || (used & 7) !== 0 || PREFIX + used + size > length) throw platformError("DataError", "a frame in shared memory is damaged");
    const from = at + PREFIX;
    const words = (from + used) >> 2;
    return { position, length, from, used, some: used !== word, size, number: (this.words[words + 2] >>> 0) + (this.words[words + 3] >>> 0) * 2 ** 32 };
  }

  /** Bytes that were read and are not free yet. */
  get held(): number {
    return (this.cursor - this.freed) >>> 0;
  }

  private free(): void {
    let end: number | undefined;
    while (this.unfreed[0]?.done) end = this.unfreed.shift()!.end;
    if (end === undefined) return;
    this.freed = end;
    this.module.free(this.at, SIZE, end);
  }

  /** Resolves when there may be a frame; undefined where this context can't wait for memory. */
  sleep(): Promise<unknown> | undefined {
    const { waitAsync } = Atomics as { waitAsync?: (words: Int32Array, index: number, value: number) => { async: boolean; value: unknown } };
    const count = this.module.arm(this.at, 0);
    if (!waitAsync) return undefined;
    if (this.hasMore()) return Promise.resolve();
    const waiting = waitAsync(this.words, (this.at + FILLED) >> 2, count);
    return waiting.async ? (waiting.value as Promise<unknown>) : Promise.resolve();
  }

  /** Blocks this worker until there is a frame, no longer than `ms`; false: there is none. */
  block(ms: number): boolean {
    const count = this.module.arm(this.at, 0);
    if (!this.hasMore()) Atomics.wait(this.words, (this.at + FILLED) >> 2, count, ms);
    this.module.disarm(this.at, 0);
    return this.hasMore();
  }

  hasMore(): boolean {
    return this.module.next(this.at, SIZE, this.cursor) >>> 0 !== NONE;
  }

  awake(): void {
    this.module.disarm(this.at, 0);
  }

  /** Ends a sleep. */
  close(): void {
    Atomics.notify(this.words, (this.at + FILLED) >> 2);
  }
}

/** Whether this context may block: a worker of its own, where nobody looks at a page meanwhile. */
export function mayBlock(): boolean {
  const scope = globalThis as { DedicatedWorkerGlobalScope?: new () => unknown };
  return typeof scope.DedicatedWorkerGlobalScope === "function" && globalThis instanceof scope.DedicatedWorkerGlobalScope;
}
