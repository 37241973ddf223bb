/** A parcel that came through a port as JSON. */

import { TEXT, type Parcel } from "./pack";

/** A body that was handed out. */
const TAKEN = Symbol();

/** Bodies as one JSON text, parsed again for whoever wants a body that was handed out. */
export class Text implements Parcel {
  readonly form = TEXT;
  private parsed: unknown[];

  /** Throws when it is no text of so many bodies. */
  constructor(readonly text: string, readonly count: number) {
    this.parsed = this.parse();
    if (!Array.isArray(this.parsed) || this.parsed.length !== count) throw new TypeError("a text is not of so many bodies");
  }

  private parse(): unknown[] {
    return JSON.parse(this.text) as unknown[];
  }

  body(place: number): unknown {
    if (this.parsed[place] === TAKEN) this.parsed = this.parse();
    const body = this.parsed[place];
    this.parsed[place] = TAKEN;
    return body;
  }
}
