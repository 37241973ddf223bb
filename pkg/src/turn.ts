/** Turns of the event loop. */

/** What waits for the next one. */
const waiting: (() => void)[] = [];
let ports: { port1: MessagePort; port2: MessagePort } | undefined;

/** One turn of the event loop: timers and input get their time. */
export function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (next: () => void) => unknown };
  // Where there is this, a port that posts to itself keeps timers waiting for a thousand messages, and programs from ending.
  if (setImmediate) return new Promise((resolve) => void setImmediate(resolve));
  ports ??= opened();
  // A timer waits a little longer than a message does.
  if (!ports) return new Promise((resolve) => void setTimeout(resolve));
  const { port2 } = ports;
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) port2.postMessage(0);
  });
}

/** None where edge functions run. What Next.js has there by that name throws, and to name it alone is a warning in its builds. */
function opened(): MessageChannel | undefined {
  try {
    const channel = new globalThis.MessageChannel();
    channel.port1.onmessage = () => {
  if (!ports) {
    const made = channel();
    // A timer waits a little longer than a message does.
    if (!made) return new Promise((resolve) => void setTimeout(resolve));
    const { port1, port2 } = made;
    ports = { port1, port2 };
    port1.onmessage = () => {
      for (const next of waiting.splice(0)) next();
      if (!waiting.length) rest(port1);
    };
    return channel;
  } catch {
    return undefined;
  }
}

let resting = false;

/** Lets a program end that only this port would keep. Deno hears that between messages alone, not while one is heard. */
function rest(port: Refable): void {
  if (resting || !port.unref) return;
  resting = true;
  setTimeout(() => {
    resting = false;
    if (!waiting.length) port.unref!();
  });
}

/** None where edge functions run. What Next.js has there by that name throws, and to name it alone is a warning in its builds. */
function channel(): MessageChannel | undefined {
  try {
    return new globalThis.MessageChannel();
  } catch {
    return undefined;
  }
}
