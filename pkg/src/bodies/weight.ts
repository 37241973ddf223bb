/**
 * What hangs together in a value, and what it weighs. Every object is visited once, however many ways lead to it: a body may
 * have cycles, and parts that many others share.
 */

/** Values that an object holds, as a clone of it does. */
function partsOf(value: object): unknown[] {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || isBlob(value)) return [];
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  if (value instanceof Set) return [...value];
  if (value instanceof String) return [value.valueOf()];
  const values: unknown[] = Object.values(value);
  return value instanceof Error ? [...values, value.message, value.stack, value.cause] : values;
}

function isBlob(value: object): value is Blob {
  return typeof Blob === "function" && value instanceof Blob;
}

/** Every object in a value, itself included. */
function objectsIn(root: unknown): Set<object> {
  const found = new Set<object>();
  const add = (value: unknown): void => void (typeof value === "object" && value !== null && found.add(value));
  add(root);
  // What is added to a set while one goes through it comes too.
  for (const value of found) for (const part of partsOf(value)) add(part);
  return found;
}

/** Bytes of a value: exact for what is large (bytes, blobs, text), rough for the rest. */
export function weight(root: unknown): number {
  if (typeof root !== "object" || root === null) return single(root);
  let sum = 0;
  const buffers = new Set<unknown>();
  for (const value of objectsIn(root)) {
    if (isBlob(value)) sum += value.size + 64;
    else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const buffer = value instanceof ArrayBuffer ? value : value.buffer;
      // What views share is there once.
      sum += buffers.has(buffer) ? 16 : buffer.byteLength + 16;
      buffers.add(buffer);
    } else {
      sum += 16;
      for (const part of partsOf(value)) sum += 8 + (typeof part !== "object" || part === null ? single(part) : 0);
    }
  }
  return sum;
}

function single(value: unknown): number {
  return typeof value === "string" ? value.length + 2 : 8;
}

/** Whether there is a Blob somewhere in it. */
export function holdsBlob(root: unknown): boolean {
  for (const value of objectsIn(root)) if (isBlob(value)) return true;
  return false;
}

/**
 * A clone whose views have the bytes they show, and nothing of what lay beside those in their buffers: Node's small Buffers are
 * parts of one pool. Views that overlap still share their bytes; buffers in `whole`, and those that the body has as such, stay.
 */
export function trimmed<T>(clone: T, whole: readonly unknown[]): T {
  const objects = objectsIn(clone);
  const views = new Map<unknown, ArrayBufferView[]>();
  for (const value of objects) {
    if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) continue;
    if (objects.has(value.buffer) || whole.includes(value.buffer)) continue;
    views.set(value.buffer, [...(views.get(value.buffer) ?? []), value]);
  }
  const own = new Map<unknown, unknown>();
  for (const ofOne of views.values()) trim(ofOne, own);
  if (!own.size) return clone;
  for (const value of objects) replace(value, own);
  return (own.get(clone) ?? clone) as T;
}

/** Gives the views of one buffer, where they do not fill it, buffers that they do. */
function trim(views: ArrayBufferView[], own: Map<unknown, unknown>): void {
  views.sort((a, b) => a.byteOffset - b.byteOffset);
  for (let at = 0; at < views.length;) {
    const first = at;
    let end = views[first].byteOffset + views[first].byteLength;
    for (at += 1; at < views.length && views[at].byteOffset < end; at += 1)
      end = Math.max(end, views[at].byteOffset + views[at].byteLength);
    const overlapping = views.slice(first, at);
    const start = overlapping[0].byteOffset;
    if (start === 0 && end === overlapping[0].buffer.byteLength) continue;
    // Elements lie at multiples of their size.
    const base = overlapping.length === 1 ? start : start - (start % 8);
    const buffer = new ArrayBuffer(end - base);
    new Uint8Array(buffer).set(new Uint8Array(overlapping[0].buffer, start, end - start), start - base);
    for (const view of overlapping) {
      const Kind = view.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;
      own.set(view, new Kind(buffer, view.byteOffset - base, (view as Uint8Array).length ?? view.byteLength));
    }
  }
}

/** Puts others in the place of what an object holds. */
function replace(holder: object, by: Map<unknown, unknown>): void {
  if (holder instanceof Map) {
    const entries = [...holder];
    holder.clear();
    for (const [key, item] of entries) holder.set(by.get(key) ?? key, by.get(item) ?? item);
  } else if (holder instanceof Set) {
    const items = [...holder];
    holder.clear();
    for (const item of items) holder.add(by.get(item) ?? item);
  } else if (!ArrayBuffer.isView(holder)) {
    const names = holder instanceof Error ? [...Object.keys(holder), "cause"] : Object.keys(holder);
    for (const name of names) {
      const other = by.get((holder as Record<string, unknown>)[name]);
      if (other) (holder as Record<string, unknown>)[name] = other;
    }
  }
}
