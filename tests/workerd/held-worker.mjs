// Handlers that leave work behind until the test lets it end.
import { waitUntil } from "cloudflare:workers";
import { queueHandler } from "posthaste/cloudflare";

/** `env.GATE` answers when the test says so: with what is to become of the work. */
async function work(env, body) {
  const says = await (await env.GATE.fetch(`https://gate.example/${body}`)).text();
  if (says !== "well") throw new Error(says);
}

async function queue(batch, env, ctx) {
  if (batch.queue.startsWith("dead") && !batch.queue.endsWith("-dlq")) throw new Error("no");
  const shown = batch.messages.map(({ body }) => (body === undefined ? "undefined" : String(body).slice(0, 20)));
  await (await env.SEEN.fetch("https://seen.example/", { method: "POST", body: JSON.stringify({ queue: batch.queue, bodies: shown }) }))
    .text();
  for (const { body, attempts } of batch.messages) {
    if (attempts > 1) continue;
    if (body === "ctx") ctx.waitUntil(work(env, body));
    if (body === "imported") waitUntil(work(env, body));
  }
}

export default { queue };
export const Wrapped = { queue: queueHandler(queue) };
