/** What is only computed for who asks is seen by `JSON.stringify`, and by Node's console, too. */

export function visible<T extends object>(prototype: T, ...names: (keyof T)[]): void {
  const value = function(this: T): object {
    return Object.fromEntries(names.map((name) => [name, this[name]]));
  };
  for (const key of ["toJSON", Symbol.for("nodejs.util.inspect.custom")])
    Object.defineProperty(prototype, key, { configurable: true, writable: true, value });
}
