// Sends that are not awaited one by one, and what waits in the sender stays bounded all the same: bursts of them, of which at most
// a few are not settled, or a loop that awaits one now and then.

/** Calls `send` for every number below `count`, at most `inFlight` bursts of promises open at once. */
export async function sendInBursts(count, burst, inFlight, send) {
  const open = [];
  for (let first = 0; first < count; first += burst) {
    const end = Math.min(first + burst, count);
    const sent = [];
    for (let number = first; number < end; number++) sent.push(send(number));
    open.push(Promise.all(sent));
    if (open.length >= inFlight) await open.shift();
  }
  await Promise.all(open);
}

/** A loop that applications write: sends one by one, one of every `awaitEach` awaited. A send that fails is heard with the next that is awaited. */
export async function sendOneByOne(count, awaitEach, send) {
  let fail;
  const failed = new Promise((_resolve, reject) => (fail = reject));
  failed.catch(() => {});
  for (let number = 0; number < count; number++) {
    const sent = send(number);
    sent.catch(fail);
    if ((number + 1) % awaitEach === 0 || number + 1 === count) await Promise.race([sent, failed]);
  }
}
