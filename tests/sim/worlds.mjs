/** The kinds of worlds: where queues lie, and whether others have ports to the first context. */

/** `disk`: what several contexts share; a memory is each context's own. */
export const KINDS = {
  memory: {},
  store: { disk: "store" },
  indexeddb: { disk: "indexeddb" },
  ports: { ports: true },
  served: { disk: "store", ports: true },
  "served-indexeddb": { disk: "indexeddb", ports: true },
};

/** Those that are run where none is named. */
export const WORLDS = ["memory", "store", "indexeddb", "ports"];
/** All. */
export const NAMES = Object.keys(KINDS);

/** Who has the queues, in a world of ports. */
export const HOST = "c0";
/** Where they lie on a disk, these open it themselves, beside the host; the others have ports to it. */
const BESIDE = new Set(["c2", "audit"]);

/** Whether that actor has a port to the host. */
export function isClient(world, name) {
  const { ports, disk } = KINDS[world];
  return ports === true && name !== HOST && !(disk && BESIDE.has(name));
}
