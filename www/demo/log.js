// The event log: plain sentences, newest first, at most a hundred. News of one kind that follow one another closely
// share one line, so that a failing burst does not wash everything else away.

const MAX = 100;
const FOLD_MS = 4000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** Makes the log in `list`. `say(tone, text)`: tone is one of "good", "bad", "note", "trouble". */
export function makeLog(list) {
  const folds = new Map();

  function say(tone, text) {
    const item = document.createElement("li");
    const now = new Date();
    item.className = tone;
    const time = document.createElement("time");
    time.dateTime = now.toISOString();
    time.textContent = clock.format(now);
    const words = document.createElement("span");
    words.textContent = text;
    item.append(time, words);
    list.prepend(item);
    while (list.children.length > MAX) list.lastChild.remove();
    return words;
  }

  /** Like `say`, but news of the same key change the line they have while it is fresh: `text(count)`. */
  function fold(key, tone, text, more = 1) {
    const now = performance.now();
    let line = folds.get(key);
    if (!line || now - line.at > FOLD_MS) line = { words: say(tone, ""), count: 0 };
    line.count += more;
    line.at = now;
    line.words.textContent = text(line.count);
    folds.set(key, line);
  }

  return { say, fold };
}
