// Runs under a limit on the size of files: sends what is too large, in between what is not.
import { using } from "./file-folder.mjs";

const tooMuch = new Uint8Array(3 << 20);
await using(process.argv[2], async (queue) => {
  await queue.send("small 1");
  console.log(await queue.send(tooMuch).catch(({ name }) => name));
  await queue.send("small 2");
  console.log(await queue.sendBatch([{ body: "with it" }, { body: tooMuch }]).catch(({ name }) => name));
  console.log((await queue.peek({ max: 10 })).map(({ body }) => body).join(", "));
  await queue.send("small 3");
});
