/** Makes the script of a failure short: as few operations as still fail in the same way. */

const MS_MAX = 60_000;

export async function shrink(simulation, script, kind, ms = MS_MAX) {
  const end = Date.now() + ms;
  const fails = async (tried) => {
    const { failure } = await simulation.run(tried);
    return failure?.kind === kind ? failure : undefined;
  };
  let best = script;
  let failure = await fails(script);
  if (!failure) return { script, failure: { kind, text: "(it does not fail again: something is not deterministic)" } };
  // What comes after the failure has no part in it: most scripts lose most of their length at once.
  for (let length = 16; length < best.ops.length; length *= 2) {
    const tried = { ...best, ops: best.ops.slice(0, length) };
    const found = await fails(tried);
    if (!found) continue;
    [best, failure] = [tried, found];
    break;
  }
  for (let size = Math.ceil(best.ops.length / 2); size >= 1 && Date.now() < end;) {
    let removed = false;
    for (let from = best.ops.length - size; from > -size && Date.now() < end; from -= size) {
      const ops = without(best.ops, Math.max(0, from), from + size);
      if (ops.length === best.ops.length) continue;
      const tried = { ...best, ops };
      const found = await fails(tried);
      if (!found) continue;
      best = tried;
      failure = found;
      removed = true;
    }
    if (size === 1 && !removed) break;
    size = removed && size === 1 ? 1 : Math.max(1, Math.floor(size / 2));
  }
  ({ best, failure } = await simpler(best, failure, fails, end));
  return { script: best, failure };
}

/** What follows stays where it was in time. */
function without(ops, first, end) {
  const gone = ops.slice(first, end);
  const [next, ...rest] = ops.slice(end);
  if (!next) return ops.slice(0, first);
  const gap = gone.reduce((sum, { gap: one }) => sum + Math.max(0, one), 0);
  const together = next.gap < 0 && gone.every(({ gap: one }) => one < 0);
  return [...ops.slice(0, first), { ...next, gap: together ? -1 : gap + Math.max(0, next.gap) }, ...rest];
}

/** Leaves out what operations and policies say, where it does not matter. */
async function simpler(script, failure, fails, end) {
  let best = script;
  const attempt = async (tried) => {
    if (Date.now() > end) return;
    const found = await fails(tried);
    if (found) [best, failure] = [tried, found];
  };
  for (const [name, policy] of Object.entries(best.queues)) {
    for (const option of Object.keys(policy)) {
      const { [option]: _gone, ...rest } = best.queues[name];
      await attempt({ ...best, queues: { ...best.queues, [name]: rest } });
    }
  }
  for (let at = 0; at < best.ops.length; at += 1) {
    for (const gap of [0, 1, Math.round(best.ops[at].gap)]) {
      if (best.ops[at].gap > gap || best.ops[at].gap % 1 > 0) await attempt({ ...best, ops: best.ops.with(at, { ...best.ops[at], gap }) });
    }
    for (const option of Object.keys(best.ops[at])) {
      if (["actor", "op", "q", "u", "gap"].includes(option)) continue;
      const { [option]: _gone, ...rest } = best.ops[at];
      await attempt({ ...best, ops: best.ops.with(at, rest) });
    }
  }
  return { best, failure };
}
