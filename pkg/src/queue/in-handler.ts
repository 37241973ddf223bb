/** Whether a handler runs right now: who waits there for its end would wait for ever. */

let depth = 0;

export function inside<T>(work: () => T): T {
  depth += 1;
  try {
    return work();
  } finally {
    depth -= 1;
  }
}

/** Of any consumer: two whose handlers wait for each other are no better off. Not known any more after it has awaited something. */
export const isInside = (): boolean => depth > 0;
