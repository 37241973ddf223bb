// Consumers of the cases of rules.mjs: as they are, and wrapped.
import { WorkerEntrypoint, waitUntil } from "cloudflare:workers";
import { queueHandler } from "posthaste/cloudflare";
import { handlerOf } from "./rules.mjs";

const later = () => scheduler.wait(30);
const handler = handlerOf({ later, waitUntil }, (env, _, report) => {
  // Not waited for: that would be work left behind. The runtime sends it all the same.
  env.SEEN.fetch("https://seen.example/", { method: "POST", body: JSON.stringify(report) }).then((response) => response.text()).catch(() =>
    undefined
  );
});

export default { queue: handler };
export const Wrapped = { queue: queueHandler(handler) };
export class WrappedMethod extends WorkerEntrypoint {}
WrappedMethod.prototype.queue = queueHandler(function(batch) {
  return handler(batch, this.env, this.ctx);
});

/** Says what a script tells it to: for comparing what comes of that. */
const script = (batch, _, ctx) => {
  const { words, work, end } = batch.messages[0].body;
  const say = ([what, at, delaySeconds]) => {
    const options = delaySeconds === undefined ? undefined : { delaySeconds };
    if (what === "ack") batch.messages[at].ack();
    else if (what === "retry") batch.messages[at].retry(options);
    else if (what === "ackAll") batch.ackAll();
    else batch.retryAll(options);
  };
  for (const word of words) say(word);
  for (const { words, fails } of work) {
    ctx.waitUntil(later().then(() => {
      for (const word of words) say(word);
      if (fails) throw new Error("no");
    }));
  }
  if (end === "throws") throw new Error("no");
  return end === "rejects"
    ? later().then(() => {
      throw new Error("no");
    })
    : undefined;
};
export const Script = { queue: queueHandler(script) };
