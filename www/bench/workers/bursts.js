// Sends that are not awaited one by one: bursts of them, and at most a few bursts not settled, so that what waits in
// the sender stays bounded.

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
