// Runs under a limit on the size of files: sends what is too large, in between what is not.
import { statSync } from "node:fs";
import { journalOf, using } from "./file-folder.mjs";

const folder = process.argv[2];
const size = () => statSync(journalOf(folder)).size;
const tooMuch = new Uint8Array(3 << 20);
await using(folder, async (queue) => {
  await queue.send("small 1");
  const before = size();
  console.log(await queue.send(tooMuch).catch(({ name }) => name));
  if (size() !== before) console.log(`${size()} bytes, and not ${before} as before`);
  await queue.send("small 2");
  console.log(await queue.sendBatch([{ body: "with it" }, { body: tooMuch }]).catch(({ name }) => name));
  console.log((await queue.peek({ max: 10 })).map(({ body }) => body).join(", "));
  await queue.send("small 3");
});
