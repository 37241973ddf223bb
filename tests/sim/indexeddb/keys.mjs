/** Keys of IndexedDB: what is one, their order, and ranges of them. */

const ORDER = ["number", "date", "string", "binary", "array"];

function kindOf(key) {
  if (typeof key === "number") return "number";
  if (typeof key === "string") return "string";
  if (key instanceof Date) return "date";
  if (Array.isArray(key)) return "array";
  return "binary";
}

/** The key that `value` is, copied; undefined: it is none. */
function keyOf(value, seen = new Set()) {
  if (typeof value === "number") return Number.isNaN(value) ? undefined : value;
  if (typeof value === "string") return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : new Date(value);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice().buffer;
  if (!Array.isArray(value) || seen.has(value)) return undefined;
  seen.add(value);
  const keys = [];
  for (let at = 0; at < value.length; at++) {
    const key = Object.hasOwn(value, at) ? keyOf(value[at], seen) : undefined;
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

/** The same, or the error that the platform throws for what is no key. */
export function toKey(value) {
  const key = keyOf(value);
  if (key === undefined) throw new DOMException("The parameter is not a valid key.", "DataError");
  return key;
}

const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function compareAll(a, b) {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const found = compare(a[at], b[at]);
    if (found !== 0) return found;
  }
  return order(a.length, b.length);
}

/** Below 0: `a` comes first. */
export function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return order(a, b);
  const [left, right] = [kindOf(a), kindOf(b)];
  if (left !== right) return order(ORDER.indexOf(left), ORDER.indexOf(right));
  if (left === "array") return compareAll(a, b);
  if (left === "binary") return compareAll(new Uint8Array(a), new Uint8Array(b));
  return order(left === "date" ? a.getTime() : a, left === "date" ? b.getTime() : b);
}

export class IDBKeyRange {
  constructor(lower, upper, lowerOpen, upperOpen) {
    Object.assign(this, { lower, upper, lowerOpen, upperOpen });
    Object.freeze(this);
  }

  static bound(lower, upper, lowerOpen = false, upperOpen = false) {
    const [low, high] = [toKey(lower), toKey(upper)];
    const found = compare(low, high);
    if (found > 0 || (found === 0 && (lowerOpen || upperOpen))) {
      throw new DOMException("The lower key is greater than the upper key.", "DataError");
    }
    return new IDBKeyRange(low, high, lowerOpen, upperOpen);
  }

  static only(value) {
    const key = toKey(value);
    return new IDBKeyRange(key, key, false, false);
  }

  static lowerBound(lower, open = false) {
    return new IDBKeyRange(toKey(lower), undefined, open, true);
  }

  static upperBound(upper, open = false) {
    return new IDBKeyRange(undefined, toKey(upper), true, open);
  }

  includes(value) {
    const key = toKey(value);
    const low = this.lower === undefined ? 1 : compare(key, this.lower);
    const high = this.upper === undefined ? -1 : compare(key, this.upper);
    return (this.lowerOpen ? low > 0 : low >= 0) && (this.upperOpen ? high < 0 : high <= 0);
  }
}

/** The range that a method was given: a range, a key, or (where `all` is allowed) nothing. */
export function toRange(query, all) {
  if (query instanceof IDBKeyRange) return query;
  if (all && (query === undefined || query === null)) return new IDBKeyRange(undefined, undefined, false, false);
  return IDBKeyRange.only(query);
}
