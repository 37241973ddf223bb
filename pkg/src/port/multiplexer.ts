/**
 * Many ends at one port. What they say at one moment goes in one message: a message costs far more than what is in it, and an array
 * of numbers of its own for each frame more than the numbers.
 *
 * A message is our mark, a session, its frame, texts and values. More frames may follow in the same numbers: before each come its
 * session, and how many of the texts and of the values are those of the frames before.
 */

import type { EventPort, Transferable } from "../contract/platform";
import { turned } from "../schedule/macrotask";
import { sizeOf } from "./frame";

/** What our messages begin with: a port may carry the application's own, which are left alone. */
const MARK = "posthaste";
/** Numbers before each frame but the first. */
const BETWEEN = 3;

/** One end. */
export interface Station {
  /** A frame for some session at this port; of what kind these are is not checked yet. */
  arrived(session: unknown, frame: unknown, texts: unknown, values: unknown): void;
  /** The platform says that the other side is gone. */
  gone(): void;
  /** Others post now: what this end would say soon may go along. */
  join(): void;
}

/** Who says something. */
export interface Speaker {
  readonly session: number;
  posted(): void;
  /** It can't be posted. */
  failed(error: unknown): void;
}

interface Said {
  speaker: Speaker;
  frame: Float64Array | undefined;
  texts: readonly string[];
  values: readonly unknown[];
  transfer: readonly Transferable[];
}

const open = new WeakMap<EventPort, Multiplexer>();

export class Multiplexer {
  private readonly stations = new Set<Station>();
  private said: Said[] = [];
  private gathering = false;

  private constructor(private readonly port: EventPort) {
    port.addEventListener("message", this.heard);
    port.addEventListener("close", this.gone);
    // A message port waits to be started; a worker does not.
    port.start?.();
  }

  /** The one at this port, which this station joins. */
  static at(port: EventPort, station: Station): Multiplexer {
    const known = open.get(port) ?? new Multiplexer(port);
    open.set(port, known);
    known.stations.add(station);
    return known;
  }

  leave(station: Station): void {
    this.stations.delete(station);
    if (this.stations.size) return;
    this.port.removeEventListener?.("message", this.heard);
    this.port.removeEventListener?.("close", this.gone);
    if (open.get(this.port) === this) open.delete(this.port);
  }

  /** The frame is only lent. */
  post(
    speaker: Speaker,
    frame: Float64Array | undefined,
    texts: readonly string[],
    values: readonly unknown[],
    transfer: readonly Transferable[],
  ): void {
    const said = { speaker, frame: frame?.slice(), texts, values, transfer };
    if (frame && values.every(arrives)) {
      this.said.push(said);
      return this.gather();
    }
    // What the other side can't have takes its whole message with it: that goes alone, and after what was said before.
    this.deliver();
    this.send([said]);
  }

  /** Somebody says something now: the others join in. */
  gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    for (const station of this.stations) guarded(() => station.join());
    this.gathering = false;
    this.deliver();
  }

  private deliver(): void {
    const { said } = this;
    this.said = [];
    if (said.length) this.send(said);
  }

  private send(said: Said[]): void {
    const [{ speaker: { session }, frame }] = said;
    const texts = said.flatMap((one) => one.texts);
    const values = said.flatMap((one) => one.values);
    const transfer = said.flatMap((one) => one.transfer);
    try {
      this.port.postMessage([MARK, session, said.length > 1 ? joined(said) : frame, texts, values], transfer);
    } catch (error) {
      for (const { speaker } of said) speaker.failed(error);
      return;
    }
    for (const { speaker } of said) speaker.posted();
  }

  private readonly heard = ({ data }: { data: unknown }): void => {
    if (!Array.isArray(data) || data[0] !== MARK) return;
    turned();
    const [, session, frame, texts, values] = data as unknown[];
    if (frame instanceof Float64Array && Array.isArray(texts) && Array.isArray(values)) this.hearAll(session, frame, texts, values);
    else this.tell(session, frame, texts, values);
  };

  /** Hears the frames of one message; what is not as it should be is one for the end that it is told to, which refuses it. */
  private hearAll(session: unknown, numbers: Float64Array, texts: unknown[], values: unknown[]): void {
    let [at, text, value] = [0, 0, 0];
    for (;;) {
      const end = at + sizeOf(numbers, at);
      if (!(end + BETWEEN < numbers.length)) return this.tell(session, numbers.subarray(at), texts.slice(text), values.slice(value));
      const [next, nextText, nextValue] = numbers.subarray(end, end + BETWEEN);
      this.tell(session, numbers.subarray(at, end), texts.slice(text, nextText), values.slice(value, nextValue));
      [session, at, text, value] = [next, end + BETWEEN, nextText, nextValue];
    }
  }

  private tell(session: unknown, frame: unknown, texts: unknown, values: unknown): void {
    for (const station of this.stations) guarded(() => station.arrived(session, frame, texts, values));
  }

  private readonly gone = (): void => {
    for (const station of this.stations) station.gone();
  };
}

/** The frames of one message in one array. */
function joined(said: readonly Said[]): Float64Array {
  const numbers = new Float64Array(said.reduce((size, { frame }) => size + frame!.length + BETWEEN, -BETWEEN));
  let [at, texts, values] = [0, 0, 0];
  for (const one of said) {
    if (at > 0) {
      numbers.set([one.speaker.session, texts, values], at);
      at += BETWEEN;
    }
    numbers.set(one.frame!, at);
    at += one.frame!.length;
    texts += one.texts.length;
    values += one.values.length;
  }
  return numbers;
}

/** Whether a value can be had wherever a message arrives. */
function arrives(value: unknown): boolean {
  return typeof value === "string" || value instanceof ArrayBuffer;
}

/** What one end fails with is no other's business: it is told as an error that nobody caught. */
function guarded(work: () => void): void {
  try {
    work();
  } catch (error) {
    void Promise.reject(error);
  }
}
