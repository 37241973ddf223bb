/** Things in the order in which they came, of which any may go: the first is at hand, however many went from the middle. */
export class Line<T extends object> {
  private things: (T | undefined)[] = [];
  private readonly places = new Map<T, number>();
  /** Of the first, or before it. */
  private head = 0;
  /** How many came before those in `things`. */
  private passed = 0;

  get first(): T | undefined {
    const { things } = this;
    while (this.head < things.length && !things[this.head]) this.head += 1;
    return things[this.head];
  }

  add(thing: T): void {
    this.places.set(thing, this.passed + this.things.push(thing) - 1);
  }

  /** False: it is not here. */
  delete(thing: T): boolean {
    const { places, things } = this;
    const place = places.get(thing);
    if (place === undefined) return false;
    places.delete(thing);
    things[place - this.passed] = undefined;
    if (things.length > 2 * places.size + 32) this.close();
    return true;
  }

  /** What is left moves together. */
  private close(): void {
    this.passed += this.things.length;
    this.things = this.things.filter((thing) => thing !== undefined);
    this.head = 0;
    this.things.forEach((thing, at) => this.places.set(thing!, this.passed + at));
  }
}
