/**
 * Frames: what the client and the host of a served queue say to each other at a port.
 *
 * A frame is a `Float64Array`: a head of six numbers, rows of ten, lengths. Beside it travel texts, as strings, and bodies, one
 * value for each send or delivery, each in the order of the rows that say they have one.
 *
 * | at | number |
 * |---|---|
 * | 0 | mark: 0x7068 ("ph"), and the version times 2^16 |
 * | 1 | of this frame in its direction, from 1, no gaps |
 * | 2 | of the last frame that was heard from the other side |
 * | 3 | the time where it was written, in milliseconds since 1970: leases are counted by the host's clock |
 * | 4 | rows |
 * | 5 | lengths |
 * | 6 | the rows: a kind, and its fields as `ORDERS` and `ANSWERS` say |
 * | .. | the lengths, in the order of their rows: estimated bytes of messages that are not alike, then lengths of byte bodies that are not |
 *
 * A frame may come from a peer that is broken or hostile: nothing in it counts before all of it is checked, and nothing is
 * allocated for more than the frame itself holds.
 */

import * as border from "../engine/codes";

/** Numbers of a row. */
export const WIDTH = border.WIDTH;
const VERSION = 4;
const MARK = 0x7068 + VERSION * 2 ** 16;
const HEAD = 6;
/** Rows and lengths of one frame, at most: those of the largest batch, and of what goes with it. */
const ROWS_MAX = 1 << 16;
const LENGTHS_MAX = 9 << 18;

/* ------------------------------------------------- orders: what a client says */

export const SEND = 1;
export const UNSEND = 2;
export const RECEIVE = 3;
export const UNRECEIVE = 4;
export const SETTLE = 5;
export const LISTEN = 6;
/** Shared memory was received. */
export const SHARED = 7;
export const BYE = 8;
/** What was leased ahead has been handed out. */
export const STARTED = 9;
/** The first thing a client says, with the queue's name, its lock's, and the dead-letter queue's where one is named. */
export const HELLO = 10;
export const POLICY = 11;
export const METRICS = 16;
export const PEEK = 17;
export const CANCEL = 18;
export const PURGE = 19;
export const PAUSE = 20;
export const REDRIVE = 21;
export const FLUSH = 22;

/* ------------------------- answers: what a host says; up to LEASE_LOST they are the engine's effects (engine/codes.ts) */

export const VALUE = 20;
export const FAILED = 21;
export const BACKLOG = 22;
export const STORAGE = 23;
export const CLOSED = 24;
export const WELCOME = 25;
/** The client is to say something, if only that it heard this. */
export const PING = 26;

/** Why an order failed: of two kinds beside an error that is told. */
export const OUTCOME_UNKNOWN = 1;
export const FORBIDDEN = 2;

/** What a welcome, and a change of the storage, name by their places. */
export const DURABILITIES = ["none", "relaxed", "strict"] as const;
export const STATES_OF_STORAGE = ["ok", "degraded", "lost"] as const;

/** What a receive asks for beside its number. */
export const WAIT = 1;
/** Nobody has asked for these yet. */
export const AHEAD = 2;

/** The token under which a client asks for what nobody wants there yet. */
export const AHEAD_TOKEN = 2 ** 32 - 1;

/** What a send says beside its kind (0 to 2, as `Commands.send` takes it): a key goes along, its messages' sizes are among the lengths. */
export const KEYED = 4;
export const SIZED = 8;

/**
 * The fields of each kind of row, a letter each: t token, c count of messages (at least 1), n number of a record, i index in it,
 * g grant, w whole number, k kind or flags, b 0 or 1, s a time or duration (no NaN), p how bodies lie (bodies.ts), x anything.
 */
type Fields = Readonly<Record<number, string>>;
export const ORDERS: Fields = {
  [SEND]: "tcwsskwwp", // token, count, bytes of each, delay (-1: the queue's), expiration (0: as retention says), kind and flags, messages and bytes of its parts
  [UNSEND]: "t",
  [RECEIVE]: "tcsk", // token, most, lease in ms (0: the queue's), flags
  [UNRECEIVE]: "t",
  [SETTLE]: "tknicgsb", // token, kind as engine/codes.ts has it, first message, count, grant, its argument, whether a text goes along
  [LISTEN]: "b",
  [SHARED]: "b",
  [BYE]: "",
  [STARTED]: "nicg",
  [HELLO]: "bkxxx", // whether shared memory may be tried, the dead-letter queue: 0 not named, 1 named, 2 none; the last numbers of its policy
  [POLICY]: "xxxxxxxxx", // numbers that the opener names, as the engine has them; NaN: not named
  [METRICS]: "t",
  [PEEK]: "twk", // token, most, state (0: any)
  [CANCEL]: "tni",
  [PURGE]: "t",
  [PAUSE]: "tb",
  [REDRIVE]: "twsb", // token, most, rate, whether a queue's name goes along
  [FLUSH]: "t",
};
export const ANSWERS: Fields = {
  [border.SENT]: "tnic",
  [border.REFUSED]: "tkc",
  [border.DUPLICATE]: "tni",
  [border.DELIVERED]: "tnicgswsp", // token, first message, count, grant, end of the lease, attempts, when it was sent, how bodies lie
  [border.RECEIVED]: "t",
  [border.LOST]: "tnic",
  [border.DONE]: "ts",
  [border.DEAD]: "tnic", // a reason goes along
  [border.DROPPED]: "tnick",
  [border.LEASE_LOST]: "tnicg",
  [border.QUEUE_GONE]: "",
  [VALUE]: "t", // a value goes along
  [FAILED]: "tkw", // token, why, and of a send how many: its next (0: all); name, code and message go along
  [PING]: "",
  [BACKLOG]: "wws", // messages, bytes, when the oldest was sent (negative: none)
  [STORAGE]: "k", // name, code and message go along
  [CLOSED]: "", // the same
  [WELCOME]: "skww", // visibility timeout in ms, durability, messages and bytes that may be under way; the storage's name and the lock's go along
};

const MOST: Readonly<Record<string, number>> = {
  t: 2 ** 32 - 1,
  c: 2 ** 20,
  n: 2 ** 44 - 1,
  i: 2 ** 20 - 1,
  g: 2 ** 44 - 1,
  w: Number.MAX_SAFE_INTEGER,
  k: 15,
  b: 1,
  0: 0,
  p: (2 ** 30 + 1) * 8 + 7,
};

/** A frame is refused; `name` "VersionError": it is another version's. */
export class FrameError extends Error {
  constructor(part: string, name = "FrameError") {
    super(part);
    this.name = name;
  }
}

export interface Frame {
  readonly number: number;
  readonly heard: number;
  readonly time: number;
  readonly rows: Float64Array;
  readonly lengths: Float64Array;
}

/** What a frame says, once all of it has been found sound. Throws `FrameError`. */
export function read(frame: unknown, kinds: Fields): Frame {
  if (!(frame instanceof Float64Array)) throw new FrameError("another version", frame instanceof Uint8Array ? "VersionError" : undefined);
  // It may lie in memory that others write: copied by who hands it over.
  const [mark, number, heard, time, rows, lengths] = frame;
  if (mark % 2 ** 16 !== MARK % 2 ** 16) throw new FrameError("head");
  if (mark !== MARK) throw new FrameError("another version", "VersionError");
  const end = HEAD + rows * WIDTH;
  if (!(rows >= 0 && rows <= ROWS_MAX && lengths >= 0 && lengths <= LENGTHS_MAX && end + lengths === frame.length))
    throw new FrameError("counts");
  if (!Number.isFinite(time)) throw new FrameError("time");
  for (let at = HEAD; at < end; at += WIDTH) check(frame, at, kinds);
  for (let at = end; at < frame.length; at += 1) if (!isWhole(frame[at], MOST.w)) throw new FrameError("lengths");
  return { number, heard, time, rows: frame.subarray(HEAD, end), lengths: frame.subarray(end) };
}

/** How many numbers the frame that begins there has, as it says itself; NaN where that makes no sense. */
export function sizeOf(numbers: Float64Array, at: number): number {
  const [rows, lengths] = [numbers[at + 4], numbers[at + 5]];
  return isWhole(rows, ROWS_MAX) && isWhole(lengths, LENGTHS_MAX) ? HEAD + rows * WIDTH + lengths : NaN;
}

/** Whether it is a client's first frame: that of another version in any case, which is to be told so. */
export function isFirst(frame: unknown): boolean {
  return frame instanceof Uint8Array || (frame instanceof Float64Array && frame[1] === 1);
}

function check(frame: Float64Array, at: number, kinds: Fields): void {
  const kind = frame[at];
  const fields = kinds[kind];
  if (fields === undefined) throw new FrameError(`kind ${kind}`);
  for (let place = 0; place < WIDTH - 1; place += 1) {
    // What is not a field is 0.
    const field = fields[place] ?? "0";
    const value = frame[at + 1 + place];
    const sound = field === "x" || (field === "s" ? value === value : isWhole(value, MOST[field]) && (field !== "c" || value > 0));
    if (!sound) throw new FrameError(`row ${kind}, field ${place + 1}: ${value}`);
  }
}

function isWhole(value: number, most: number): boolean {
  return value >= 0 && value <= most && value % 1 === 0;
}

const ROWS_FULL = 1024;
const LENGTHS_FULL = LENGTHS_MAX / 4;

/** Rows that collect, until they go as a frame. */
export class Draft {
  private cells = new Float64Array(HEAD + 8 * WIDTH);
  private end = HEAD;
  private readonly lengths: number[] = [];
  readonly texts: string[] = [];

  get isEmpty(): boolean {
    return this.end === HEAD;
  }

  /** It should go before more is added; whatever is added to it still fits. */
  get isFull(): boolean {
    return this.end >= HEAD + ROWS_FULL * WIDTH || this.lengths.length >= LENGTHS_FULL;
  }

  row(kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0): void {
    this.reserve(WIDTH);
    const { cells, end } = this;
    cells[end] = kind;
    cells[end + 1] = a;
    cells[end + 2] = b;
    cells[end + 3] = c;
    cells[end + 4] = d;
    cells[end + 5] = e;
    cells[end + 6] = f;
    cells[end + 7] = g;
    cells[end + 8] = h;
    cells[end + 9] = i;
    this.end += WIDTH;
  }

  length(length: number): void {
    this.lengths.push(length);
  }

  private reserve(count: number): void {
    const needed = this.end + count;
    if (needed <= this.cells.length) return;
    const larger = new Float64Array(Math.max(needed, 2 * this.cells.length));
    larger.set(this.cells.subarray(0, this.end));
    this.cells = larger;
  }

  /** The frame, which is only lent: the next one is written over it. */
  frame(number: number, heard: number, time: number): Float64Array {
    const { lengths, end } = this;
    this.reserve(lengths.length);
    const { cells } = this;
    cells[0] = MARK;
    cells[1] = number;
    cells[2] = heard;
    cells[3] = time;
    cells[4] = (end - HEAD) / WIDTH;
    cells[5] = lengths.length;
    cells.set(lengths, end);
    const made = cells.subarray(0, end + lengths.length);
    this.end = HEAD;
    lengths.length = 0;
    return made;
  }
}
