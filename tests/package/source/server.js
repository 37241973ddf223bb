// What an application on a server does.
import { openQueue } from "posthaste";
import { passed } from "./letters.js";

export const said = async () => JSON.stringify(await passed(await openQueue(crypto.randomUUID())));
