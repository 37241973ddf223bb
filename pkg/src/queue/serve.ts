/** Serving a queue of this context at ports. Not for a client of a port: it can't serve another's queue. */

import { show } from "../contract/errors";
import { agree } from "../contract/policy";
import { portOption } from "../port/event-port";
import { ALLOW, serve, type Place } from "../port/registry";
import type { LocalBacking } from "../journal/local";
import type { ServeAt } from "./queue";

export function servingOf(backing: LocalBacking): ServeAt {
  return (port, allow, over, failed) => {
    const target = portOption(port, "port");
    const { name, policy, deadLetterQueue } = backing.handle;
    const list: unknown = allow ?? ["send", "receive", "admin"];
    const may = (Array.isArray(list) ? (list as string[]) : [refuse(list)]).reduce(
      (sum, what) => sum | (ALLOW[what as keyof typeof ALLOW] ?? refuse(what)),
      0,
    );
    const place: Place = {
      backing,
      target,
      allow: may,
      agree: (given, letters) => agree(name, policy, deadLetterQueue, (at) => given[at], letters),
      over,
    };
    return serve(place, failed);
  };
}

function refuse(what: unknown): never {
  throw new TypeError(`allow must list "send", "receive" or "admin", not ${show(what)}`);
}
