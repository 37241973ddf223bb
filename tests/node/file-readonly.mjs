// Opens a folder, and folders in it, without the right to write there: `file-readonly.mjs <folder> <uid to become>`.
import { chmodSync, chownSync, readdirSync } from "node:fs";
import path from "node:path";
import { journalOf, waiting } from "./file-folder.mjs";

const [folder, uid] = process.argv.slice(2);
const tell = () => waiting(folder).then(String, ({ name, message }) => `${name}: ${message}`).then(console.log);
const all = [path.dirname(folder), folder, ...readdirSync(folder).map((name) => path.join(folder, name))];

if (uid) { for (const file of all) chownSync(file, Number(uid), Number(uid)); }
// What is loaded late, is loaded before.
await import("posthaste").then(({ openQueue }) => openQueue("warm").then((queue) => queue.close()));
if (uid) {
  process.setegid(Number(uid));
  process.seteuid(Number(uid));
}
chmodSync(folder, 0o500);
await tell();
const below = path.join(folder, "below");
console.log(await waiting(below).then(String, ({ name, message }) => `${name}: ${message}`));
chmodSync(folder, 0o700);
chmodSync(journalOf(folder), 0o400);
await tell();
chmodSync(journalOf(folder), 0o600);
await tell();
if (uid) process.seteuid(0);
