/** Ports: `import "posthaste/ports"` has them ready from the start, where `import()` is not allowed and the default entry can't load them. */

import { PortServing } from "./port/host";
import { connect } from "./port/opening";
import { register, type Ports } from "./port/registry";

const own: Ports = { serve: (place) => new PortServing(place), connect };
register(own);

/** Something to import: bundlers may leave out a file that is imported for nothing. */
export const ports: object = own;
