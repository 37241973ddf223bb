/** Turns of the event loop. */

/** What waits for the next one. */
const waiting: (() => void)[] = [];
let ports: { port1: MessagePort; port2: MessagePort } | undefined;

/** One turn of the event loop: timers and input get their time. */
export function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (next: () => void) => unknown };
  // Where there is this, a port that posts to itself keeps timers waiting for a thousand messages, and programs from ending.
  return new Promise((resolve) => {
    try {
      if (setImmediate) return void setImmediate(resolve);
    } catch {
      // What Next.js has by that name where edge functions run throws.
    }
    ports ??= opened();
    // A timer waits a little longer than a message does.
    if (!ports) return void setTimeout(resolve);
    if (waiting.push(resolve) === 1) ports.port2.postMessage(0);
  });
}

/** None where edge functions run. What Next.js has there by that name throws, too, and to name it alone is a warning in its builds. */
function opened(): MessageChannel | undefined {
  try {
    const channel = new globalThis.MessageChannel();
    channel.port1.onmessage = () => {
      for (const next of waiting.splice(0)) next();
    };
    return channel;
  } catch {
    return undefined;
  }
}
