/** Words to the console, which may choke on the value it is to show. */

import { messageOf } from "./foreign";

export function complain(says: string, error: unknown): void {
  const { console } = globalThis as { console?: Console };
  try {
    console?.error(says, error);
  } catch {
    console?.error(says, messageOf(error));
  }
}
