// What every application of these tests does with a queue.

/** Sends one message to a queue that is nobody else's, takes it out again, and says what came of it. */
export async function passed(queue) {
  await queue.send({ to: "Ada", on: new Date(0) });
  const [message] = await queue.receive({ wait: 5 });
  await message.ack();
  const { acked, backlogCount } = await queue.metrics();
  await queue.close();
  return [message.body, acked, backlogCount];
}
