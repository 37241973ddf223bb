/** What the serializer asks of a runtime: memory, texts as bytes and back, and an error for bytes that are no bodies. */

export interface Runtime<Memory extends Uint8Array = Uint8Array<ArrayBuffer>> {
  memory(length: number): Memory;
  /** The longest text (up to 63 units) that is written, and read, faster unit by unit than by the functions below. */
  readonly shortWrite: number;
  readonly shortRead: number;
  /** Writes a byte for each unit of the text. False: one of them is above 255, and what was written is of no use. */
  writeLatin1(bytes: Memory, at: number, text: string): boolean;
  /** Writes two bytes for each unit, the lower one first. */
  writeUtf16(bytes: Memory, at: number, text: string): void;
  readLatin1(bytes: Memory, start: number, end: number): string;
  readUtf16(bytes: Memory, start: number, end: number): string;
  corrupt(message: string, cause?: unknown): Error;
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const utf16 = new TextDecoder("utf-16le", { ignoreBOM: true });
const REPLACED = "\ufffd";

/** What every runtime has. It knows UTF-8 and reads UTF-16; a text of ASCII alone is the same in UTF-8. */
export const portable: Runtime = {
  memory: (length) => new Uint8Array(length),
  shortWrite: 32,
  shortRead: 40,

  writeLatin1(bytes, at, text) {
    const { length } = text;
    const { read, written } = encoder.encodeInto(text, bytes.subarray(at, at + length));
    if (read === length && written === length) return true;
    for (let place = 0; place < length; place += 1) {
      const unit = text.charCodeAt(place);
      if (unit > 255) return false;
      bytes[at + place] = unit;
    }
    return true;
  },

  writeUtf16(bytes, at, text) {
    for (let place = 0; place < text.length; place += 1) {
      const unit = text.charCodeAt(place);
      bytes[at++] = unit & 255;
      bytes[at++] = unit >> 8;
    }
  },

  readLatin1(bytes, start, end) {
    const text = utf8.decode(bytes.subarray(start, end));
    // Bytes above 127 become fewer characters, or are replaced.
    if (text.length === end - start && !text.includes(REPLACED)) return text;
    const units = new Uint8Array(2 * (end - start));
    for (let at = start, to = 0; at < end; at += 1, to += 2) units[to] = bytes[at];
    return utf16.decode(units);
  },

  readUtf16(bytes, start, end) {
    const text = utf16.decode(bytes.subarray(start, end));
    // Half a surrogate pair, which a decoder replaces, or the character that it puts there itself.
    return text.includes(REPLACED) ? unitByUnit(bytes, start, end) : text;
  },

  corrupt(message, cause) {
    return Object.assign(new Error(message, { cause }), { name: "CorruptionError" });
  },
};

function unitByUnit(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 2) text += String.fromCharCode(bytes[at] | (bytes[at + 1] << 8));
  return text;
}
