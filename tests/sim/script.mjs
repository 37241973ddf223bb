/**
 * A script is all that happens in a world, one operation a line: when (milliseconds after the one before; `=` in the same task),
 * who, what, and how. `world` and `queue` lines come first.
 *
 *     world store
 *     queue q0 maxRetries=1 visibilityTimeout=5 deadLetterQueue=dead
 *     0 c0 open q=q0
 *     2 c0 send q=q0 u=1 body=text delay=1
 */

const HEAD = /^(world|queue)\b/;

function value(text) {
  if (text === "true") return true;
  if (text === "false") return false;
  if (text === "Infinity") return Infinity;
  if (text.startsWith("{")) return JSON.parse(text);
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

function pairs(words) {
  return Object.fromEntries(words.map((word) => {
    const at = word.indexOf("=");
    return [word.slice(0, at), value(word.slice(at + 1))];
  }));
}

const told = (given) =>
  Object.entries(given).filter(([, one]) => one !== undefined)
    .map(([name, one]) => ` ${name}=${typeof one === "object" ? JSON.stringify(one) : one}`).join("");

export function parse(text) {
  const script = { world: "memory", queues: {}, ops: [], seed: 1 };
  for (const line of text.split("\n")) {
    const words = line.replace(/^\s*#.*/, "").trim().split(/\s+/);
    if (!words[0]) continue;
    if (!HEAD.test(words[0])) {
      const [gap, actor, op, ...rest] = words;
      script.ops.push({ gap: gap === "=" ? -1 : Number(gap), actor, op, ...pairs(rest) });
    } else if (words[0] === "world") {
      Object.assign(script, { world: words[1] }, pairs(words.slice(2)));
    } else {
      script.queues[words[1]] = pairs(words.slice(2));
    }
  }
  return script;
}

export function print(script) {
  const lines = [`world ${script.world}${told({ seed: script.seed })}`];
  for (const [name, policy] of Object.entries(script.queues)) lines.push(`queue ${name}${told(policy)}`);
  for (const { gap, actor, op, ...rest } of script.ops) lines.push(`${gap < 0 ? "=" : gap} ${actor} ${op}${told(rest)}`);
  return `${lines.join("\n")}\n`;
}
