/** `await using`, where the platform has it. */

export function disposable<T extends object>(prototype: T, dispose: (self: T) => Promise<void>): void {
  if (typeof Symbol.asyncDispose !== "symbol") return;
  Object.defineProperty(prototype, Symbol.asyncDispose, {
    configurable: true,
    writable: true,
    value(this: T) {
      return dispose(this);
    },
  });
}
