/** Turns of the event loop. */

/** What waits for the next one. */
const waiting: ((others: number) => void)[] = [];
let ports: { port1: MessagePort; port2: MessagePort } | undefined;
let known = 0;

/** Turns that have begun, as far as is known here. */
export const turns = (): number => known;

/** A turn has begun, for a message or a wake-up. */
export function turned(): void {
  known += 1;
}

/** One turn of the event loop: timers and input get their time. Resolves with how many others waited for the same one and go on after this. */
export function turn(): Promise<number> {
  const { setImmediate } = globalThis as { setImmediate?: (next: () => void) => unknown };
  // Where there is this, a port that posts to itself keeps timers waiting for a thousand messages, and programs from ending.
  return new Promise((resolve) => {
    const alone = (): void => {
      turned();
      resolve(0);
    };
    try {
      if (setImmediate) return void setImmediate(alone);
    } catch {
      // What Next.js has by that name where edge functions run throws.
    }
    ports ??= opened();
    // A timer waits a little longer than a message does.
    if (!ports) return void setTimeout(alone);
    if (waiting.push(resolve) === 1) ports.port2.postMessage(0);
  });
}

/** None where edge functions run. What Next.js has there by that name throws, too, and to name it alone is a warning in its builds. */
function opened(): MessageChannel | undefined {
  try {
    const channel = new globalThis.MessageChannel();
    channel.port1.onmessage = () => {
      turned();
      const resumed = waiting.splice(0);
      resumed.forEach((resume, at) => resume(resumed.length - at - 1));
    };
    return channel;
  } catch {
    return undefined;
  }
}
