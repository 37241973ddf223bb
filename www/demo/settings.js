// The switches of the page: kept in localStorage, so that a reload and every other tab agree with them.

const KEY = "posthaste-demo/settings";
const DEFAULTS = { paused: false, failing: false, slow: false };

/** Milliseconds that slow motion adds to each photo. */
export const SLOW_MS = 800;

/** `{ now, set(change), forget() }`; `changed(now, mine)` is called at each change, `mine` when it was made in this tab. */
export function makeSettings(changed) {
  const settings = { now: read() };
  settings.set = (change) => {
    settings.now = { ...settings.now, ...change };
    localStorage.setItem(KEY, JSON.stringify(settings.now));
    changed(settings.now, true);
  };
  settings.forget = () => localStorage.removeItem(KEY);
  addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    settings.now = read();
    changed(settings.now, false);
  });
  return settings;
}

function read() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY)) };
  } catch {
    return { ...DEFAULTS };
  }
}
