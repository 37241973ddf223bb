/** Faults of a store, where a test wants them. */

import type { Append, Bodies, StorageDriver, Store, Tail } from "../contract/store";
import type { Clock } from "../contract/types";
import { turn } from "../schedule/macrotask";
import { text } from "./check";
import type { StoreCall, StoreFault, StoreFaults } from "./types";

const KNOWN = ["fail", "full", "unknown", "unanswered", "lost", "crash"];
const DONE = ["unanswered", "crash"];
const LOST = ["lost", "crash"];
const UNKNOWN = ["unknown", "unanswered", "crash"];

const REAL: Pick<Clock, "setTimeout"> = { setTimeout: (callback, ms) => setTimeout(callback, ms) };

function errorOf(fault: string, { operation, count }: StoreCall): Error {
  const what = `injected fault ${text(fault)} at ${operation} ${count}`;
  if (fault === "full") return new DOMException(what, "QuotaExceededError");
  return UNKNOWN.includes(fault) ? Object.assign(new Error(what), { outcomeUnknown: true }) : new Error(what);
}

/** What all stores of a driver share. */
class Plan {
  private readonly counts = new Map<string, number>();

  constructor(private readonly faults: StoreFaults, private readonly clock: Pick<Clock, "setTimeout">) {}

  /**
   * Does `work`, or what the plan has for it instead. `lost` is told when the store is gone by that. `undone` does as much of
   * `work` as comes before anything is written.
   */
  async meet<Value>(
    operation: StoreCall["operation"],
    work: () => Promise<Value>,
    lost: (error: Error) => void,
    undone?: () => Promise<unknown>,
  ): Promise<Value> {
    const count = (this.counts.get(operation) ?? 0) + 1;
    this.counts.set(operation, count);
    const call = { operation, count };
    const fault: StoreFault | undefined = this.faults(call);
    if (fault === undefined) return work();
    if (fault instanceof Error) {
      await undone?.();
      throw fault;
    }
    if (typeof fault === "object" && fault !== null && typeof fault.delayMs === "number") {
      await new Promise<void>((resolve) => void this.clock.setTimeout(resolve, fault.delayMs));
      return work();
    }
    if (typeof fault !== "string" || !KNOWN.includes(fault))
      throw new TypeError(`a fault is one of ${KNOWN.map(text).join(", ")}, an Error or { delayMs }, not ${text(fault)}`);
    await (DONE.includes(fault) ? work() : undone?.());
    const error = errorOf(fault, call);
    if (LOST.includes(fault)) lost(error);
    throw error;
  }
}

class FaultyStore implements Store {
  private gone: Error | undefined;
  private tellLost: ((error: unknown) => void) | undefined;

  constructor(private readonly store: Store, private readonly plan: Plan) {}

  get kind(): string {
    return this.store.kind;
  }

  get durability(): "relaxed" | "strict" {
    return this.store.durability;
  }

  private async meet<Value>(
    operation: StoreCall["operation"],
    work: () => Promise<Value>,
    undone?: () => Promise<unknown>,
  ): Promise<Value> {
    if (this.gone) throw this.gone;
    return this.plan.meet(operation, work, (error) => {
      this.gone = error;
      const { tellLost } = this;
      // After the call itself has failed.
      if (tellLost) void turn().then(() => tellLost(error));
    }, undone);
  }

  append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number> {
    // Who fails to write has decided what, all the same.
    const undone = (): Promise<number> => this.store.append(from, (tail) => void decide(tail), strict);
    return this.meet("append", () => this.store.append(from, decide, strict), undone);
  }

  read(from: number): Promise<Tail> {
    return this.meet("read", () => this.store.read(from));
  }

  values(keys: number[]): Promise<(Bodies | undefined)[]> {
    return this.meet("values", () => this.store.values(keys));
  }

  snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts?: number[]): Promise<boolean> {
    return this.meet("snapshot", () => this.store.snapshot(number, floor, bytes, ranges, parts));
  }

  refused(bodies: unknown[]): Promise<unknown[]> {
    return this.meet("refused", () => this.store.refused(bodies));
  }

  release(): Promise<boolean> {
    return this.meet("release", () => this.store.release());
  }

  watch(moved: () => void, lost: (error: unknown) => void): void {
    this.tellLost = lost;
    this.store.watch(moved, lost);
  }

  hint(): void {
    if (!this.gone) this.store.hint();
  }

  usage(): Promise<number | undefined> {
    return this.store.usage();
  }

  close(): void {
    this.tellLost = undefined;
    this.store.close();
  }
}

/**
 * `driver`, with the faults that `faults` answers for the calls to its stores. `clock` (default: the time on the wall) is
 * that of delays.
 */
export function faulty(driver: StorageDriver, faults: StoreFaults, clock: Pick<Clock, "setTimeout"> = REAL): StorageDriver {
  if (typeof driver?.open !== "function") throw new TypeError(`faulty needs a storage driver, not ${text(driver)}`);
  if (typeof faults !== "function") throw new TypeError(`faults must be a function of a call, not ${text(faults)}`);
  const plan = new Plan(faults, clock);
  return { kind: driver.kind, open: () => plan.meet("open", async () => new FaultyStore(await driver.open(), plan), () => undefined) };
}
