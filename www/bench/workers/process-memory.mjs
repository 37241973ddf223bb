// Tells how much memory a browser takes: all of its processes, as Linux counts them. Pages that two of them share are
// counted by halves.

import { readdir, readFile } from "node:fs/promises";

/**
 * @param {string} profile the directory that the browser was started on
 * @returns {Promise<number | undefined>} bytes; undefined where the system does not tell
 */
export async function browserMemory(profile) {
  const processes = await all();
  if (!processes.length) return undefined;
  const own = new Set(processes.filter(({ command }) => command.includes(profile)).map(({ id }) => id));
  for (let known = -1; known !== own.size;) {
    known = own.size;
    for (const { id, parent } of processes) if (own.has(parent)) own.add(id);
  }
  const sizes = await Promise.all([...own].map(size));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

async function all() {
  const ids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(ids.map(look));
  return found.filter((process) => process);
}

/** A process that ends while it is looked at is none of ours. */
async function look(id) {
  try {
    const [stat, command] = await Promise.all([readFile(`/proc/${id}/stat`, "utf8"), readFile(`/proc/${id}/cmdline`, "utf8")]);
    return { id, parent: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1], command };
  } catch {
    return undefined;
  }
}

async function size(id) {
  try {
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, "utf8");
    return 1024 * Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
