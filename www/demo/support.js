// Asks, before anything else runs, whether this browser has what the demo needs, and says it plainly when it has not.

/** Resolves with undefined when all is there, or with `{ title, text }` for people. */
export async function whatIsMissing() {
  if (typeof WebAssembly === "undefined") {
    return {
      title: "WebAssembly is turned off",
      text: "The queue's engine is WebAssembly. Some hardened modes turn it off; allow it for this site and reload.",
    };
  }
  if (typeof indexedDB === "undefined" || indexedDB === null) return noStorage("this browser has none here");
  if (typeof Worker === "undefined" || typeof BroadcastChannel === "undefined" || !crypto.subtle) {
    return {
      title: "This browser is missing something",
      text: "The demo needs module workers, BroadcastChannel and WebCrypto: open it in a current browser, from localhost or over https.",
    };
  }
  try {
    await probe();
  } catch (error) {
    return noStorage((error?.message || String(error)).replace(/\.$/, ""));
  }
}

function noStorage(why) {
  return {
    title: "IndexedDB is not available",
    text:
      `The demo keeps its queues in IndexedDB: ${why}. Private windows and blocked site data do this; allow storage for this site and reload.`,
  };
}

/** Storage that is there by name may still refuse to open: only opening tells. */
function probe() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("posthaste-demo-probe", 1);
    request.onsuccess = () => {
      request.result.close();
      indexedDB.deleteDatabase("posthaste-demo-probe");
      resolve();
    };
    request.onerror = () => reject(request.error);
  });
}
