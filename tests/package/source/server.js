// What an application on a server does.
import { openQueue } from "posthaste";
import { passed } from "./letters.js";

/** More messages than one turn of the event loop has time for. */
const MANY = 20_000;

export async function said() {
  const queue = await openQueue(crypto.randomUUID());
  for (let count = 0; count < MANY; count += 1) await queue.send(count);
  if ((await queue.purge()) !== MANY) throw new Error("messages are missing");
  await queue.close();
  return JSON.stringify(await passed(await openQueue(crypto.randomUUID())));
}
