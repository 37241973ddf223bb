// The reference: MessagePort.postMessage, one message at a time.

import { Acks, sendInWindow, Taker } from "./acks.js";

export function producer({ port, window }) {
  const acks = new Acks();
  port.onmessage = ({ data }) => acks.heard(data);
  return { send: (count, make) => sendInWindow(acks, window, count, make, (body) => port.postMessage(body)) };
}

export function consumer({ port, ackEach }, take) {
  const taker = new Taker({ ackEach }, take, (count) => port.postMessage(count));
  port.onmessage = ({ data }) => taker.message(data);
  return taker;
}

export function caller({ port }) {
  return {
    trip(body) {
      return new Promise((resolve) => {
        port.onmessage = ({ data }) => resolve(data);
        port.postMessage(body);
      });
    },
  };
}

export function answerer({ port }) {
  port.onmessage = ({ data }) => port.postMessage(data);
}
