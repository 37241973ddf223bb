/** Frames that are cut, changed, lost or said twice on their way: numbers, as `pkg/src/port/frame.ts` has them. */

/** Numbers of a frame's head, the place among them that counts its rows, and numbers of a row. */
const HEAD = 6;
const ROWS = 4;
const ROW = 10;
/** Kinds that a client says, and a host; more than there are. */
const KINDS_MAX = 28;
/** No token, message or lease of ours. */
const TOKEN = 4_000_000_000;
const NUMBER = 2 ** 40;
/** Sound rows that do nothing, where a kind has any: its fields. Of other kinds each row makes no sense, or would do something. */
const ORDERS = {
  2: [TOKEN],
  3: [TOKEN, 1, 0, 1],
  4: [TOKEN],
  5: [TOKEN, 1, NUMBER, 3, 1, NUMBER, 0, 0],
  6: [1],
  7: [1],
  8: [],
  9: [NUMBER, 3, 1, NUMBER],
  10: [0, 0, -1, -1, -1],
  11: [],
  16: [TOKEN],
  17: [TOKEN, 1, 0],
  18: [TOKEN, NUMBER, 3],
  22: [TOKEN],
};
const ANSWERS = {
  0: [TOKEN, NUMBER, 3, 1],
  1: [TOKEN, 1, 1],
  2: [TOKEN, NUMBER, 3],
  3: [TOKEN, NUMBER, 3, 1, NUMBER, 0, 1, 0, 0],
  4: [TOKEN],
  5: [TOKEN, NUMBER, 3, 1],
  6: [TOKEN, 1],
  7: [0, NUMBER, 3, 1],
  8: [0, NUMBER, 3, 1, 1],
  11: [0, NUMBER, 3, 1, NUMBER],
  20: [TOKEN],
  21: [TOKEN, 0, 0],
  22: [0, 0, -1],
  23: [1],
  24: [],
  26: [],
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
  const end = HEAD + frame[ROWS] * ROW;
  const made = Float64Array.of(...frame.subarray(0, end), ...row, ...frame.subarray(end));
  made[ROWS] += 1;
  return made;
}

function changed(frame, op, random) {
  switch (op.as) {
    case "cut":
      return frame.slice(0, random.whole(0, frame.length - 1));
    case "flip": {
      const made = frame.slice();
      new Uint8Array(made.buffer)[random.whole(0, HEAD * 8 - 1)] ^= 1 << random.whole(0, 7);
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
    if (!Array.isArray(message) || !(message[2] instanceof Float64Array)) return [message];
    left -= 1;
    lab.count(`forged ${op.as}${op.as === "row" ? ` ${op.toClient ? "answer" : "order"}` : ""}`);
    if (op.as === "lost") return [];
    if (op.as === "twice") return [message, message];
    return [message.with(2, changed(message[2], op, random))];
  };
}
