/**
 * Bodies at rest, and between a Worker and its object: what `structuredClone` makes, except what only the platform's own
 * hands can hold (a Blob, a key). No platform's serializer is used: one does not read what another wrote, nor an older one
 * what a newer one did. All stores that keep bytes keep these, in every runtime the same.
 *
 * Bodies are a byte, the format, 2; how many bodies there are; each; and, where any has headers, an object: headers by the
 * place of their body. A value is a byte, and what that asks for; numbers are varints (7 bits a byte, the lowest first, up to
 * 2^53 - 1) unless said otherwise:
 *
 * | byte | value |
 * |---|---|
 * | 0 to 3 | undefined, null, false, true |
 * | 4, 5 | a safe integer; one below 0, without its sign |
 * | 6 | any other number: 8 bytes, IEEE 754, little-endian |
 * | 7 | a bigint: twice the count of its bytes, and 1 more where it is below 0; its bytes, the lowest last |
 * | 8, 9 | a text: its length in units, and a byte (Latin-1) or two (UTF-16, little-endian) for each |
 * | 10 | an object: for each property its key and its value; 25 |
 * | 11, 12 | an array: its length, its elements; one with holes, or more than elements: its length, and properties as an object has them |
 * | 13, 14 | a Date: its time, a value; a RegExp: two texts |
 * | 15, 16 | a Map, a Set: how many entries, and each |
 * | 17 | an ArrayBuffer: its length, its bytes |
 * | 18 | a resizable ArrayBuffer: its length, the most it may have (`GROWTH_MAX` in all of a body), its bytes |
 * | 19 | a view that is all of a buffer that was not met yet: its class (place in `VIEWS`), and the buffer as after 17 |
 * | 20 | any other view: its class, its offset, how many elements it has and 1 (0: whatever its buffer has), and its buffer, a value |
 * | 21 | an Error: its class (place in `ERRORS`), message (undefined: it has none) and stack, values, and its cause, a value, or 25 |
 * | 22 | a DOMException: message and name, two texts |
 * | 23 | a Boolean, Number, String or BigInt object: what it holds |
 * | 24 | an object that came before: its place among those of the body, in the order in which they were begun |
 * | 25 | the end |
 * | 64 to 127 | a text of 0 to 63 units, in Latin-1 |
 * | 128 to 255 | an integer, 0 to 127 |
 *
 * A key is a text where it is new, and an integer where it was met: its place among the keys of all that is read at once.
 * Why texts are Latin-1 or UTF-16: in Node, UTF-8 takes up to 20 times as long to write and 200 times as long to read where
 * there is more than ASCII in it, and a third more bytes for Chinese; ASCII, which most texts are, is as short and as fast.
 */

export const FORMAT = 2;

export const UNDEFINED = 0, NULL = 1, FALSE = 2, TRUE = 3;
export const WHOLE = 4, NEGATIVE = 5, DOUBLE = 6, BIGINT = 7, LATIN1 = 8, UTF16 = 9;
export const OBJECT = 10, ARRAY = 11, SPARSE = 12;
export const DATE = 13, REGEXP = 14, MAP = 15, SET = 16;
export const BUFFER = 17, RESIZABLE = 18, WHOLE_VIEW = 19, VIEW = 20;
export const ERROR = 21, EXCEPTION = 22, BOXED = 23, SEEN = 24, END = 25;
export const SHORT_TEXT = 64, SMALL = 128;

export const VIEWS = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "DataView",
  "Float16Array",
];
export const ERRORS = ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"];

export const DEPTH_MAX = 1_000;
/** Below what buffers can be, everywhere. */
export const BYTES_MAX = 1 << 30;
/** Bytes that the resizable buffers of a body may grow to, together: a runtime sets aside addresses for them, and no memory. */
export const GROWTH_MAX = 1 << 30;

export interface ResizableBuffer extends ArrayBuffer {
  readonly resizable?: boolean;
  readonly maxByteLength: number;
  resize(length: number): void;
}
