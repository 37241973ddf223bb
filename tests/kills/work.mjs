/**
 * What each context does until it is killed: sends, is handed messages, acks most, fails a few, and tells the ledger of every word,
 * each before the next. A lease outlives everything here: what a dead context held comes back because it is seen to be dead.
 */

/** Runs in pages, workers, Node and Deno. `ledger`: where to tell; `context`: the name to tell it under. */
export async function work({ openQueue, storage, ledger, context }) {
  const tell = async (what, words = {}) => {
    const response = await fetch(ledger, { method: "POST", body: JSON.stringify({ context, what, said: Date.now(), ...words }) });
    return response.json();
  };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const queue = await openQueue("jobs", { storage, visibilityTimeout: 3600, maxRetries: 5, retryDelay: 0.01, deadLetterQueue: "dead" });
  queue.addEventListener("error", ({ message }) => void tell("error", { text: message }));
  await tell("open");

  const handle = async (message) => {
    const { id, slow, fails } = message.body;
    try {
      if (slow) await pause(slow);
      if (fails >= message.attempts) {
        await tell("retrying", { id });
        return await message.retry();
      }
      await tell("acking", { id });
      await message.ack();
      await tell("acked", { id });
    } catch (error) {
      await tell("failed", { id, text: `${error.name}: ${error.message}` });
      throw error;
    }
  };
  queue.consume(async ({ messages }) => {
    await tell("handling", { messages: messages.map(({ body, attempts }) => [body.id, attempts, body.fails]) });
    // A handler that returns has acked all of which it said nothing: a page that goes may be kept from saying it, and not from telling so.
    const failed = (await Promise.allSettled(messages.map(handle))).find(({ status }) => status === "rejected");
    if (failed) throw failed.reason;
  }, { maxBatchSize: 4, maxConcurrency: 2 });

  for (let n = 0;; n += 1) {
    const id = `${context}/${n}`;
    // One of a hundred fails for ever, a few once.
    const fails = n % 100 === 63 ? 1000 : n % 13 === 7 ? 1 : 0;
    const { metadata } = await queue.send({ id, slow: n % 3 === 0 ? (n * 37) % 80 : 0, fails });
    if ((await tell("confirmed", { id })).stop) break;
    if (metadata.metrics.backlogCount > 40) await pause(30);
  }
  const dead = await openQueue("dead", { storage });
  for (;;) {
    const metrics = await queue.metrics();
    if (metrics.backlogCount === 0) {
      const letters = await dead.peek({ max: 10_000 });
      await tell("drained", { metrics, dead: letters.map(({ body, reason }) => [body.id, reason]) });
      return;
    }
    await pause(20);
  }
}
