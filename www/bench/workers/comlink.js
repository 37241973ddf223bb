// Comlink: the consumer's `take` is exposed and called from the other side, its answer is the ack. Each call awaited
// before the next, or pipelined: bursts of a thousand calls, the next begun while one is under way.

import { expose, wrap } from "../../../tests/node_modules/comlink/dist/esm/comlink.mjs";
import { sendInBursts } from "./bursts.js";

export function producer({ port, burst, pipelined }) {
  const remote = wrap(port);
  if (pipelined) return { send: (count, make) => sendInBursts(count, burst, 2, (number) => remote.take(make(number))) };
  return {
    async send(count, make) {
      for (let number = 0; number < count; number++) await remote.take(make(number));
    },
  };
}

export function consumer({ port }, take) {
  expose({ take: (body) => void take(body) }, port);
}

export function caller({ port }) {
  const remote = wrap(port);
  return { trip: (body) => remote.echo(body) };
}

export function answerer({ port }) {
  expose({ echo: (body) => body }, port);
}
