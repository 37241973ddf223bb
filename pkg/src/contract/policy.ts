/** A queue's policy: what its first opener set, and whether a later one agrees. */

import { POLICY } from "../engine/codes";
import { PolicyMismatchError, show } from "./errors";
import { policyValue } from "./options";

/**
 * What an opener names must be what the queue was made with. `given` answers NaN for numbers it does not name; `letters` is
 * its dead-letter queue, null for none, undefined where it does not say.
 */
export function agree(
  name: string,
  kept: ArrayLike<number>,
  keptLetters: string | undefined,
  given: (at: number) => number,
  letters: string | null | undefined,
): void {
  for (let at = 0; at < kept.length; at += 1) {
    const value = given(at);
    if (Number.isNaN(value) || value === kept[at] || Math.abs(value - kept[at]) <= 1e-9) continue;
    throw new PolicyMismatchError(
      `the queue ${show(name)} was made with ${POLICY[at]} ${policyValue(at, kept[at])}, not ${
        policyValue(at, value)
      }: leave it out, or delete the queue first`,
    );
  }
  if (letters === undefined || letters === (keptLetters ?? null)) return;
  throw new PolicyMismatchError(
    `the queue ${show(name)} was made with deadLetterQueue ${keptLetters === undefined ? "false" : show(keptLetters)}, not ${
      letters === null ? "false" : show(letters)
    }`,
  );
}
