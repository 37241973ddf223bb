// What people write who find postMessage slow: arrays of messages, a few on the way, an ack for each.

import { Acks } from "./acks.js";

export function producer({ port, array, credits }) {
  const acks = new Acks();
  port.onmessage = () => acks.heard(acks.count + 1);
  return {
    async send(count, make) {
      acks.count = 0;
      let posted = 0;
      for (let first = 0; first < count; first += array) {
        const length = Math.min(array, count - first);
        if (posted - acks.count >= credits) await acks.reach(posted - credits + 1);
        port.postMessage(Array.from({ length }, (_, place) => make(first + place)));
        posted += 1;
      }
      await acks.reach(posted);
    },
  };
}

export function consumer({ port }, take) {
  port.onmessage = ({ data }) => {
    for (const body of data) take(body);
    port.postMessage(data.length);
  };
}
