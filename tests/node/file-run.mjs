// Runs the cases of file-cases.mjs one after the other, each in a folder of its own that the command line names, and
// says the name of each that is well.
import { cases } from "./file-cases.mjs";

// What is cut off is told: that is a lot of it here.
console.error = () => undefined;

for (const [at, [name, run]] of Object.entries(cases).entries()) {
  await run(process.argv[2 + at]);
  console.log(name);
}
process.exit();
