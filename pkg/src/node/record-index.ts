/** Where the records lie in the file: three numbers for each, sorted by the record's number, which only grows. */

const FIRST = 256;

export class Places {
  count = 0;
  /** Bytes that the records take in the file. */
  live = 0;
  private numbers = new Float64Array(FIRST);
  private begins = new Float64Array(FIRST);
  private sizes = new Float64Array(FIRST);

  add(number: number, at: number, size: number): void {
    if (this.count === this.numbers.length) this.grow();
    this.numbers[this.count] = number;
    this.begins[this.count] = at;
    this.sizes[this.count] = size;
    this.count += 1;
    this.live += size;
  }

  private grow(): void {
    const grown = (old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const more = new Float64Array(2 * old.length);
      more.set(old);
      return more;
    };
    this.numbers = grown(this.numbers);
    this.begins = grown(this.begins);
    this.sizes = grown(this.sizes);
  }

  number(place: number): number {
    return this.numbers[place];
  }

  at(place: number): number {
    return this.begins[place];
  }

  size(place: number): number {
    return this.sizes[place];
  }

  /** The place of the first record of at least this number. */
  from(number: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The place of that record; -1: it is gone. */
  find(number: number): number {
    const place = this.from(number);
    return place < this.count && this.numbers[place] === number ? place : -1;
  }

  /** Bytes of the records in these pairs of a first and a last number. */
  bytesIn(ranges: number[]): number {
    let bytes = 0;
    for (let at = 0; at < ranges.length; at += 2) {
      const end = this.from(ranges[at + 1] + 1);
      for (let place = this.from(ranges[at]); place < end; place += 1) bytes += this.sizes[place];
    }
    return bytes;
  }

  /** A record takes so many bytes less, once the file is written anew. */
  less(bytes: number): void {
    this.live -= bytes;
  }

  drop(ranges: number[]): void {
    if (!ranges.length) return;
    const gone = new Uint8Array(this.count);
    for (let at = 0; at < ranges.length; at += 2) {
      const end = this.from(ranges[at + 1] + 1);
      for (let place = this.from(ranges[at]); place < end; place += 1) gone[place] = 1;
    }
    let kept = 0;
    for (let place = 0; place < this.count; place += 1) {
      if (gone[place]) this.live -= this.sizes[place];
      else this.move(place, kept++);
    }
    this.count = kept;
  }

  private move(place: number, to: number): void {
    this.numbers[to] = this.numbers[place];
    this.begins[to] = this.begins[place];
    this.sizes[to] = this.sizes[place];
  }
}
