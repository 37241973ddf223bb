/** Frames that are cut, changed, lost or said twice on their way: the head as `src/wire/frame.rs` has it, and rows of ten numbers. */

const HEAD = 40;
const ROW = 80;
/** Kinds that a client says, and a host; more than there are. */
const KINDS_MAX = 24;
/** No token, message or lease of ours. */
const TOKEN = 4_000_000_000;
const NUMBER = 2 ** 40;
/** Sound rows that do nothing, where a kind has any: its fields. Of other kinds each row makes no sense, or would do something. */
const ORDERS = {
  2: [TOKEN], 3: [TOKEN, 1, 0, 1], 4: [TOKEN], 5: [TOKEN, 1, NUMBER, 3, 1, NUMBER, 0, 0], 6: [1], 7: [1], 8: [], 9: [NUMBER, 3, 1, NUMBER],
  10: [0, 0, -1, -1, -1], 11: [], 16: [TOKEN], 17: [TOKEN, 1, 0], 18: [TOKEN, NUMBER, 3], 22: [TOKEN],
};
const ANSWERS = {
  1: [TOKEN, NUMBER, 3, 1], 2: [TOKEN, 0, 1, 1], 3: [TOKEN, NUMBER, 3, 1], 4: [TOKEN, NUMBER, 3, 1, NUMBER, 0, 1, 0, 0], 5: [TOKEN],
  6: [TOKEN, NUMBER, 3, 1], 7: [TOKEN, 1], 8: [TOKEN], 9: [TOKEN, 0, 0, 0], 10: [0, NUMBER, 3, 1, NUMBER], 11: [0, 0, -1],
  12: [0, NUMBER, 3, 1], 13: [0, NUMBER, 3, 1, 1], 14: [1], 16: [], 18: [],
};
const ODD = [-1, 0.5, NaN, Infinity, 2 ** 53];

/** A row of that kind; one of its fields may be odd, and is where it would do something. */
function rowOf(kind, toClient, random) {
  const sound = (toClient ? ANSWERS : ORDERS)[kind];
  const fields = [...(sound ?? []), ...new Array(9).fill(0)].slice(0, 9);
  if (!sound) fields[0] = random.pick(ODD);
  else if (random.chance(0.3)) fields[random.whole(0, Math.max(0, sound.length - 1))] = random.pick(ODD);
  return Float64Array.of(kind, ...fields);
}

function withRow(frame, row) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const rows = view.getUint32(4, true);
  const end = HEAD + rows * ROW;
  const made = new Uint8Array(frame.length + ROW);
  made.set(frame.subarray(0, end));
  made.set(new Uint8Array(row.buffer), end);
  made.set(frame.subarray(end), end + ROW);
  new DataView(made.buffer).setUint32(4, rows + 1, true);
  return made;
}

function changed(frame, op, random) {
  switch (op.as) {
    case "cut":
      return frame.slice(0, random.whole(0, frame.length - 1));
    case "flip": {
      const made = frame.slice();
      made[random.whole(0, HEAD - 1)] ^= 1 << random.whole(0, 7);
      return made;
    }
    default:
      return withRow(frame, rowOf(op.kind ?? random.whole(0, KINDS_MAX), op.toClient, random));
  }
}

/** Changes the next `n` messages that bring a frame; answers with what arrives of each, and undefined once it is over. */
export function altered(lab, op, random) {
  let left = op.n ?? 1;
  return (message) => {
    if (left === 0) return undefined;
    if (!Array.isArray(message) || !(message[2] instanceof Uint8Array)) return [message];
    left -= 1;
    lab.count(`forged ${op.as}${op.as === "row" ? ` ${op.toClient ? "answer" : "order"}` : ""}`);
    if (op.as === "lost") return [];
    if (op.as === "twice") return [message, message];
    return [message.with(2, changed(message[2], op, random))];
  };
}
