// What pages and workers tell one another so that people can watch: who took what, who was killed. Only for the eyes:
// the queue itself needs none of it, and a message lost here loses nothing.

const CHANNEL = "posthaste-demo";
const LOCK = "posthaste-demo/";

/** Opens the wire; `listen` hears every other context. */
export function openWire(listen) {
  const channel = new BroadcastChannel(CHANNEL);
  if (listen) channel.onmessage = ({ data }) => listen(data);
  return {
    tell: (news) => channel.postMessage(news),
    close: () => channel.close(),
  };
}

/** Shows, for as long as this context lives, that it is there. A lock ends with its holder, however that ends. */
export function beThere(kind, tab, name = "") {
  navigator.locks?.request(`${LOCK}${kind}/${tab}/${name}`, () => new Promise(() => {}));
}

/** Everyone who is there now: `[{ kind, tab, name }]`. */
export async function whoIsThere() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held
    .filter((lock) => lock.name.startsWith(LOCK))
    .map((lock) => lock.name.slice(LOCK.length).split("/"))
    .map(([kind, tab, name]) => ({ kind, tab, name }));
}
