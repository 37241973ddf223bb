// BroadcastChannel, one message at a time; acks over a second one, as a channel hears everyone but itself. A channel
// loses what is posted before the other side is known to the browser, so the two sides say hello first.

import { Acks, sendInWindow, Taker } from "./acks.js";

const HELLO = "hello";

/** The sides of a contender over what `open(name)` opens: `post(body)` and `hear(listener)`. */
export function sidesOver(open) {
  return {
    async producer({ name, window }) {
      const [channel, back] = [open(name), open(`${name} acks`)];
      await met(channel, back);
      const acks = new Acks();
      back.hear((count) => count !== HELLO && acks.heard(count));
      return { send: (count, make) => sendInWindow(acks, window, count, make, (body) => channel.post(body)) };
    },

    consumer({ name, ackEach }, take) {
      const [channel, back] = [open(name), open(`${name} acks`)];
      const taker = new Taker({ ackEach }, take, (count) => void back.post(count));
      channel.hear((body) => (body === HELLO ? void back.post(HELLO) : taker.message(body)));
      return taker;
    },

    async caller({ name }) {
      const channel = open(name);
      await met(channel, channel);
      let heard;
      channel.hear((body) => body !== HELLO && heard(body));
      return {
        trip(body) {
          return new Promise((resolve) => {
            heard = resolve;
            channel.post(body);
          });
        },
      };
    },

    answerer({ name }) {
      const channel = open(name);
      channel.hear((body) => void channel.post(body));
    },
  };
}

/** Says hello until it comes back. */
function met(channel, back) {
  return new Promise((resolve) => {
    const timer = setInterval(() => channel.post(HELLO), 20);
    back.hear(() => resolve(clearInterval(timer)));
  });
}

export const { producer, consumer, caller, answerer } = sidesOver((name) => {
  const channel = new BroadcastChannel(name);
  return {
    post: (body) => channel.postMessage(body),
    hear: (listener) => (channel.onmessage = ({ data }) => listener(data)),
  };
});
