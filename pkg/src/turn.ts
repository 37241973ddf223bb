/** Turns of the event loop. */

/** What waits for the next one. */
const waiting: (() => void)[] = [];
let ports: { port1: Refable; port2: MessagePort } | undefined;

/** In Node a port keeps a program from ending until it is told not to. */
type Refable = MessagePort & { ref?: () => void; unref?: () => void };

/** One turn of the event loop: timers and input get their time. */
export function turn(): Promise<void> {
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
  }
  const { port1, port2 } = ports;
  return new Promise((resolve) => {
    if (waiting.push(resolve) > 1) return;
    port1.ref?.();
    port2.postMessage(0);
  });
}

/** Nobody waits: nothing is to keep a program from ending. */
function rest(port: Refable): void {
  // Deno refs a port again after each message, whatever it was told.
  if (!("Deno" in globalThis)) return port.unref?.();
  port.close();
  ports = undefined;
}

/** None where edge functions run. What Next.js has there by that name throws, and to name it alone is a warning in its builds. */
function channel(): MessageChannel | undefined {
  try {
    return new globalThis.MessageChannel();
  } catch {
    return undefined;
  }
}
