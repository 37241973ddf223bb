// The npm package broadcast-channel, which is the browser's own BroadcastChannel wherever there is one, in an envelope
// with a time. It copies a body only a moment after it was called, so each call is awaited. It imports other packages by
// bare names, which a worker can't resolve: bundle.mjs makes one file of it.

import { BroadcastChannel } from "../../../tests/node_modules/.posthaste-bench/broadcast-channel.js";
import { sidesOver } from "./broadcast.js";

export const { producer, consumer } = sidesOver((name) => {
  const channel = new BroadcastChannel(name, { webWorkerSupport: true });
  return {
    post: (body) => channel.postMessage(body),
    hear: (listener) => (channel.onmessage = listener),
  };
});
