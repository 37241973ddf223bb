/**
 * Rings in shared memory: one each way beside a port, for frames whose bodies are bytes or texts, or that have none. The positions
 * are the business of the ring's own module (`src/ring`); this copies bytes in, and lends them out.
 *
 * What lies in a ring: `u32` bytes of bodies, `u32` bytes of the frame, `u32` pieces the bodies come in, 4 bytes for later,
 * the bodies, the frame, each at a multiple of 8. A piece that is a text is a `u32`, the bytes of its UTF-8, 4 bytes for later, and these.
 */

import module from "../../../wasm/ring.js";
import { platformError } from "../../contract/errors";
import { aligned, ownCopy, type Bytes } from "../../bodies/pack";
import type { Piece } from "../attachments";

/** Bytes of each ring: what a client may have under way (5 MiB), what it fills meanwhile, and the gap where neither fits before the end. */
const SIZE = 8 << 20;
/** What both sides look at, before the bytes of each ring. */
const CONTROL = 128;
const PAGE = 64 << 10;
const HEAD = 8;
const PREFIX = 16;
/** Bodies of one frame, at most, and what is kept free behind them for its rows. */
const BODIES_MAX = 1 << 20;
const BODIES_MIN = 64 << 10;
/** With less room than this left for bodies, what is there should go. */
const CROWDED = 128 << 10;
const ROWS_MAX = 8 << 10;
/** Pieces that the bodies of one frame come in, at most. */
const PIECES_MAX = 4096;
/** A frame's own head. */
const FRAME_MIN = 48;
/** As answers of the module: no frame, and no sound ring. */
const NONE = 1;
const DAMAGED = 2;

/** The exports of `src/ring`. */
export interface Module {
  reserve(at: number, size: number, length: number): number;
  commit(at: number, size: number, position: number, length: number): void;
  next(at: number, size: number, cursor: number): number;
  length(at: number, size: number, position: number): number;
  free(at: number, size: number, position: number): void;
  raise(at: number): number;
  woken(at: number, sleeper: number): void;
  arm(at: number): number;
  disarm(at: number): void;
}

let compiled: WebAssembly.Module | undefined;

/** The ring's module over this memory. */
export function moduleOver(memory: WebAssembly.Memory): Module {
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(module), (character) => character.charCodeAt(0)));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Module;
}

export function sharedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Both rings of a link, as one side has them. */
export class Rings {
  readonly writer: Writer;
  readonly reader: Reader;

  /** `memory` undefined: new ones. `host`: the first ring is read, the second written; a client does it the other way round. */
  constructor(host: boolean, readonly memory = sharedMemory(2 * (CONTROL + SIZE))) {
    const module = moduleOver(memory);
    const [first, second] = [0, CONTROL + SIZE];
    this.reader = new Reader(memory, module, host ? first : second);
    this.writer = new Writer(memory, module, host ? second : first);
  }
}

export class Writer {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  /** What the reader sleeps on. */
  bell: { ring(): boolean } | undefined;
  /** Calls a reader who does not sleep on memory. */
  doorbell: (() => void) | undefined;
  /** Where bodies are being written in place. */
  private arena: Arena | undefined;

  constructor(memory: WebAssembly.Memory, private readonly module: Module, private readonly at: number) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
  }

  /** The address of the bytes at a position. */
  private address(position: number): number {
    return this.at + CONTROL + (position & (SIZE - 1)) + HEAD;
  }

  /** A parcel that is filled in the ring itself, for bodies of at least `length` bytes; undefined: not now. */
  open(make: (memory: Uint8Array) => Bytes, length: number): Bytes | undefined {
    this.arena ??= this.newArena(aligned(length));
    return this.arena?.open(make, aligned(length));
  }

  private newArena(length: number): Arena | undefined {
    for (const most of [BODIES_MAX, BODIES_MIN]) {
      const room = Math.max(most, length);
      const position = this.module.reserve(this.at, SIZE, PREFIX + room + ROWS_MAX) >>> 0;
      if (position === NONE) continue;
      const from = this.address(position) + PREFIX;
      return new Arena(position, this.bytes.subarray(from, from + room));
    }
    return undefined;
  }

  /** Little more can be written in place. */
  get crowded(): boolean {
    return this.arena !== undefined && this.arena.left < CROWDED;
  }

  /** Puts a frame behind the bodies that were written in place, as far as they are its own. False: they are not, or it does not fit there. */
  commit(bodies: readonly Piece[], frame: Uint8Array): boolean {
    const { arena } = this;
    if (!arena || frame.length > ROWS_MAX || !arena.beginsWith(bodies)) return false;
    this.arena = undefined;
    const used = arena.send(bodies.length);
    this.publish(arena.position, used, bodies.length, frame);
    return true;
  }

  /** Bodies that did not go in place go elsewhere: their room is needed. */
  close(): void {
    this.arena?.send(0);
    this.arena = undefined;
  }

  /** Puts a frame with bodies in these pieces, while nothing is filled in place. False: there is no room now. */
  put(pieces: Uint8Array[], frame: Uint8Array): boolean {
    if (pieces.length > PIECES_MAX) return false;
    const used = pieces.reduce((sum, { length }) => sum + aligned(length), 0);
    const position = this.module.reserve(this.at, SIZE, PREFIX + used + aligned(frame.length)) >>> 0;
    if (position === NONE) return false;
    let place = this.address(position) + PREFIX;
    for (const piece of pieces) {
      this.bytes.set(piece, place);
      place += aligned(piece.length);
    }
    this.publish(position, used, pieces.length, frame);
    return true;
  }

  private publish(position: number, used: number, pieces: number, frame: Uint8Array): void {
    const at = this.address(position);
    this.words[at >> 2] = used;
    this.words[(at >> 2) + 1] = frame.length;
    this.words[(at >> 2) + 2] = pieces;
    this.bytes.set(frame, at + PREFIX + used);
    this.module.commit(this.at, SIZE, position, PREFIX + used + frame.length);
    if (this.bell?.ring() === false) this.doorbell?.();
  }
}

/** Room in the ring for bodies that are written where they will be read, parcel after parcel. */
class Arena {
  /** Each with the place where it begins. */
  private readonly parcels: { parcel: Bytes; from: number }[] = [];

  constructor(readonly position: number, private readonly memory: Uint8Array) {}

  private get used(): number {
    const last = this.parcels.at(-1);
    return last ? last.from + last.parcel.used : 0;
  }

  get left(): number {
    return this.memory.length - this.used;
  }

  /** The parcel before gets no more then. */
  open(make: (memory: Uint8Array) => Bytes, length: number): Bytes | undefined {
    const { used, parcels } = this;
    if (used + length > this.memory.length) return undefined;
    const last = parcels.at(-1);
    if (last) seal(last.parcel);
    const parcel = make(this.memory.subarray(used));
    parcels.push({ parcel, from: used });
    return parcel;
  }

  /** Whether these are the first parcels here, whole and in their order. */
  beginsWith(bodies: readonly Piece[]): boolean {
    return bodies.length > 0 &&
      bodies.every((body, at) =>
        typeof body !== "string" && body.parcel === this.parcels[at]?.parcel && body.from === 0 && body.count === body.parcel.count
      );
  }

  /** The first `count` parcels go; the others move out of the way. Answers where the bodies end that go. */
  send(count: number): number {
    this.parcels.forEach(({ parcel }, at) => {
      if (at < count) seal(parcel);
      else parcel.memory = ownCopy(parcel.memory, 0, parcel.used);
    });
    this.parcels.length = count;
    return this.used;
  }
}

/** What is behind belongs to others. */
function seal(parcel: Bytes): void {
  parcel.memory = parcel.memory.subarray(0, parcel.used);
}

/** A frame in the ring, until everything in it is done with. */
interface Unfreed {
  end: number;
  /** Nothing of it is needed any more. */
  done: boolean;
}

export interface RingFrame {
  /** A copy of it: the other side could write the one in shared memory again. */
  frame: Float64Array;
  /** Bodies in shared memory; whoever is done with them calls `done`, once. */
  bodies: Uint8Array;
  /** How many pieces they come in. */
  pieces: number;
  done: () => void;
}

/** Where a frame lies, and what it says of itself. */
interface Found {
  position: number;
  length: number;
  from: number;
  used: number;
  pieces: number;
  size: number;
  number: number;
}

export class Reader {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly numbers: Float64Array;
  private cursor = 0;
  private freed = 0;
  private readonly unfreed: Unfreed[] = [];

  constructor(memory: WebAssembly.Memory, private readonly module: Module, private readonly at: number) {
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.numbers = new Float64Array(memory.buffer);
  }

  /** The next frame, if it has this number: one that is later waits for what comes through the port. Throws when the ring is not sound. */
  next(number: number): RingFrame | undefined {
    const found = this.find();
    if (!found || found.number > number) return undefined;
    const { position, length, from, used, pieces, size } = found;
    const frame = new Float64Array(ownCopy(this.bytes, from + used, from + used + size).buffer);
    const end = (position + HEAD + aligned(length)) >>> 0;
    const unfreed: Unfreed = { end, done: false };
    this.unfreed.push(unfreed);
    this.cursor = end;
    const done = (): void => {
      unfreed.done = true;
      this.free();
    };
    return { frame, bodies: this.bytes.subarray(from, from + used), pieces, done };
  }

  /** Whether the frame with this number is here, or one that throws. */
  has(number: number): boolean {
    try {
      const found = this.find();
      return found !== undefined && found.number <= number;
    } catch {
      return true;
    }
  }

  private find(): Found | undefined {
    const position = this.module.next(this.at, SIZE, this.cursor) >>> 0;
    if (position === NONE) return undefined;
    if (position === DAMAGED) throw platformError("DataError", "the ring in shared memory is damaged");
    const length = this.module.length(this.at, SIZE, position);
    const at = this.at + CONTROL + (position & (SIZE - 1)) + HEAD;
    // Read once: the other side could write them again.
    const [used, size, pieces] = [this.words[at >> 2], this.words[(at >> 2) + 1], this.words[(at >> 2) + 2]];
    const sound = used >= 0 && (used & 7) === 0 && size >= FRAME_MIN && (size & 7) === 0 && PREFIX + used + size <= length && pieces >= 0 &&
      pieces <= PIECES_MAX;
    if (!sound) throw platformError("DataError", "a frame in shared memory is damaged");
    const from = at + PREFIX;
    return { position, length, from, used, pieces, size, number: this.numbers[((from + used) >> 3) + 1] };
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
}
