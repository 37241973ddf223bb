// The worker of that page: a client of the queue at the other end of the port it gets.
import { openQueue } from "posthaste";
import { passed } from "./letters.js";

onmessage = async ({ data: port }) => postMessage(await passed(await openQueue("served", { port })));
