/** The Worker that is pushed to in a kill test. It tells the ledger, by a binding, of every word before it says it. */
export default {
  async queue(batch, env) {
    const tell = (what, words) => env.LEDGER.fetch("https://ledger.example/", { method: "POST", body: JSON.stringify({ what, ...words }) });
    await tell("handling", { messages: batch.messages.map(({ body, attempts }) => [body.id, attempts, body.fails]) });
    await Promise.all(batch.messages.map(async (message) => {
      const { id, slow, fails } = message.body;
      if (slow) await new Promise((resolve) => setTimeout(resolve, slow));
      if (fails >= message.attempts) {
        await tell("retrying", { id });
        message.retry();
      } else {
        await tell("acking", { id });
        message.ack();
      }
    }));
  },
};
