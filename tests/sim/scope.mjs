/** What contexts share, as the model has it: one journal, and what was done to all who use it. */

/** What shares one journal: a context's memory, or a disk. */
export class Scope {
  queues = new Map();
  /** When a clock was last set, or a fault of the storage planned. */
  disturbedAt = -Infinity;
  /** Clocks differ, or do not run as the world's time does: leases may run out before they are extended. */
  skewed = false;
  /** Some clock was set, or made to run otherwise. */
  clockSet = false;
  /** Ports are so slow that a lease may be over before its holder knows of it. */
  late = false;
  /** Who is served is kept from running until then: what is leased to it is handed out to nobody. */
  stoppedUntil = -Infinity;
  /** Clocks were set back, and are where they were then. */
  behindUntil = -Infinity;
  /** Others have ports to it. */
  served = false;
  /** Dead letters may have come back since. */
  redriven = false;
  /** Its storage was lost: what was confirmed before may be gone. */
  lossAt = -Infinity;
  /** Queues may have been deleted since. */
  deletedAt = -Infinity;

  /** Until then leases may run out that were handed out to nobody. */
  get unseenUntil() {
    return this.served ? Math.max(this.stoppedUntil, this.behindUntil) : this.stoppedUntil;
  }

  constructor(name) {
    this.name = name;
  }
}
